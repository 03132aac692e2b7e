"""Reductions over some axes, or over all when none are named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from deployspec.evaluators.mlprogram.numerics import spans
from deployspec.evaluators.mlprogram.table import Ints, Site, op

if TYPE_CHECKING:
    from torch import Tensor


@op("reduce_sum")
def reduce_sum(x: Tensor, axes: Ints | None = None, keep_dims: bool = False, *, site: Site) -> Tensor:
    """Sum."""
    over = _all_or(axes, x)
    if not site.rounds_sums:
        return x.sum(over, keepdim=keep_dims)
    lined = x.movedim(over, tuple(range(-len(over), 0))).flatten(-len(over))
    total = site.numerics.accumulate(lined[..., each].sum(-1) for each in spans(lined.shape[-1]))
    return total.reshape(torch.empty(x.shape, device="meta").sum(over, keepdim=keep_dims).shape)


@op("reduce_mean")
def reduce_mean(x: Tensor, axes: Ints | None = None, keep_dims: bool = False, *, site: Site) -> Tensor:
    """Sum divided by the number of elements."""
    total = reduce_sum(_real(x), axes, keep_dims, site=site)
    return total / (x.numel() / max(1, total.numel()))


@op("reduce_prod")
def reduce_prod(x: Tensor, axes: Ints | None = None, keep_dims: bool = False) -> Tensor:
    """Product."""
    for axis in sorted((each % x.dim() for each in _all_or(axes, x)), reverse=True):
        x = x.prod(axis, keepdim=keep_dims)
    return x


@op("reduce_max", exact=True)
def reduce_max(x: Tensor, axes: Ints | None = None, keep_dims: bool = False) -> Tensor:
    """Largest element."""
    return x.amax(_all_or(axes, x), keepdim=keep_dims)


@op("reduce_min", exact=True)
def reduce_min(x: Tensor, axes: Ints | None = None, keep_dims: bool = False) -> Tensor:
    """Smallest element."""
    return x.amin(_all_or(axes, x), keepdim=keep_dims)


@op("reduce_l1_norm")
def reduce_l1_norm(x: Tensor, axes: Ints | None = None, keep_dims: bool = False, *, site: Site) -> Tensor:
    """Sum of |x|."""
    return reduce_sum(x.abs(), axes, keep_dims, site=site)


@op("reduce_l2_norm")
def reduce_l2_norm(x: Tensor, axes: Ints | None = None, keep_dims: bool = False, *, site: Site) -> Tensor:
    """Square root of the sum of squares."""
    return reduce_sum(_real(x).square(), axes, keep_dims, site=site).sqrt()


@op("reduce_sum_square")
def reduce_sum_square(x: Tensor, axes: Ints | None = None, keep_dims: bool = False, *, site: Site) -> Tensor:
    """Sum of squares."""
    return reduce_sum(x.square(), axes, keep_dims, site=site)


@op("reduce_log_sum")
def reduce_log_sum(x: Tensor, axes: Ints | None = None, keep_dims: bool = False, *, site: Site) -> Tensor:
    """Natural logarithm of the sum."""
    return reduce_sum(_real(x), axes, keep_dims, site=site).log()


@op("reduce_log_sum_exp")
def reduce_log_sum_exp(x: Tensor, axes: Ints | None = None, keep_dims: bool = False) -> Tensor:
    """Natural logarithm of the sum of exponentials, computed without overflow."""
    return torch.logsumexp(_real(x), _all_or(axes, x), keepdim=keep_dims)


@op("reduce_argmax", idle=("output_dtype",))
def reduce_argmax(x: Tensor, axis: int = -1, keep_dims: bool = False) -> Tensor:
    """Index of the largest element; the first of equals."""
    return x.argmax(axis, keepdim=keep_dims)


@op("reduce_argmin", idle=("output_dtype",))
def reduce_argmin(x: Tensor, axis: int = -1, keep_dims: bool = False) -> Tensor:
    """Index of the smallest element; the first of equals."""
    return x.argmin(axis, keepdim=keep_dims)


def _all_or(axes: Ints | None, x: Tensor) -> list[int]:
    return list(range(x.dim())) if axes is None else axes


def _real(x: Tensor) -> Tensor:
    return x if x.is_floating_point() else x.double()
