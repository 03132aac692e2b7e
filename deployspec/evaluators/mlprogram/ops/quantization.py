"""Affine quantization of activations; scale and zero point are scalars, or vectors along `axis`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch

from deployspec.evaluators.mlprogram.faults import UnknownOption
from deployspec.evaluators.mlprogram.table import IOS17, op

if TYPE_CHECKING:
    from torch import Tensor

_LIMITS: Final = {"int8": (-128, 127), "uint8": (0, 255)}


@op("quantize", since=IOS17)
def quantize(
    input: Tensor,
    scale: Tensor,
    output_dtype: str,
    zero_point: Tensor | None = None,
    axis: int | None = None,
) -> Tensor:
    """round(input / scale) + zero_point, kept within the limits of the type; halves round to even."""
    if output_dtype not in _LIMITS:
        raise UnknownOption(f"output_dtype '{output_dtype}'")
    rounded = torch.round(input / along(scale, axis, input))
    shifted = rounded if zero_point is None else rounded + along(zero_point, axis, input)
    return shifted.clamp(*_LIMITS[output_dtype])


@op("dequantize", since=IOS17)
def dequantize(input: Tensor, scale: Tensor, zero_point: Tensor | None = None, axis: int | None = None) -> Tensor:
    """scale * (input - zero_point)."""
    values = input.to(scale.dtype)
    shifted = values if zero_point is None else values - along(zero_point, axis, input)
    return along(scale, axis, input) * shifted


def along(vector: Tensor, axis: int | None, data: Tensor) -> Tensor:
    """A vector shaped so that it broadcasts along `axis` of `data`; a scalar as it is."""
    if vector.dim() == 0 or axis is None:
        return vector
    return vector.reshape(-1, *(1 for _ in data.shape[axis % data.dim() + 1 :]))
