"""Ranks that bound a quantile."""

from __future__ import annotations

import pytest
from scipy.stats import binom

from deployspec.judge import LOOKS
from deployspec.judge.ranks import rank_above, rank_below


@pytest.mark.parametrize("share", [0.5, 0.95])
@pytest.mark.parametrize("n", [1, 5, *LOOKS, 20, 58, 59, 100, 1000])
@pytest.mark.parametrize("alpha", [0.2, 0.05, 0.05 / 3, 0.001])
def test_ranks_are_the_tightest_that_scipy_allows(n: int, share: float, alpha: float) -> None:
    below = [rank for rank in range(1, n + 1) if binom.cdf(rank - 1, n, share) <= alpha]
    above = [rank for rank in range(1, n + 1) if binom.sf(rank - 1, n, share) <= alpha]
    assert rank_below(n, share, alpha) == (below[-1] if below else None)
    assert rank_above(n, share, alpha) == (above[0] if above else None)


def test_the_largest_of_six_errs_one_in_64() -> None:
    assert rank_above(6, 0.5, 1 / 64) == 6
    assert rank_above(6, 0.5, 1 / 65) is None
