"""Padding of the spatial dimensions for convolutions and pooling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch.nn import functional

from deployspec.evaluators.mlprogram.faults import UnknownOption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


@dataclass(frozen=True)
class Pads:
    """Elements to add before and after each spatial dimension; negative to cut."""

    before: list[int]
    after: list[int]

    @property
    def symmetric(self) -> bool:
        """Whether both ends are padded alike."""
        return self.before == self.after

    def around(self, x: Tensor, value: float = 0.0) -> Tensor:
        """x (n, C, *D) with its spatial dimensions padded."""
        flat = [each for pair in zip(reversed(self.before), reversed(self.after), strict=True) for each in pair]
        return functional.pad(x, flat, value=value) if any(flat) else x


def pads_of(
    pad_type: str, sizes: Sequence[int], window: Sequence[int], strides: Sequence[int], custom: list[int] | None
) -> Pads:
    """The padding of a window of size `window`: `valid`, `custom` (pairs of before and after), `same` or `same_lower`.

    `same` makes the output ceil(size / stride) long; an odd element goes after, with `same_lower` before.
    """
    match pad_type:
        case "valid":
            return Pads([0] * len(sizes), [0] * len(sizes))
        case "custom":
            pairs = custom or [0] * (2 * len(sizes))
            return Pads(pairs[::2], pairs[1::2])
        case "same" | "same_lower":
            rows = zip(sizes, window, strides, strict=True)
            total = [max(0, -(-size // step) * step - size + wide - step) for size, wide, step in rows]
            less, more = [each // 2 for each in total], [each - each // 2 for each in total]
            return Pads(less, more) if pad_type == "same" else Pads(more, less)
        case _:
            raise UnknownOption(f"pad_type '{pad_type}'")
