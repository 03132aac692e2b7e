"""Shares of independent samples: Clopper-Pearson.

Clopper and Pearson (1934), Biometrika 26:404-413. Exact: the true error never exceeds alpha, whatever the share
and the number of samples, so that 1 of 1 proves nothing, where Wilson's interval would pass a floor of 20 %.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

from deployspec.judge.decide import more_needed
from deployspec.judge.figure import Figure, ceiling, floor, point, ratio

if TYPE_CHECKING:
    from deployspec.units import Bound


@dataclass(frozen=True)
class Proportion:
    """`hits` of `n` independent samples, n > 0."""

    hits: int
    n: int

    @property
    def basis(self) -> str:
        """The counts in words."""
        return f"{self.hits} of {self.n}"

    @property
    def estimate(self) -> Fraction:
        """The share itself."""
        return Fraction(self.hits, self.n)

    def figure(self, alpha: float | None) -> Figure:
        """The share with its bounds, each erring at most `alpha`; None compares the estimate alone."""
        estimate = ratio(self.hits, self.n)
        if alpha is None:
            return point(estimate, self.n)
        lower, upper = lower_bound(self.hits, self.n, alpha), upper_bound(self.hits, self.n, alpha)
        return Figure(estimate=estimate, lower=floor(lower), upper=ceiling(upper), n=self.n)

    def needed(self, bound: Bound, alpha: float) -> int | None:
        """About how many more samples, right as often as these, would decide the bound."""
        return more_needed(self, bound, alpha)

    def grown(self, n: int) -> Proportion:
        """As many samples as `n`, right as often as these."""
        return Proportion(round(Decimal(self.hits) * n / self.n), n)


@lru_cache(maxsize=4096)
def lower_bound(hits: int, n: int, alpha: float) -> float:
    """The share below which `hits` or more of `n` have a chance of less than alpha."""
    from scipy.special import betaincinv

    return float(betaincinv(hits, n - hits + 1, alpha)) if hits else 0.0


def upper_bound(hits: int, n: int, alpha: float) -> float:
    """The share above which `hits` or fewer of `n` have a chance of less than alpha."""
    return 1.0 - lower_bound(n - hits, n, alpha)
