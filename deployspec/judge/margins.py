"""Drops of which only the margins are known: how many each model gets right, and not which ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from deployspec.judge.figure import Figure, point, ratio

if TYPE_CHECKING:
    from decimal import Decimal

    from deployspec.units import Bound

WHY: Final = 'the evidence holds only the margins, which decide a drop with confidence = "point"'


@dataclass(frozen=True)
class Margins:
    """`before` right by the reference and `after` by the artifact, of the same `n` samples.

    No bound follows from them: the same margins may hide any number of broken and repaired samples.
    """

    before: int
    after: int
    n: int
    relative: bool = False

    @property
    def basis(self) -> str:
        """The counts in words."""
        return f"{self.before} right before and {self.after} after, of {self.n} samples"

    @property
    def estimate(self) -> Decimal:
        """The drop: a difference of shares, or that difference as a share of the reference's."""
        return ratio(self.before - self.after, self.before if self.relative else self.n)

    def figure(self, alpha: float | None) -> Figure:
        """The bare estimate; with an `alpha` there is nothing that could be said."""
        assert alpha is None, "margins decide as a point or not at all"
        return point(self.estimate, self.n)

    def needed(self, bound: Bound, alpha: float) -> int | None:  # noqa: ARG002 - more margins would add nothing
        """None: no number of samples decides without their joint outcomes."""
        return None
