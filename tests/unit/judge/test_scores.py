"""Scores: estimates against numpy and scikit-learn, ranks against scipy, and what bounds must and must not prove."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sample_evidence import budget, measured, own_budget, rules, scores, verdict
from sklearn.metrics import mean_absolute_error, root_mean_squared_error

from deployspec.ir.evidence import Aggregate, Scores
from deployspec.ir.verdict import Outcome
from deployspec.judge.decide import holds
from deployspec.judge.proportions import lower_bound
from deployspec.judge.scores import Change, Drawn, Quantile, _means

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from deployspec.ir.budget import Budget
    from deployspec.ir.verdict import Verdict

ALPHA = 0.05
GENERATOR = np.random.default_rng(7)
Y, BEFORE = GENERATOR.normal(10, 3, 300), GENERATOR.normal(0, 1, 300)
ERRORS, WORSE = np.abs(BEFORE), np.abs(BEFORE + 0.05)


def mae(asked: Budget, artifact: Sequence[float], reference: Sequence[float] | None = None) -> Verdict:
    return verdict(asked, [measured("absolute_error", scores(artifact, reference), split="test")])


def rmse(asked: Budget, artifact: Sequence[float], reference: Sequence[float] | None = None) -> Verdict:
    found = scores(np.square(artifact), np.square(artifact if reference is None else reference), Aggregate.ROOT_MEAN)
    return verdict(asked, [measured("squared_error", found, split="test")])


def wer(asked: Budget, found: Scores) -> Verdict:
    return verdict(asked, [measured("metrics.wer", found, split="test")])


def test_errors_are_those_of_scikit_learn() -> None:
    told = mae(budget("mae", "< 2"), ERRORS)
    assert float(told.estimate or 0) == pytest.approx(mean_absolute_error(Y, Y + BEFORE), rel=1e-5)
    told = rmse(budget("rmse", "< 2"), ERRORS)
    assert float(told.estimate or 0) == pytest.approx(root_mean_squared_error(Y, Y + BEFORE), rel=1e-5)


def test_rises_are_absolute_in_the_targets_own_unit_or_a_share_of_the_references() -> None:
    before, after = mean_absolute_error(Y, Y + BEFORE), mean_absolute_error(Y, Y + BEFORE + 0.05)
    told = mae(budget("mae_rise", "< 0.5"), WORSE, ERRORS)
    assert (float(told.estimate or 0), told.unit) == (pytest.approx(after - before, abs=2e-6), "number")
    told = mae(budget("mae_rise", "< 20 %"), WORSE, ERRORS)
    assert (float(told.estimate or 0), told.unit) == (pytest.approx(after / before - 1, abs=2e-6), "%")
    before, after = root_mean_squared_error(Y, Y + BEFORE), root_mean_squared_error(Y, Y + BEFORE + 0.05)
    told = rmse(budget("rmse_rise", "< 20 %"), WORSE, ERRORS)
    assert float(told.estimate or 0) == pytest.approx(after / before - 1, abs=2e-6)


def test_the_reason_tells_both_figures_and_what_decided() -> None:
    assert mae(budget("mae", "< 1"), ERRORS).reason == (
        "mae: mean 0.7407 over 300 samples; at 95 % confidence at most 0.8238, the ceiling is 1"
    )
    found = mae(budget("mae_rise", "< 20 %"), WORSE, ERRORS)
    assert found.reason.startswith("mae rise: mean 0.7331, the reference's 0.7407, over 300 samples; at 95 % ")


@pytest.mark.parametrize(("aggregate", "expected"), [(Aggregate.MEDIAN, 50.5), (Aggregate.P95, 95)])
def test_quantiles_of_a_hundred(aggregate: Aggregate, expected: float) -> None:
    found = wer(own_budget("wer", "< 200"), scores(np.random.default_rng(1).permutation(100) + 1, aggregate=aggregate))
    assert found.estimate == Decimal(str(expected))


def test_a_95th_percentile_has_an_upper_bound_from_59_samples() -> None:
    for n, expected in ((58, None), (59, Decimal(59))):
        figure = Quantile(scores(range(1, n + 1), aggregate=Aggregate.P95)).figure(ALPHA)
        assert figure.upper == expected


def test_ties_are_ties() -> None:
    figure = Quantile(scores([2.0] * 30 + [3.0] * 30, aggregate=Aggregate.MEDIAN)).figure(ALPHA)
    assert (figure.estimate, figure.lower, figure.upper) == (Decimal("2.5"), 2, 3)
    same = Drawn(scores([2.0] * 60, aggregate=Aggregate.MEDIAN), Change(1), 0).figure(ALPHA)
    assert (same.estimate, same.lower, same.upper) == (0, 0, 0)


def test_of_scores_that_are_0_or_1_the_lower_bound_is_clopper_and_pearsons() -> None:
    for ones, n in ((45, 50), (50, 50), (3, 200)):
        figure = Drawn(scores([1.0] * ones + [0.0] * (n - ones)), Change(), 0).figure(ALPHA)
        assert float(figure.lower or -1) == pytest.approx(lower_bound(ones, n, ALPHA), abs=0.006)


@pytest.mark.parametrize("n", [1, 2, 19])
@pytest.mark.parametrize("limit", ["< 1000", "< 0.1"])
def test_a_few_equal_scores_prove_nothing(n: int, limit: str) -> None:
    for found in (mae(budget("mae", limit), [0.2] * n), mae(budget("mae_rise", limit), [0.2] * n)):
        assert (found.verdict, found.lower, found.upper) == (Outcome.INCONCLUSIVE, None, None)
        assert f"about {20 - n} more such samples would decide it" in found.reason


def test_one_sample_proves_nothing_even_at_a_confidence_of_one_half() -> None:
    alone = [measured("absolute_error", scores([0.2]), split="test")]
    assert verdict(budget("mae", "< 1000"), alone, rules("0.5")).verdict is Outcome.INCONCLUSIVE
    assert verdict(budget("mae", "< 1000"), alone, rules(None)).verdict is Outcome.PASS


def test_equal_scores_leave_room_for_one_that_differs() -> None:
    room = [Drawn(scores([0.2] * n), Change(), 0).figure(ALPHA) for n in (20, 200, 2000)]
    widths = [each.upper - each.estimate for each in room if each.upper is not None]
    assert widths[0] > 9 * widths[1] > 81 * widths[2] > 0


@pytest.mark.parametrize("n", [1, 20, 5000])
def test_scores_that_are_all_zero_tell_of_no_reach_and_prove_nothing(n: int) -> None:
    for metric in ("mae", "mae_rise"):
        found = mae(budget(metric, "< 1"), [0.0] * n)
        assert (found.verdict, found.estimate, found.upper) == (Outcome.INCONCLUSIVE, 0, None)


def test_an_unchanged_artifact_is_no_worse_for_sure_only_when_there_are_enough_samples() -> None:
    asked = budget("mae_rise", "< 5 %")
    assert mae(asked, ERRORS[:60]).verdict is Outcome.INCONCLUSIVE
    assert mae(asked, np.tile(ERRORS, 3)).verdict is Outcome.PASS
    assert mae(asked, np.tile(ERRORS, 3) * 1.4, np.tile(ERRORS, 3)).verdict is Outcome.FAIL


def test_pairs_prove_what_two_means_could_not() -> None:
    """The interval of one mean by itself is wider than the change that is proven."""
    many = np.tile(ERRORS, 20)
    rise, alone = mae(budget("mae_rise", "< 0.013"), many + 0.01, many), mae(budget("mae", "< 2"), many)
    assert rise.verdict is Outcome.PASS
    assert (alone.upper or 0) - (alone.lower or 0) > Decimal("0.02")


def test_a_metric_that_is_better_when_higher_drops() -> None:
    before = np.random.default_rng(2).uniform(0.7, 0.9, 500)
    for limit, expected in (("< 0.2", Outcome.PASS), ("< 0.05", Outcome.FAIL)):
        asked = own_budget("wer_drop", limit, changes="wer")
        found = wer(asked, scores(before - 0.1, before))
        assert (found.verdict, float(found.estimate or 0)) == (expected, pytest.approx(0.1, abs=1e-6))
    floor = own_budget("wer", "> 0.6", ceiling=False)
    assert wer(floor, scores(before)).verdict is Outcome.PASS


@pytest.mark.parametrize("aggregate", [Aggregate.MEDIAN, Aggregate.P95])
def test_the_change_of_a_quantile_is_judged_in_pairs(aggregate: Aggregate) -> None:
    before = np.random.default_rng(3).gamma(2, 1, 1500)
    after = before * 1.02
    for limit, expected in (("< 15 %", Outcome.PASS), ("< 2.01 %", Outcome.INCONCLUSIVE)):
        found = wer(own_budget("wer_rise", limit, changes="wer"), scores(after, before, aggregate))
        assert (found.verdict, float(found.estimate or 0)) == (expected, pytest.approx(0.02, abs=1e-5))
    worse = wer(own_budget("wer_rise", "< 15 %", changes="wer"), scores(before * 1.5, before, aggregate))
    assert worse.verdict is Outcome.FAIL


def test_the_change_of_a_95th_percentile_has_bounds_from_about_59_samples() -> None:
    asked = own_budget("wer_rise", "< 1", changes="wer")
    found = wer(asked, scores(range(1, 31), aggregate=Aggregate.P95))
    assert (found.verdict, found.upper) == (Outcome.INCONCLUSIVE, None)
    assert "as a fresh split with 284 of them" in found.reason
    assert wer(asked, scores(range(1, 71), aggregate=Aggregate.P95)).upper is not None


@pytest.mark.parametrize("aggregate", [Aggregate.MEAN, Aggregate.MEDIAN])
def test_a_drop_is_the_rise_of_the_negated_scores(aggregate: Aggregate) -> None:
    down = Drawn(scores(WORSE, ERRORS, aggregate), Change(-1), 0).figure(ALPHA)
    up = Drawn(scores(-WORSE, -ERRORS, aggregate), Change(1), 0).figure(ALPHA)
    assert (down.lower, down.estimate, down.upper) == (up.lower, up.estimate, up.upper)
    assert down.lower < down.estimate < down.upper


def test_an_unseen_sample_may_lie_beyond_what_either_model_scores() -> None:
    assert mae(budget("mae", "< 2"), [1] * 100).verdict is Outcome.PASS
    assert mae(budget("mae_rise", "< 0.5"), [0] * 300, ERRORS).verdict is Outcome.PASS, "the reference tells of a reach"
    assert mae(budget("mae", "< 2"), [1] * 100, [1] * 99 + [100]).verdict is Outcome.INCONCLUSIVE


def test_a_mean_square_that_an_unseen_sample_takes_below_nothing_has_the_root_of_nothing() -> None:
    squares = [100.0] + [0.01] * 19
    (mean, _), _ = _means(scores(squares), 0, paired=True)
    (root, _), _ = _means(scores(squares, aggregate=Aggregate.ROOT_MEAN), 0, paired=True)
    assert mean.min() < 0
    assert np.square(root) == pytest.approx(np.maximum(mean, 0))


def test_no_share_of_a_reference_that_is_zero_somewhere_or_of_either_sign() -> None:
    asked = own_budget("wer_rise", "< 5 %", changes="wer")
    for reference in ([0.0] * 30, [-1.0] * 15 + [1.0] * 15):
        found = wer(asked, scores([1.0] * 30, reference))
        assert found.verdict is Outcome.NOT_MEASURED
        assert "write the limit as a bare number" in found.reason
    assert wer(asked, scores([-2.0] * 500, [-2.0] * 500)).estimate == 0


def test_an_empty_split_is_not_measured() -> None:
    assert mae(budget("mae", "< 1"), []).verdict is Outcome.NOT_MEASURED


def test_tiny_scores_are_told_to_six_digits() -> None:
    found = mae(budget("mae", "< 0.00000001"), ERRORS * 1e-9)
    assert found.verdict is Outcome.PASS
    assert found.estimate is not None
    assert float(found.estimate) == pytest.approx(ERRORS.mean() * 1e-9, rel=1e-5)
    assert found.estimate < (found.upper or 0) < Decimal("1e-9")


def test_the_stream_is_pinned_to_the_digit() -> None:
    """Another version of numpy must derive the same verdicts from the same report."""
    told = [
        Drawn(scores(range(50, 250), range(49, 249), aggregate), Change(1, relative=True), 3).figure(ALPHA)
        for aggregate in (Aggregate.MEAN, Aggregate.MEDIAN)
    ]
    assert [(each.lower, each.upper) for each in told] == PINNED


PINNED = [(Decimal("-0.019117"), Decimal("0.032433")), (Decimal("-0.019608"), Decimal("0.033558"))]


def test_the_number_of_samples_needed_is_about_where_these_scores_would_decide() -> None:
    asked = budget("mae", "< 0.79")
    more = Drawn(scores(ERRORS), Change(), 0).needed(asked.limit, ALPHA)
    assert more is not None
    for factor, expected in ((0.7, Outcome.INCONCLUSIVE), (1.3, Outcome.PASS)):
        spread = np.resize(ERRORS, int(factor * (300 + more)))
        assert mae(asked, spread).verdict is expected
    quantile = Quantile(scores(ERRORS, aggregate=Aggregate.MEDIAN))
    needed = quantile.needed(budget("mae", "< 0.7").limit, ALPHA)
    assert needed is not None
    assert 0 < needed < 10_000


@pytest.mark.parametrize("few", [[0.5], [0.2, 0.5, 0.8], list(np.linspace(0.1, 0.9, 19))])
def test_of_too_few_scores_for_a_bound_the_way_out_is_where_it_decides(few: list[float]) -> None:
    limit = budget("mae", "< 0.6").limit
    needed = Drawn(scores(few), Change(), 0).needed(limit, ALPHA)
    assert needed is not None
    total = len(few) + needed
    for times, decides in ((1.1, True), (0.4, False)):
        grown = scores(few * round(total * times / len(few)))
        assert (holds(Drawn(grown, Change(), 0).figure(ALPHA), limit) is not None) is decides


Shape = tuple["Callable[[np.random.Generator, int], np.ndarray]", float]
SHAPES: dict[str, Shape] = {
    "half normal": (lambda draw, n: np.abs(draw.standard_normal(n)), np.sqrt(2 / np.pi)),
    "squared normal": (lambda draw, n: draw.standard_normal(n) ** 2, 1.0),
    "exponential": (lambda draw, n: draw.exponential(size=n), 1.0),
    "lognormal": (lambda draw, n: draw.lognormal(0, 1, n), np.exp(0.5)),
    "pareto": (lambda draw, n: draw.pareto(3, n) + 1, 1.5),
    "one in ten": (lambda draw, n: (draw.random(n) < 0.1) * 1.0, 0.1),
    "uniform": (lambda draw, n: draw.random(n), 0.5),
    "mirrored exponential": (lambda draw, n: 1 - draw.exponential(size=n), 0.0),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_means_err_no_more_than_stated_at_the_smallest_size(shape: str) -> None:
    draw, mean = SHAPES[shape]
    generator = np.random.default_rng(11)
    missed = [0, 0]
    for _ in range(250):
        sample = scores(draw(generator, 25))
        figure = Drawn(sample, Change(), 0).figure(ALPHA)
        if figure.lower is not None and figure.upper is not None:  # nothing is said of zeros alone
            missed[0] += figure.lower > mean
            missed[1] += figure.upper < mean
    assert max(missed) <= 250 * ALPHA + 3 * np.sqrt(250 * ALPHA)


def test_a_relative_rise_needs_a_reference_with_a_figure_on_one_side_of_0() -> None:
    asked, before = budget("mae_rise", "< 20 %"), np.concatenate([[0.0] * 30, ERRORS])
    found = mae(asked, 1.01 * before, before)
    assert (found.verdict, float(found.estimate or 0)) == (Outcome.PASS, pytest.approx(0.01, abs=1e-6))
    with_zeros, without = (Drawn(scores(1.01 * each, each), Change(1, relative=True), 0) for each in (before, ERRORS))
    assert with_zeros.figure(ALPHA).estimate == pytest.approx(without.figure(ALPHA).estimate)
    assert mae(asked, ERRORS, 0 * ERRORS).reason.startswith("mae rise: the reference's figure is 0, so a share")
    either = mae(asked, ERRORS, ERRORS - 1)
    assert either.reason.startswith("mae rise: the reference has scores of either sign, so a share")


@pytest.mark.parametrize("zeros", [45, 50, 55])
def test_where_the_references_median_may_be_0_no_bound_on_its_share_is_told(zeros: int) -> None:
    before = np.concatenate([np.zeros(zeros), np.linspace(1, 2, 111 - zeros)])
    figure = Drawn(scores(before, before, Aggregate.MEDIAN), Change(1, relative=True), 0).figure(ALPHA)
    assert (figure.estimate, figure.lower is None, figure.upper is None) == (0, zeros > 45, zeros > 45)


def test_a_reference_whose_quantile_may_be_beyond_all_seen_leaves_a_drop_of_all_of_it() -> None:
    found = scores(np.linspace(1, 2, 30), np.linspace(1, 2, 30), Aggregate.P95)
    lowered, raised = Drawn(found, Change(1, relative=True), 0).drawn()
    assert min(lowered) == -1
    assert not np.isnan([lowered, raised]).any()


@pytest.mark.slow
@pytest.mark.parametrize("n", [30, 100])
@pytest.mark.parametrize("share", [0.05, 0.3, 0.8])
def test_relative_rises_err_no_more_than_stated_where_scores_are_0(share: float, n: int) -> None:
    generator, runs, missed = np.random.default_rng(19), 400, np.zeros(2)
    for _ in range(runs):
        errs, (before, noise) = generator.random((2, n)) < share, generator.exponential(size=(2, n))
        before = before * errs[0]
        if before.any():
            found = scores(before + 0.2 * noise * errs[1], before)
            figure = Drawn(found, Change(1, relative=True), 0).figure(ALPHA)
            missed += (
                figure.lower is not None and float(figure.lower) > 0.2,
                figure.upper is not None and float(figure.upper) < 0.2,
            )
    print(f"| {n} | {share} | {missed[0] / runs:.1%} | {missed[1] / runs:.1%} |")
    assert max(missed) / runs <= ALPHA + 3 * np.sqrt(ALPHA * (1 - ALPHA) / runs)


@pytest.mark.slow
@pytest.mark.parametrize("n", [30, 100, 1000])
@pytest.mark.parametrize("shape", SHAPES)
def test_means_and_rises_err_no_more_than_stated(shape: str, n: int) -> None:
    draw, mean = SHAPES[shape]
    generator = np.random.default_rng(13)
    runs, missed = 400, np.zeros(4)
    for _ in range(runs):
        before, noise = draw(generator, n), draw(generator, n)
        sample = scores(before + 0.3 * noise, before)
        for i, (change, truth) in enumerate(((Change(), 1.3 * mean), (Change(1), 0.3 * mean))):
            figure = Drawn(sample, change, 0).figure(ALPHA)
            missed[2 * i] += figure.lower is not None and float(figure.lower) > truth
            missed[2 * i + 1] += figure.upper is not None and float(figure.upper) < truth
    assert max(missed) / runs <= ALPHA + 3 * np.sqrt(ALPHA * (1 - ALPHA) / runs)


@pytest.mark.slow
@pytest.mark.parametrize(("aggregate", "n"), [(Aggregate.MEDIAN, 30), (Aggregate.MEDIAN, 100), (Aggregate.P95, 100)])
@pytest.mark.parametrize("shape", ["lognormal", "mirrored exponential"])
def test_changes_of_quantiles_err_no_more_than_stated(shape: str, aggregate: Aggregate, n: int) -> None:
    draw, _ = SHAPES[shape]
    generator = np.random.default_rng(17)
    before, noise = draw(generator, 10**6), draw(generator, 10**6)
    share = float(aggregate.quantile or 0)
    truth = np.quantile(before + 0.3 * noise, share) - np.quantile(before, share)
    runs, missed = 150, np.zeros(2)
    for _ in range(runs):
        before, noise = draw(generator, n), draw(generator, n)
        figure = Drawn(scores(before + 0.3 * noise, before, aggregate), Change(1), 0).figure(ALPHA)
        assert figure.lower is not None
        assert figure.upper is not None
        missed += float(figure.lower) > truth, float(figure.upper) < truth
    assert max(missed) / runs <= ALPHA + 3 * np.sqrt(ALPHA * (1 - ALPHA) / runs)


@pytest.mark.parametrize("limit", ["< 1 %", "< 3 %"])
def test_where_nothing_changes_few_more_samples_decide(limit: str) -> None:
    """An unseen sample alone keeps the bound off, and its weight falls with the number of samples, not its root."""
    bound, few = budget("mae_rise", limit).limit, ERRORS[:100]
    more = Drawn(scores(few), Change(1, relative=True), 0).needed(bound, ALPHA)
    assert more is not None
    for times, decides in ((1.2, True), (0.8, None)):
        grown = scores(np.resize(few, int(times * (100 + more))))
        assert holds(Drawn(grown, Change(1, relative=True), 0).figure(ALPHA), bound) is decides
