"""Quantization: weights, and for some schemes activations, in fewer bits.

The pass names the scheme only; each target's lowerings say which schemes the format takes and how
they are realised.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from deployspec.ir.constraint import Constraint

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deployspec.ir.plan import Lowering


@dataclass(frozen=True, kw_only=True)
class Quantize:
    """`pass = "quantize"`: `scheme` is one that the target's format takes (`deployspec targets` lists them)."""

    name: ClassVar[str] = "quantize"
    summary: ClassVar[str] = "keeps weights, and for some schemes activations, in fewer bits"
    remark: ClassVar[str] = ""
    reasons: ClassVar[dict[str, str]] = {}

    scheme: str
    """One that the target's format takes."""
    tolerance: Annotated[float, Constraint(gt=0, le=1)] | None = None
    """How far the quantized outputs may be from the float ones, as a share of their spread, before the artifact is
    refused as broken; without it what the scheme usually stays well below. The report remarks on what is looser, and
    budgets judge the rest."""

    @classmethod
    def ways(cls, schemes: Iterable[str]) -> tuple[Quantize, ...]:
        """Each scheme."""
        return tuple(cls(scheme=each) for each in schemes)

    def wanted(self) -> str:
        """The scheme."""
        return self.scheme

    def lowerings(self) -> tuple[Lowering, ...]:
        """None of its own: quantization is part of how a format is made."""
        return ()
