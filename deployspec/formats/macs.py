"""One rule for multiply-accumulates, whatever format an operator is stored in: one sample, bias and pooling are free.

The count of a layer is what its definition multiplies, not what a kernel saves: padding counts, zeros count.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def convolution(output: Sequence[int], kernel: Sequence[int]) -> int:
    """Elements of the output (batch 1) times those of one filter: `kernel` is (out, in / groups, *window)."""
    return prod(output) * prod(kernel[1:])


def transposed_convolution(input: Sequence[int], kernel: Sequence[int]) -> int:
    """Elements of the input (batch 1) times those that each of them meets: `kernel` is (in, out / groups, *window)."""
    return prod(input) * prod(kernel[1:])


def product(output: Sequence[int], inner: int) -> int:
    """Elements of a matrix product's output times the length of its inner dimension."""
    return prod(output) * inner


def recurrent(steps: int, gates: int, inputs: int, hidden: int, directions: int = 1) -> int:
    """An LSTM (4 gates), GRU (3) or plain recurrence (1): both products of every gate, at each step."""
    return directions * steps * gates * hidden * (inputs + hidden)
