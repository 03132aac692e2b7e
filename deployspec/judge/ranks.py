"""Which of the ordered values of a sample bound a quantile, whatever the distribution, ties included.

The r-th smallest of n lies above the quantile of a share with the chance of fewer than r heads among n throws of a coin
that falls heads with that share, and below it with the chance of at least r (David and Nagaraja 2003, Order
Statistics, section 7.1). With ties, either chance is smaller.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right


def rank_below(n: int, share: float, alpha: float) -> int | None:
    """The largest rank (1-based) of n that lies above the quantile with a chance of at most alpha, or None."""
    from scipy.special import bdtr

    return bisect_right(range(n), alpha, key=lambda heads: float(bdtr(heads, n, share))) or None


def rank_above(n: int, share: float, alpha: float) -> int | None:
    """The smallest rank (1-based) of n that lies below the quantile with a chance of at most alpha, or None."""
    from scipy.special import bdtrc

    rank = bisect_left(range(n), True, key=lambda heads: float(bdtrc(heads, n, share)) <= alpha) + 1
    return rank if rank <= n else None
