"""The exact unconditional test behind paired drops: the score statistic, and its p-value over all tables.

Of n pairs, `b` were broken and `c` repaired. Tested is H0: P(b) - rho * P(c) >= limit against "below". The score
(b - rho * c - n * limit) / sd, with the nuisance q = P(c) at its maximum likelihood under the limit, orders the
tables; the p-value is the chance of all tables at most as large as the observed one, maximised over q.

Score: Tango 1998, Statistics in Medicine 17:891-908; with rho != 1, Nam and Blackwelder 2002, 21:689-699. It falls
in c and rises in b, so that the maximum over H0 lies on its boundary (Sidik 2003, 22:265-278), where
P(b) = limit + rho * q.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    Floats = np.ndarray[Any, np.dtype[np.float64]]
    Ints = np.ndarray[Any, np.dtype[np.int64]]

_TIE: Final = 1e-9
"""Scores this close are the same score, told apart by rounding only."""

_REACH_SD: Final = 6.0
_REACH: Final = 8.0
"""A sum over b runs over its mean and this many deviations and counts on both sides."""


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


@lru_cache(maxsize=4096)
def p_value(b: int, c: int, n: int, limit: float, rho: float = 1.0) -> float:
    """The exact p-value of H0: P(b) - rho * P(c) >= limit, for -1 < limit < 1.

    The maximum is searched on a grid that is even in standard deviations of c near the edge and geometric beyond,
    then refined around the two largest values.
    """
    fewest = _region(b, c, n, limit, rho)
    low, high = nuisance_range(limit, rho)
    grid = low + np.minimum(_spread(n * (high - low)) / n, high - low)
    chance = _chance(grid, fewest, n, limit, rho)
    peaks = np.argsort(chance)[-2:]
    near = np.linspace(grid[np.maximum(peaks - 1, 0)], grid[np.minimum(peaks + 1, len(grid) - 1)], 13)
    refined = _chance(near.ravel(), fewest, n, limit, rho)
    return float(min(max(chance.max(), refined.max()), 1.0))


def _spread(largest: float) -> Floats:
    """Expected counts from 0 to `largest`: half a deviation apart up to 25, a fifth of themselves beyond."""
    even = (np.arange(0, 21) / 4.0) ** 2
    beyond = np.geomspace(25.0, max(largest, 25.0), max(2, int(np.log(max(largest, 26.0) / 25) / np.log(1.2)) + 2))
    return np.concatenate([even, beyond])


def _region(b: int, c: int, n: int, limit: float, rho: float) -> Ints:
    """For each count of broken samples, the fewest repaired ones whose score is at most the observed one.

    n - b + 1 where there is none. Found by bisection, as the score falls in c.
    """
    observed = score(np.array(b), np.array(c), n, limit, rho) + _TIE
    broken = np.arange(n + 1, dtype=np.int64)
    low, high = np.zeros_like(broken), n - broken + 1
    while np.any(low < high):
        middle = (low + high) // 2
        inside = score(broken.astype(float), middle.astype(float), n, limit, rho) <= observed
        inside |= middle > n - broken
        low, high = np.where(inside, low, middle + 1), np.where(inside, middle, high)
    return low


def _chance(q: Floats, fewest: Ints, n: int, limit: float, rho: float) -> Floats:
    """The chance of the region for each q: over b, the chance of b times that of enough c given b.

    What lies outside the summed window of b is added whole, so that it can only make the p-value larger.
    """
    from scipy.special import bdtr, bdtrc, betainc

    p_b = np.clip(limit + rho * q, 0.0, 1.0)
    reach = _REACH + _REACH_SD * np.sqrt(n * p_b * (1 - p_b))
    first = np.clip(np.floor(n * p_b - reach), 0, n)
    last = np.clip(np.ceil(n * p_b + reach), 0, n)
    outside = np.where(first > 0, bdtr(first - 1, n, p_b), 0.0) + np.where(last < n, bdtrc(last, n, p_b), 0.0)
    b = first[:, None] + np.arange(int((last - first).max()) + 1)
    inside = b <= last[:, None]
    b = np.minimum(b, n)
    c = fewest[b.astype(np.int64)]
    share = np.clip(q / np.maximum(1 - p_b, 1e-300), 0.0, 1.0)[:, None]
    tail = betainc(np.maximum(c, 1), np.maximum(n - b - c + 1, 1), share)
    tail = np.where(c == 0, 1.0, np.where(c > n - b, 0.0, tail))
    return np.asarray(np.where(inside, _binomial(b, n, p_b[:, None]) * tail, 0.0).sum(axis=1) + outside)


def _binomial(k: Floats, n: int, p: Floats) -> Floats:
    """The chance of exactly k of n."""
    from scipy.special import gammaln, xlog1py, xlogy

    return np.asarray(np.exp(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1) + xlogy(k, p) + xlog1py(n - k, -p)))
