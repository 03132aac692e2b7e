"""The exact unconditional test behind paired drops: the score statistic, and its p-value over all tables.

Of n pairs, `b` were broken and `c` repaired. Tested is H0: P(b) - rho * P(c) >= limit against "below". The score
(b - rho * c - n * limit) / sd, with the nuisance q = P(c) at its maximum likelihood under the limit, orders the
tables; the p-value is the chance of all tables at most as large as the observed one, maximised over every q that c
leaves possible, plus the chance that q is none of these (Berger and Boos 1994, JASA 89:1012-1016).

Score: Tango 1998, Statistics in Medicine 17:891-908; with rho != 1, Nam and Blackwelder 2002, 21:689-699. It falls
in c and rises in b, so that for each q the maximum over H0 lies on its boundary (Sidik 2003, 22:265-278), where
P(b) = limit + rho * q.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    Floats = np.ndarray[Any, np.dtype[np.float64]]
    Ints = np.ndarray[Any, np.dtype[np.int64]]

BEYOND: Final = 1e-9
"""The chance that the true q is outside the interval that is searched. It is added to every p-value."""

_TIE: Final = 1e-9
"""Scores this close are the same score, told apart by rounding only."""

_REACH_SD: Final = 6.0
_REACH: Final = 8.0
"""A sum over b runs over its mean and this many deviations and counts on both sides."""

_STEP: Final = 0.25
"""Square roots of n * q are searched this far apart: half a standard deviation of c."""


def score(b: Floats, c: Floats, n: int, limit: float, rho: float = 1.0) -> Floats:
    """The score statistic, elementwise; negative speaks for a drop below the limit."""
    squared = rho * (1 + rho) * n
    linear = (b + c) * rho * (1 - limit) - (n - b) * (1 + rho) * limit
    root = np.sqrt(np.maximum(linear**2 + 4 * squared * c * limit * (1 - limit), 0.0))
    q = np.clip((linear + root) / (2 * squared), *nuisance_range(limit, rho))
    variance = np.maximum(n * (limit * (1 - limit) + rho * (1 + rho) * q), 0.0)
    distance = b - rho * c - n * limit
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(distance == 0, 0.0, distance / np.sqrt(variance))


def nuisance_range(limit: float, rho: float) -> tuple[float, float]:
    """The values of q = P(c) that the boundary of H0 leaves."""
    return max(0.0, -limit / rho), (1 - limit) / (1 + rho)


def searched_range(c: int, n: int, limit: float, rho: float) -> tuple[float, float]:
    """The part of `nuisance_range` where c is likely: the Clopper-Pearson interval of q that misses it in `BEYOND`."""
    from scipy.special import betaincinv

    low, high = nuisance_range(limit, rho)
    least = betaincinv(c, n - c + 1, BEYOND / 2) if c else 0.0
    most = betaincinv(c + 1, n - c, 1 - BEYOND / 2) if c < n else 1.0
    return float(np.clip(least, low, high)), float(np.clip(most, low, high))


@lru_cache(maxsize=4096)
def p_value(b: int, c: int, n: int, limit: float, rho: float = 1.0) -> float:
    """The exact p-value of H0: P(b) - rho * P(c) >= limit, for -1 < limit < 1.

    The maximum is searched on a grid that is even in standard deviations of c, then around its two largest values.
    """
    grid = _grid(c, n, limit, rho)
    fewest = _region(b, c, n, limit, rho, _window(grid, n, limit, rho)[1].max())
    chance = _chance(grid, fewest, n, limit, rho)
    peaks = np.argsort(chance)[-2:]
    near = np.linspace(grid[np.maximum(peaks - 1, 0)], grid[np.minimum(peaks + 1, len(grid) - 1)], 13)
    refined = _chance(near.ravel(), fewest, n, limit, rho)
    return float(min(max(chance.max(), refined.max()) + BEYOND, 1.0))


def _grid(c: int, n: int, limit: float, rho: float) -> Floats:
    """Values of q from end to end of the searched range, closer to each other where c, or what is left, is small."""
    low, high = nuisance_range(limit, rho)
    shares = (np.array(searched_range(c, n, limit, rho)) - low) / (high - low)
    first, last = np.arcsin(np.sqrt(shares))
    angles = np.linspace(first, last, int((last - first) * np.sqrt(n * (high - low)) / _STEP) + 2)
    return np.asarray(low + (high - low) * np.sin(angles) ** 2)


def _region(b: int, c: int, n: int, limit: float, rho: float, most: int) -> Ints:
    """For each count of broken samples up to `most`, the fewest repaired whose score is at most the observed one.

    n - b + 1 where there is none. Found by bisection, as the score falls in c.
    """
    observed = score(np.array(b), np.array(c), n, limit, rho) + _TIE
    broken = np.arange(most + 1, dtype=np.int64)
    low, high = np.zeros_like(broken), n - broken + 1
    while np.any(low < high):
        middle = (low + high) // 2
        inside = score(broken.astype(float), middle.astype(float), n, limit, rho) <= observed
        inside |= middle > n - broken
        low, high = np.where(inside, low, middle + 1), np.where(inside, middle, high)
    return low


def _window(q: Floats, n: int, limit: float, rho: float) -> tuple[Ints, Ints]:
    """For each q, the first and the last count of broken samples that a sum runs over."""
    p_b = np.clip(limit + rho * q, 0.0, 1.0)
    reach = _REACH + _REACH_SD * np.sqrt(n * p_b * (1 - p_b))
    first, last = np.floor(n * p_b - reach), np.ceil(n * p_b + reach)
    return np.clip(first, 0, n).astype(np.int64), np.clip(last, 0, n).astype(np.int64)


def _chance(q: Floats, fewest: Ints, n: int, limit: float, rho: float) -> Floats:
    """The chance of the region for each q: over b, the chance of b times that of enough c given b.

    What lies outside the summed window of b is added whole, so that it can only make the p-value larger.
    """
    from scipy.special import bdtr, bdtrc, betainc

    p_b = np.clip(limit + rho * q, 0.0, 1.0)
    first, last = _window(q, n, limit, rho)
    outside = np.where(first > 0, bdtr(first - 1, n, p_b), 0.0) + np.where(last < n, bdtrc(last, n, p_b), 0.0)
    of, b = _ranges(first, last)
    possible = fewest[b] <= n - b
    of, b = of[possible], b[possible]
    c = fewest[b]
    share = np.clip(q / np.maximum(1 - p_b, 1e-300), 0.0, 1.0)[of]
    tail = np.where(c == 0, 1.0, betainc(np.maximum(c, 1), n - b - c + 1, share))
    return np.asarray(np.bincount(of, _binomial(b, n, p_b[of]) * tail, len(q)) + outside)


def _ranges(first: Ints, last: Ints) -> tuple[Ints, Ints]:
    """The integers of every range from `first` to `last`, one range after the other, after the index of each range."""
    widths = last - first + 1
    ends = np.cumsum(widths)
    of = np.repeat(np.arange(len(widths)), widths)
    return of, np.arange(ends[-1]) - (ends - widths - first)[of]


def _binomial(k: Ints, n: int, p: Floats) -> Floats:
    """The chance of exactly k of n."""
    from scipy.special import gammaln, xlog1py, xlogy

    return np.asarray(np.exp(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1) + xlogy(k, p) + xlog1py(n - k, -p)))
