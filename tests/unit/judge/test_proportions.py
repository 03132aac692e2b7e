"""Clopper-Pearson and F1 against scipy.stats, statsmodels and the definition."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from sample_evidence import budget
from scipy.stats import binom, binomtest
from statsmodels.stats.proportion import proportion_confint

from deployspec.judge.decide import holds
from deployspec.judge.jaccard import Overlap
from deployspec.judge.proportions import Proportion, lower_bound, upper_bound

SIZES = (1, 2, 10, 30, 45, 100, 1000)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("alpha", [0.5, 0.05, 0.01])
def test_bounds_are_those_of_scipy_and_statsmodels(n: int, alpha: float) -> None:
    for hits in {0, 1, n // 2, n - 1, n}:
        mine = lower_bound(hits, n, alpha), upper_bound(hits, n, alpha)
        assert mine[0] == pytest.approx(binomtest(hits, n, alternative="greater").proportion_ci(1 - alpha).low)
        assert mine[1] == pytest.approx(binomtest(hits, n, alternative="less").proportion_ci(1 - alpha).high)
        if alpha < 0.5:
            assert mine == pytest.approx(proportion_confint(hits, n, 2 * alpha, method="beta"))


@pytest.mark.parametrize("n", [10, 30, 100])
@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
def test_the_true_error_never_exceeds_the_nominal(n: int, share: float) -> None:
    chances = binom.pmf(np.arange(n + 1), n, share)
    figures = [Proportion(hits, n).figure(0.05) for hits in range(n + 1)]
    too_high = sum(chance for chance, each in zip(chances, figures, strict=True) if each.lower > Decimal(share))
    too_low = sum(chance for chance, each in zip(chances, figures, strict=True) if each.upper < Decimal(share))
    assert max(too_high, too_low) <= 0.05


def test_bounds_are_rounded_outward() -> None:
    figure = Proportion(1, 3).figure(0.05)
    assert float(figure.lower) <= lower_bound(1, 3, 0.05) < float(figure.lower) + 1e-6
    assert float(figure.upper) - 1e-6 < upper_bound(1, 3, 0.05) <= float(figure.upper)


def test_one_of_one_proves_no_floor_of_20_percent_and_none_of_none_right_has_a_lower_bound_of_zero() -> None:
    assert holds(Proportion(1, 1).figure(0.05), budget("accuracy", "> 20 %").limit) is None
    assert Proportion(0, 10).figure(0.05).lower == 0
    assert Proportion(10, 10).figure(0.05).upper == 1


def test_a_point_is_compared_with_every_digit() -> None:
    two_thirds = Proportion(2, 3).figure(None)
    assert holds(two_thirds, budget("accuracy", "> 66.66666666 %").limit) is True
    assert holds(two_thirds, budget("accuracy", ">= 66.66666667 %").limit) is False


@pytest.mark.parametrize(("hits", "n", "floor"), [(45, 50, "85 %"), (5, 5, "99 %"), (3, 10, "25 %"), (0, 4, "10 %")])
def test_the_number_of_samples_needed_is_about_the_smallest(hits: int, n: int, floor: str) -> None:
    bound = budget("accuracy", f">= {floor}").limit
    more = Proportion(hits, n).needed(bound, 0.05)
    assert more is not None
    decides = [
        size for size in range(n, n + more + 1)
        if holds(Proportion(round(hits * size / n), size).figure(0.05), bound) is not None
    ]  # fmt: skip
    assert decides
    assert decides[-1] == n + more
    assert all(size >= 0.9 * (n + more) for size in decides)


def test_no_number_of_samples_decides_an_estimate_on_the_limit() -> None:
    assert Proportion(9, 10).needed(budget("accuracy", ">= 90 %").limit, 0.05) is None
    assert Proportion(10, 10).needed(budget("accuracy", ">= 100 %").limit, 0.05) is None


def test_f1_follows_from_precision_and_recall_and_its_bounds_from_the_jaccard_index() -> None:
    precision, recall = 30 / 36, 30 / 40
    figure = Overlap(30, missed=10, false_alarms=6).figure(0.05)
    assert float(figure.estimate) == pytest.approx(2 * precision * recall / (precision + recall))
    low, high = proportion_confint(30, 46, 0.1, method="beta")
    assert float(figure.lower) <= 2 * low / (1 + low) < float(figure.lower) + 1e-6
    assert float(figure.upper) - 1e-6 < 2 * high / (1 + high) <= float(figure.upper)
