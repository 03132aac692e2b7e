"""What is in an artifact, read from its own bytes: the ends, the operators, the weights, the work of one inference.

Rules, the same for every format:

- A parameter is an element of a stored constant that is floating point or quantized; plain integers (shapes, axes,
  indices) are not weights, and neither are the scales and zero points of a quantization.
- A kernel is a parameter tensor of two or more dimensions; its zeros (quantized: equal to the zero point) make the
  sparsity.
- A multiply-accumulate is counted for convolutions, matrix products and recurrent cells, of one sample, and for
  nothing else; `deployspec.formats.macs` holds the formulas.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from deployspec.ir.constraint import Constraint


@dataclass(frozen=True, kw_only=True)
class End:
    """An input or output of the artifact. `name` is empty where the format has none; an unknown dimension is -1."""

    name: str
    shape: tuple[int, ...] | None = None
    dtype: str = ""


@dataclass(frozen=True, kw_only=True)
class Structure:
    """All that an inspector tells of an artifact."""

    inputs: tuple[End, ...]
    outputs: tuple[End, ...]
    operators: tuple[tuple[str, int], ...]
    """Each operator as the format names it, with how often it occurs; the most frequent first, then by name."""
    parameters: int
    kernel_elements: int
    kernel_zeros: int
    weight_bytes: tuple[tuple[str, int], ...]
    """Bytes of the stored parameters by their stored type, e.g. `float32`, `int8`, `int4`, `palette-4`, `sparse`."""
    macs: int | None
    """Of one sample; None where the artifact does not tell, which `macs_reason` then explains."""
    macs_reason: str = ""
    undelegated: tuple[tuple[str, int], ...] | None = None
    """Operators left to the portable kernels; None for a format without delegates, and where nobody tells."""
    minimum: str = ""
    """The oldest system that runs it, e.g. `iOS16`, where the format says so."""
    findings: tuple[str, ...] = ()
    """What a reader should know, a line each."""


@dataclass(frozen=True, kw_only=True)
class Division:
    """How a runtime divides an artifact's operators between a delegate and its own kernels, where it alone tells."""

    undelegated: dict[str, Annotated[int, Constraint(ge=1, le=2**53 - 1)]] | None
    """How often each operator is left; None for a file that the runtime does not load."""
    findings: tuple[str, ...]


def ranked(counts: dict[str, int]) -> tuple[tuple[str, int], ...]:
    """Names with their counts, the most frequent first, then by name."""
    return tuple(sorted(counts.items(), key=lambda each: (-each[1], each[0])))
