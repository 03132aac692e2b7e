"""Products of matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from deployspec.evaluators.mlprogram.numerics import spans
from deployspec.evaluators.mlprogram.table import Site, op

if TYPE_CHECKING:
    from torch import Tensor

    from deployspec.evaluators.mlprogram.table import Tensors


@op("linear")
def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None, *, site: Site) -> Tensor:
    """x · weightᵀ + bias; integers are taken in the type of x since iOS 17."""
    weight, bias = weight.to(x.dtype), None if bias is None else bias.to(x.dtype)
    if not site.rounds_sums:
        return functional.linear(x, weight, bias)
    product = product_of(x, weight.mT, site)
    return product if bias is None else product + bias


@op("matmul")
def matmul(x: Tensor, y: Tensor, transpose_x: bool = False, transpose_y: bool = False, *, site: Site) -> Tensor:
    """x · y with numpy's broadcasting; a transposition has no effect on a vector, integers meet floats as floats."""
    common = torch.promote_types(x.dtype, y.dtype)
    x, y = x.to(common), y.to(common)
    left = x.mT if transpose_x and x.dim() > 1 else x
    right = y.mT if transpose_y and y.dim() > 1 else y
    return product_of(left, right, site)


@op("einsum")
def einsum(values: Tensors, equation: str) -> Tensor:
    """Einstein summation; dimensions of size 1 broadcast."""
    return torch.einsum(equation, *values)


def product_of(x: Tensor, y: Tensor, site: Site) -> Tensor:
    """x · y; where sums are rounded, of spans of the inner dimension."""
    if not site.rounds_sums:
        return x @ y
    rows = y if y.dim() > 1 else y[:, None]
    total = site.numerics.accumulate(x[..., each] @ rows[..., each, :] for each in spans(x.shape[-1]))
    return total if y.dim() > 1 else total[..., 0]
