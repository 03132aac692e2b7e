"""F1 of a class through the Jaccard index J = TP / (TP + FP + FN): F1 = 2J / (1 + J).

F1 is the coefficient of Dice (1945, Ecology 26:297-302), J that of Jaccard (1912, New Phytologist 11:37-50). J is a
proportion of the samples that are of the class or called so, and F1 rises with it, so that the exact bounds of the one
are exact bounds of the other, given the number of such samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

from deployspec.judge.decide import more_needed
from deployspec.judge.figure import Figure, ceiling, floor, point, ratio
from deployspec.judge.proportions import lower_bound, upper_bound

if TYPE_CHECKING:
    from deployspec.units import Bound


@dataclass(frozen=True)
class Overlap:
    """What a class and the predictions of it share; at least one of the three counts is positive."""

    found: int
    missed: int
    false_alarms: int

    @property
    def n(self) -> int:
        """Samples that are of the class or called so."""
        return self.found + self.missed + self.false_alarms

    @property
    def basis(self) -> str:
        """The counts in words."""
        return f"{self.found} found, {self.missed} missed, {self.false_alarms} false alarms"

    @property
    def estimate(self) -> Fraction:
        """F1 itself."""
        return Fraction(2 * self.found, self.found + self.n)

    def figure(self, alpha: float | None) -> Figure:
        """F1 with its bounds, each erring at most `alpha`; None compares the estimate alone."""
        estimate = ratio(*self.estimate.as_integer_ratio())
        if alpha is None:
            return point(estimate, self.n)
        lower, upper = lower_bound(self.found, self.n, alpha), upper_bound(self.found, self.n, alpha)
        return Figure(estimate=estimate, lower=floor(_f1(lower)), upper=ceiling(_f1(upper)), n=self.n)

    def needed(self, bound: Bound, alpha: float) -> int | None:
        """About how many more such samples, in the same mixture, would decide the bound."""
        return more_needed(self, bound, alpha)

    def grown(self, n: int) -> Overlap:
        """As many samples as `n`, of which as large a share is found."""
        found = round(Decimal(self.found) * n / self.n)
        return Overlap(found, n - found, 0)


def _f1(jaccard: float) -> float:
    return 2 * jaccard / (1 + jaccard)
