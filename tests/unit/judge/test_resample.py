"""Macro figures and precision drops: estimates against scikit-learn, draws against scipy, and what bounds must do."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from sample_evidence import budget, outcomes, pruned, quality, rules, table, verdict
from scipy.stats import beta, binom, kstest
from sklearn.metrics import f1_score, recall_score

from deployspec.ir.verdict import Outcome
from deployspec.judge.resample import DRAWS, MacroF1, MacroRecall, PrecisionDrop, Resampled, gammas

MATRIX = ((50, 5, 0), (3, 45, 2), (0, 4, 46))
POINT = rules(None)


def samples() -> tuple[np.ndarray, np.ndarray]:
    """The matrix as labels and predictions."""
    cells = [(i, j) for i, row in enumerate(MATRIX) for j, count in enumerate(row) for _ in range(count)]
    truth, predicted = np.array(cells).T
    return truth, predicted


def test_estimates_are_those_of_scikit_learn() -> None:
    truth, predicted = samples()
    assert float(MacroF1(MATRIX).estimate) == pytest.approx(f1_score(truth, predicted, average="macro"))
    recall = MacroRecall((50, 45, 46), (55, 50, 50))
    assert float(recall.estimate) == pytest.approx(recall_score(truth, predicted, average="macro"))


def test_of_no_count_nothing_is_drawn() -> None:
    assert not gammas(np.array([0.0]), seed=3).any()


def test_the_draws_are_gamma_variates_and_the_same_for_the_same_seed() -> None:
    drawn = gammas(np.array([0.5, 20.0]), seed=3)
    for row, shape in zip(drawn, (0.5, 20.0), strict=True):
        assert kstest(row, "gamma", args=(shape,)).pvalue > 0.01
    assert np.array_equal(drawn, gammas(np.array([0.5, 20.0]), seed=3))
    assert not np.array_equal(drawn, gammas(np.array([0.5, 20.0]), seed=4))


def test_the_stream_is_pinned_to_the_digit() -> None:
    """Another version of numpy or scipy must derive the same verdicts from the same report."""
    figure = Resampled(MacroF1(MATRIX), seed=0).figure(0.05)
    assert (figure.lower, figure.upper) == (Decimal("0.848804"), Decimal("0.944497"))


def test_the_cells_of_a_matrix_are_drawn_in_blocks_and_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = MacroF1(MATRIX).drawn(0)
    monkeypatch.setattr("deployspec.judge.resample._BLOCK", 3)
    for drawn, expected in zip(MacroF1(MATRIX).drawn(0), whole, strict=True):
        assert np.allclose(drawn, expected, rtol=1e-12)


def f1_of(tables: np.ndarray) -> np.ndarray:
    right = np.diagonal(tables, axis1=1, axis2=2)
    return np.asarray((2 * right / (tables.sum(axis=1) + tables.sum(axis=2))).mean(axis=1))


def test_bounds_are_the_quantiles_of_numpys_own_draws_with_one_sample_more_against_the_claim() -> None:
    rng, wrong = np.random.default_rng(1), ~np.eye(3, dtype=bool)
    drawn = rng.gamma(np.array(MATRIX) + 1e-12, size=(200_000, 3, 3))
    more = rng.exponential(size=(200_000, 3, 1))
    low = np.quantile(f1_of(drawn + more * wrong / 2), 0.05)
    high = np.quantile(f1_of(drawn + more * ~wrong), 0.95)
    figure = Resampled(MacroF1(MATRIX), seed=0).figure(0.05)
    assert (float(figure.lower), float(figure.upper)) == pytest.approx((low, high), abs=0.003)


def test_the_bounds_of_a_precision_drop_are_those_of_numpys_own_draws() -> None:
    def drop(both: Any, lost: Any, gained: Any, raised: Any, silenced: Any, kept: Any) -> Any:
        return (both + lost) / (both + lost + silenced + kept) - (both + gained) / (both + gained + raised + kept)

    rng = np.random.default_rng(1)
    both, lost, raised, silenced, kept = rng.gamma([85, 5, 5, 5, 10], size=(200_000, 5)).T
    inside, outside = rng.exponential(size=(2, 200_000))
    low = np.quantile(drop(both, lost, inside, raised, silenced + outside, kept), 0.05)
    high = np.quantile(drop(both, lost + inside, 0, raised + outside, silenced, kept), 0.95)
    figure = Resampled(PrecisionDrop(outcomes(85, 5, 0, 5), outcomes(90, 5, 5, 10)), seed=0).figure(0.05)
    assert (float(figure.lower), float(figure.upper)) == pytest.approx((low, high), abs=0.003)


@pytest.mark.parametrize("hits", [0, 1, 45, 50])
def test_the_recall_of_one_class_has_the_bounds_of_clopper_and_pearson(hits: int) -> None:
    figure = Resampled(MacroRecall((hits,), (50,)), seed=0).figure(0.05)
    expected = (beta(hits, 51 - hits).ppf(0.05) if hits else 0, beta(hits + 1, 50 - hits).ppf(0.95) if hits < 50 else 1)
    assert (float(figure.lower), float(figure.upper)) == pytest.approx(expected, abs=0.005)


def test_a_class_without_an_error_proves_no_more_than_its_samples_do() -> None:
    """20 of 20 and 80 of 80: with recalls of 90 and 100 % that table comes up once in eight times."""
    figure = Resampled(MacroRecall((20, 80), (20, 80)), seed=0).figure(0.05)
    assert figure.lower < Decimal("0.95")


def test_81_samples_without_a_change_prove_no_precision_drop_below_2_pp() -> None:
    """With 2 % of new false alarms that table comes up once in five times."""
    figure = Resampled(PrecisionDrop(outcomes(81, 0, 0, 0), outcomes(0, 0, 0, 0)), seed=0).figure(0.05)
    assert figure.upper > Decimal("0.02")


def test_one_miss_among_many_classes_disproves_nothing() -> None:
    """Ten classes of a hundred samples, two of ten and of fifteen: all within a mean recall of 99 %."""
    for support in (100, 10, 15):
        classes = 10 if support == 100 else 2
        hits = (support - 1, *[support] * (classes - 1))
        few_misses = Resampled(MacroRecall(hits, (support,) * classes), seed=0).figure(0.05)
        assert few_misses.upper > Decimal("0.99")
        mirrored = Resampled(MacroRecall(tuple(support - each for each in hits), (support,) * classes), 0).figure(0.05)
        assert mirrored.lower < Decimal("0.01")


def test_an_error_free_table_is_not_blind_and_keeps_its_estimate() -> None:
    perfect = tuple(tuple(30 if i == j else 0 for j in range(4)) for i in range(4))
    figure = Resampled(MacroF1(perfect), seed=0).figure(0.05)
    assert Decimal("0.9") < figure.lower < Decimal("0.99")
    assert (figure.estimate, figure.upper) == (1, 1)


def test_an_all_wrong_table_keeps_its_estimate_too() -> None:
    figure = Resampled(MacroRecall((0, 0), (30, 30)), seed=0).figure(0.05)
    assert (figure.estimate, figure.lower) == (0, 0)
    assert figure.upper < Decimal("0.1")


def test_bounds_tighten_with_more_samples() -> None:
    widths = [
        figure.upper - figure.lower
        for factor in (1, 4, 16)
        for figure in [Resampled(MacroF1(tuple(tuple(factor * n for n in row) for row in MATRIX)), 0).figure(0.05)]
    ]
    assert widths[0] > Decimal("1.7") * widths[1] > Decimal("2.9") * widths[2]


def test_a_confidence_that_the_draws_cannot_resolve_gives_no_bound() -> None:
    figure = Resampled(MacroF1(MATRIX), seed=0).figure(0.5 / DRAWS)
    assert (figure.lower, figure.upper) == (None, None)
    found = verdict(budget("macro_f1", ">= 10 %"), [quality(table(MATRIX, "abc"))], rules("0.9999"))
    assert found.verdict is Outcome.INCONCLUSIVE


def test_the_macro_budgets_see_the_class_that_accuracy_hides() -> None:
    fraud = quality(table([[1222, 3], [22, 3]], ["fine", "fraud"]))
    for metric, estimate in (("macro_recall", "0.558776"), ("balanced_accuracy", "0.558776"), ("macro_f1", "0.591711")):
        found = verdict(budget(metric, ">= 80 %"), [fraud])
        assert (found.verdict, found.estimate) == (Outcome.FAIL, Decimal(estimate))


def test_a_class_without_samples_leaves_no_macro_figure() -> None:
    found = verdict(budget("macro_f1", ">= 10 %"), [quality(table([[9, 1], [0, 0]], "ab"))])
    assert found.verdict is Outcome.NOT_MEASURED
    assert "no sample of class 'b'" in found.reason


def test_a_precision_drop_follows_from_joint_outcomes() -> None:
    """90 of 100 become 85 of 100, so that 5 pp are lost, or 5.56 % of 90 %."""
    found = verdict(budget("precision_drop", "< 2 pp", "positive"), [quality(pruned())])
    assert (found.estimate, found.verdict) == (Decimal("0.05"), Outcome.INCONCLUSIVE)
    assert "90 of 100 right before, 85 of 100 after" in found.reason
    relative = verdict(budget("precision_drop", "< 2 %", "positive"), [quality(pruned())])
    assert (relative.estimate, relative.unit) == (Decimal("0.055556"), "%")


def test_margins_alone_decide_a_precision_drop_as_a_point_only() -> None:
    joint = pruned()
    margins = quality(table(joint.confusion, joint.labels, reference=joint.reference_confusion, paired=joint.paired))
    asked = budget("precision_drop", "< 2 pp", "positive")
    assert verdict(asked, [margins]).verdict is Outcome.NOT_MEASURED
    as_point = verdict(asked, [margins], POINT)
    assert (as_point.estimate, as_point.verdict) == (Decimal("0.05"), Outcome.FAIL)


def test_a_class_that_is_never_predicted_has_no_precision_drop() -> None:
    silent = table([[10, 0], [10, 0]], "ab", rejected=(outcomes(0, 0, 0, 10), outcomes(10, 0, 0, 0)))
    assert verdict(budget("precision_drop", "< 2 pp", "b"), [quality(silent)]).verdict is Outcome.NOT_MEASURED


def test_unchanged_predictions_lose_no_precision_for_sure_only_when_there_are_enough() -> None:
    for n, expected in ((20, None), (400, True)):
        drop = Resampled(PrecisionDrop(outcomes(n, 0, 0, 0), outcomes(n, 0, 0, n // 10)), seed=0)
        bound = budget("precision_drop", "< 2 pp", "a").limit
        figure = drop.figure(0.05)
        assert figure.estimate == 0
        assert (figure.upper < bound.limit) is (expected is True)


@pytest.mark.parametrize("floor", ["90 %", "88 %"])
def test_the_number_of_samples_needed_is_about_where_a_table_of_these_shares_decides(floor: str) -> None:
    bound = budget("macro_f1", f">= {floor}").limit
    more = Resampled(MacroF1(MATRIX), seed=0).needed(bound, 0.05)
    assert more is not None
    factor = 1 + more / 155
    for scale, decides in ((1.15 * factor, True), (0.85 * factor, False)):
        grown = tuple(tuple(round(scale * count) for count in row) for row in MATRIX)
        assert bound.holds(Resampled(MacroF1(grown), seed=0).figure(0.05).lower) is decides


@pytest.mark.parametrize("n", [12, 20, 26, 58])
def test_false_alarms_of_a_faultless_reference_pass_wrongly_about_as_often_as_stated(n: int) -> None:
    alarms = np.arange(n)
    tables = [PrecisionDrop(outcomes(n - each, 0, 0, 0), outcomes(0, each, 0, 0)) for each in alarms.tolist()]
    upper = np.array([float(Resampled(table, seed=0).figure(0.05).upper) for table in tables])
    assert max(binom.pmf(alarms, n, drop)[upper < drop].sum() for drop in np.arange(0.01, 0.301, 0.0025)) < 0.062
