"""Drops between paired outcomes: an exact non-inferiority test and its inversion, Tango's interval for large tables.

A drop in percentage points is P(broken) - P(repaired) over all samples. A drop relative to the reference asks
whether b - c - limit * (reference correct) is below 0, which is b - (1 - limit) * c - limit * m below 0 among the
m samples that at least one of the two gets right; the others say nothing of it. Given m it is therefore tested as
P(broken) - (1 - limit) * P(repaired) against the limit.

The upper bound, which a pass rests on, is exact. Where limit * n reaches 100 (with two bands, the smaller limit), the
score's normal distribution stands in for the exact one (Tango 1998). The lower bound, which a fail rests on, is
Tango's throughout: near the edge it errs up to 15 % at a nominal 5 % for three samples and up to 9.5 % from five on,
and a false fail costs another look, never a release.

McNemar's test asks whether there is any difference, which is another question; it never decides a drop.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Final

import numpy as np

from deployspec.ir.evidence import NotMeasured
from deployspec.judge.decide import samples_needed
from deployspec.judge.figure import Figure, ceiling, floor, point, ratio
from deployspec.judge.unconditional import p_value, score

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    from deployspec.ir.budget import Budget
    from deployspec.ir.evidence import PairedOutcomes
    from deployspec.units import Bound

NOTHING_TO_LOSE: Final = "the reference gets no sample right, so there is nothing to lose"

EXACT_BELOW: Final = 100
"""The exact test is used while limit * n is below this."""

EXACT_AT_MOST: Final = 200_000
"""Beyond this many pairs the score's normal distribution is used whatever the limit, to bound time and memory."""

_PLANNED_EXACTLY: Final = 2000
"""Beyond this many samples a plan for a larger split uses the normal distribution: it says "about" anyway."""

_FAR: Final = 8.0
"""A probit beyond all doubt: what stands in for an end that was not evaluated."""

_CLOSE: Final = 1e-5
"""How close the search comes to the edge of a bound; what it returns is the outer side."""


@dataclass(frozen=True)
class Paired:
    """`broken` and `repaired` of `n` pairs, and the limit on the drop that will be asked about, or both of two bands.

    For a relative drop `n` counts the pairs that at least one of the two gets right.
    """

    broken: int
    repaired: int
    n: int
    limit: Decimal
    relative: bool = False
    good: Decimal | None = None

    @property
    def basis(self) -> str:
        """The counts in words."""
        whole = "that at least one gets right" if self.relative else "samples"
        return f"{self.broken} broken and {self.repaired} repaired of {self.n} {whole}"

    @property
    def estimate(self) -> Decimal:
        """The drop: a difference of shares, or that difference as a share of the reference's."""
        return ratio(self.broken - self.repaired, self.n - self.repaired if self.relative else self.n)

    @property
    def exact(self) -> bool:
        """Whether the table is small enough for the exact test."""
        return min(map(abs, self.asked)) * self.n < EXACT_BELOW and self.n <= EXACT_AT_MOST

    @property
    def asked(self) -> tuple[Decimal, ...]:
        """The limits that the drop is compared with."""
        return (self.limit,) if self.good is None else (self.limit, self.good)

    def figure(self, alpha: float | None) -> Figure:
        """The drop with the limits at which the test of either side just rejects at `alpha`; outward to the grid."""
        return point(self.estimate, self.n) if alpha is None else _bounded(self, alpha)

    def needed(self, bound: Bound, alpha: float) -> int | None:
        """About how many more pairs with these shares would decide; None at an estimate on the limit itself."""
        if self.estimate == bound.limit:
            return None
        below, limit = self.estimate < bound.limit, float(bound.limit)
        test = p_value_below if below else p_value_above
        exact_up_to = _PLANNED_EXACTLY if below else 0
        size = samples_needed(lambda n: test(self._grown(n), limit, exact=n <= exact_up_to) <= alpha, self.n)
        return None if size is None else size - self.n

    def _grown(self, n: int) -> Paired:
        return replace(self, broken=round(self.broken * n / self.n), repaired=round(self.repaired * n / self.n), n=n)


def paired_drop(outcomes: PairedOutcomes, budget: Budget) -> Paired | NotMeasured:
    """The pairs that a drop rests on: all, or for a relative drop those that at least one of the two gets right."""
    limit, good = budget.limit, budget.inner
    if not limit.relative:
        return Paired(outcomes.broken, outcomes.repaired, outcomes.n, limit=limit.limit, good=good)
    if not outcomes.reference_right:
        return NotMeasured(reason=NOTHING_TO_LOSE)
    n = outcomes.n - outcomes.neither
    return Paired(outcomes.broken, outcomes.repaired, n, limit=limit.limit, relative=True, good=good)


def p_value_below(sample: Paired, limit: float, *, exact: bool) -> float:
    """The p-value of H0 "the drop is at least `limit`": a small one proves a smaller drop."""
    rho = 1 - limit if sample.relative else 1.0
    return _p_value(sample.broken, sample.repaired, sample.n, limit, rho, exact=exact)


def p_value_above(sample: Paired, limit: float, *, exact: bool) -> float:
    """The p-value of H0 "the drop is at most `limit`": the same test with the sides exchanged."""
    if limit >= 1:
        return 1.0
    rho = 1 - limit if sample.relative else 1.0
    return _p_value(sample.repaired, sample.broken, sample.n, -limit / rho, 1 / rho, exact=exact)


def _p_value(b: int, c: int, n: int, limit: float, rho: float, *, exact: bool) -> float:
    """The p-value of H0: P(broken) - rho * P(repaired) >= limit, also where only a table at the edge can meet it."""
    from scipy.special import ndtr

    if limit >= 1:
        return float(limit == 1 and b == n)
    if limit <= -rho:
        return 1.0
    return p_value(b, c, n, limit, rho) if exact else float(ndtr(score(np.array(b), np.array(c), n, limit, rho)))


@lru_cache(maxsize=4096)
def _bounded(sample: Paired, alpha: float) -> Figure:
    lower = _bound(partial(p_value_above, sample), alpha, sample, end=-1.0, exact=False)
    upper = _bound(partial(p_value_below, sample), alpha, sample, end=1.0, exact=sample.exact)
    return Figure(
        estimate=sample.estimate,
        lower=None if lower is None else floor(lower),
        upper=None if upper is None else ceiling(upper),
        n=sample.n,
    )


def _bound(p_of: Callable[..., float], alpha: float, sample: Paired, *, end: float, exact: bool) -> float | None:
    """The limit nearest to the estimate, towards `end`, that the test rejects; None if it rejects none.

    The limits in question are tried first, so that the bound and the test at a limit say the same; Tango's bound,
    which is cheap and close, is tried next.
    """
    estimate, limits = float(sample.estimate), tuple(map(float, sample.asked))
    if sample.relative and end < 0 and (estimate <= end or p_of(end, exact=exact) > alpha):
        return None  # the artifact may be more than twice as good: a relative drop has no lower end
    tango = _edge(partial(p_of, exact=False), alpha, (estimate, end), limits)
    if not exact:
        return tango
    closed = any(tango < limit for limit in limits)  # a limit closes the search by itself
    beyond = () if closed else (estimate + (tango - estimate) * 1.1,)
    return _edge(partial(p_of, exact=True), alpha, (estimate, end), (*limits, tango, *beyond))


def _edge(
    p_of: Callable[[float], float], alpha: float, between: tuple[float, float], tries: tuple[float, ...]
) -> float:
    """Where p falls to alpha on the way from an estimate to an end, on the side of the end and within `_CLOSE`.

    A false position search (Illinois) on the probit of p, which is nearly a line. The end counts as rejected.
    """
    from scipy.special import ndtri

    def excess(at: float) -> float:
        return float(np.clip(ndtri(p_of(at)) - ndtri(alpha), -_FAR, _FAR))

    (inner, outer), above, below, was_inner = between, _FAR, -_FAR, None
    first = [at for at in tries if min(between) < at < max(between)]
    while abs(outer - inner) > _CLOSE:
        at = first.pop(0) if first else inner + (outer - inner) * above / (above - below)
        if not min(inner, outer) < at < max(inner, outer):
            at = (inner + outer) / 2
        value = excess(at)
        if is_inner := value > 0:
            inner, above, below = at, value, below / 2 if was_inner else below
        else:
            outer, below, above = at, value, above / 2 if was_inner is False else above
        was_inner = is_inner
    return outer
