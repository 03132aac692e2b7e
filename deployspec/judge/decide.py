"""From bounds and a limit to an outcome: the one rule that every method shares.

A limit holds when the bound on the figure's bad side satisfies it, is broken when the bound on the good side
violates it, and is undecided between. Each bound errs at most alpha; since every budget must hold for a
release, a false release is an intersection-union test, and the whole keeps the level alpha without correction
(Berger 1982, Technometrics 24:295-300; Berger and Hsu 1996, Statistical Science 11:283-319). Not controlled are false
fails of the whole, figures judged as a point, waivers, the choice among candidates, samples added after an
inconclusive verdict, and running again until it passes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from deployspec.ir.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from deployspec.ir.budget import Budget
    from deployspec.ir.evidence import Rules
    from deployspec.judge.figure import Figure
    from deployspec.units import Bound

MOST_SAMPLES: Final = 10**8
"""A test split larger than this is no way out, so the search for one stops here."""


class Growing(Protocol):
    """What a figure rests on, and the same of another size."""

    @property
    def n(self) -> int:
        """The number of samples."""

    def figure(self, alpha: float | None) -> Figure:
        """The figure with its bounds, each erring at most `alpha`."""

    def grown(self, n: int) -> Growing:
        """As many samples as `n`, of the same mixture."""


def alpha_of(rules: Rules) -> float | None:
    """The error that each bound may have, None when estimates are compared alone."""
    return None if rules.confidence is None else float(1 - rules.confidence)


def holds(figure: Figure, bound: Bound) -> bool | None:
    """Whether the bound is proven (True), disproven (False) or neither (None)."""
    above = bound.comparator.bounds_above
    bad, good = (figure.upper, figure.lower) if above else (figure.lower, figure.upper)
    if bad is not None and bound.holds(bad):
        return True
    if good is not None and not bound.holds(good):
        return False
    return None


def decide(figure: Figure, budget: Budget) -> Outcome:
    """The outcome of one budget; proven within the limit but not within the inner band is a warning."""
    within = holds(figure, budget.limit)
    if within is None:
        return Outcome.INCONCLUSIVE
    if not within:
        return Outcome.FAIL
    return Outcome.PASS if budget.good is None or holds(figure, budget.good) else Outcome.WARN


def settled(figure: Figure, budget: Budget) -> bool:
    """Whether more evidence of the same kind could add nothing: the limit is broken, or each band is decided."""
    within = holds(figure, budget.limit)
    if within and budget.good is not None:
        return holds(figure, budget.good) is not None
    return within is not None


def samples_needed(decides: Callable[[int], bool], n: int) -> int | None:
    """About the smallest size above `n` at which `decides`, or None when no split of a sane size would.

    Sizes are doubled until one decides, then halved back to within half a percent: a plan for a fresh sample.
    """
    low, high = n, 2 * n
    while not decides(high):
        low, high = high, 2 * high
        if high > MOST_SAMPLES:
            return None
    while high - low > max(1, high // 200):
        middle = (low + high) // 2
        low, high = (low, middle) if decides(middle) else (middle, high)
    return high


def more_needed(sample: Growing, bound: Bound, alpha: float) -> int | None:
    """About how many more samples of the same mixture would decide the bound."""
    size = samples_needed(lambda n: holds(sample.grown(n).figure(alpha), bound) is not None, sample.n)
    return None if size is None else size - sample.n
