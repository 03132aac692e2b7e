"""What precision a program is computed in.

A half-precision tensor lives in a float32 tensor that holds only values of half precision: one rounding per operator,
no conversion at its inputs, and the fast kernels of float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from deployspec.formats.mlpackage import DType

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor

_INTEGERS: Final[dict[DType, torch.dtype]] = {
    DType.BOOL: torch.bool,
    DType.INT4: torch.int8,
    DType.INT8: torch.int8,
    DType.INT16: torch.int16,
    DType.INT32: torch.int32,
    DType.INT64: torch.int64,
    DType.UINT1: torch.uint8,
    DType.UINT2: torch.uint8,
    DType.UINT3: torch.uint8,
    DType.UINT4: torch.uint8,
    DType.UINT6: torch.uint8,
    DType.UINT8: torch.uint8,
    DType.UINT16: torch.int32,
    DType.UINT32: torch.int64,
    DType.UINT64: torch.int64,
}
"""The torch type that holds each integer type; wider where torch has few kernels for the type itself."""

_WIDER: Final = {"uint16": "int32", "uint32": "int64", "uint64": "int64"}

_MASKS: Final = {DType.UINT16: 0xFFFF, DType.UINT32: 0xFFFF_FFFF}

_TERMS: Final = 32
"""How many products are summed exactly before the sum is rounded in `Mode.FP16ACC`."""


class Mode(StrEnum):
    """How floats are computed. Verdicts on which the modes differ depend on a device's precision."""

    FP64 = "fp64"
    """Every float in float64, whatever the program declares: what the network means."""
    DECLARED = "declared"
    """float32, and every operator's result rounded to the type that the program declares."""
    FP16ACC = "fp16acc"
    """As `DECLARED`; the running totals of half-precision convolutions, products of matrices and sums are rounded too,
    every 32 terms. What is inside other operators, such as the steps of a recurrent layer, is as in `DECLARED`."""


@dataclass(frozen=True)
class Numerics:
    """A mode's rules."""

    mode: Mode

    def dtype(self, declared: DType) -> torch.dtype:
        """The torch type that holds a tensor of type `declared`."""
        if declared in _INTEGERS:
            return _INTEGERS[declared]
        return torch.float64 if self.mode is Mode.FP64 or declared is DType.FP64 else torch.float32

    def constant(self, value: np.ndarray, declared: DType) -> Tensor:
        """A constant as a tensor, never sharing memory with the file that it was read from."""
        held = np.array(value, dtype=_WIDER.get(value.dtype.name, value.dtype.name))
        return torch.from_numpy(held).to(self.dtype(declared))

    def settle(self, value: Tensor, declared: DType) -> Tensor:
        """`value` rounded to the type that the program declares, in the torch type that holds it."""
        if declared is DType.FP16 and self.mode is not Mode.FP64:
            return value.half().float()
        if declared is DType.BF16 and self.mode is not Mode.FP64:
            return value.bfloat16().float()
        if declared in _MASKS:
            value = value.to(torch.int64) & _MASKS[declared]
        return value.to(self.dtype(declared))

    def rounds_sums(self, declared: DType) -> bool:
        """Whether running totals of type `declared` are rounded."""
        return self.mode is Mode.FP16ACC and declared is DType.FP16

    def accumulate(self, parts: Iterable[Tensor]) -> Tensor:
        """The sum of `parts`, rounded to half precision after each addition."""
        rounded = (each.half().float() for each in parts)
        total = next(rounded)
        for part in rounded:
            total = (total + part).half().float()
        return total


def spans(length: int, terms_each: int = 1) -> list[slice]:
    """`length` things of `terms_each` products, cut into spans of about 32 products."""
    width = max(1, _TERMS // terms_each)
    return [slice(start, min(start + width, length)) for start in range(0, max(length, 1), width)]
