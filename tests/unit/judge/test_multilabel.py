"""Several labels a sample: each is a table of its own, and a mean over them holds however they depend on each other."""

from __future__ import annotations

from decimal import Decimal

import pytest
from sample_evidence import budget, outcomes, quality, rules, verdict

from deployspec.ir.data import Support
from deployspec.ir.evidence import Multilabel
from deployspec.ir.verdict import Outcome
from deployspec.judge.decidable import decidable
from deployspec.judge.jaccard import Overlap
from deployspec.judge.multilabel import Macro
from deployspec.judge.proportions import Proportion

FOUND = Multilabel(
    labels=("even", "loop", "never"),
    inside=(outcomes(80, 5, 2, 13), outcomes(150, 0, 0, 0), outcomes(0, 0, 0, 0)),
    outside=(outcomes(90, 4, 1, 5), outcomes(50, 0, 0, 0), outcomes(196, 2, 0, 2)),
)
TWO = Multilabel(labels=("even", "loop"), inside=FOUND.inside[:2], outside=FOUND.outside[:2])


@pytest.mark.parametrize(
    ("metric", "limit", "estimate", "n", "said"),
    [
        ("recall", ">= 50 %", "0.82", 100, "82 of 100"),
        ("precision", ">= 50 %", "0.901099", 91, "82 of 91"),
        ("f1", ">= 50 %", "0.858639", 109, "82 found, 18 missed, 9 false alarms"),
        ("recall_drop", "< 20 pp", "0.03", 100, "5 broken and 2 repaired of 100 samples"),
        ("recall_drop", "< 20 %", "0.035294", 87, "5 broken and 2 repaired of 87 that at least one gets right"),
        ("precision_drop", "< 50 pp", "0.032967", 97, "85 of 91 right before, 82 of 91 after"),
    ],
)
def test_a_label_is_judged_from_its_own_table(metric: str, limit: str, estimate: str, n: int, said: str) -> None:
    found = verdict(budget(metric, limit, "even"), [quality(FOUND)])
    assert (found.verdict, found.estimate, found.n) == (Outcome.PASS, Decimal(estimate), n)
    assert said in found.reason


@pytest.mark.parametrize("metric", ["recall", "f1", "precision", "recall_drop", "precision_drop"])
def test_a_label_without_samples_is_not_measured(metric: str) -> None:
    limit = "< 9 pp" if metric.endswith("drop") else ">= 1 %"
    for label, why in (("never", "no sample of this class"), ("unknown", "has no such class")):
        found = verdict(budget(metric, limit, label), [quality(FOUND)])
        assert found.verdict is Outcome.NOT_MEASURED
        assert why in found.reason


def test_a_label_that_is_never_called_has_no_precision_but_a_recall_of_zero() -> None:
    silent = quality(Multilabel(labels=("a",), inside=(outcomes(0, 0, 0, 60),), outside=(outcomes(40, 0, 0, 0),)))
    for metric, limit in (("precision", ">= 1 %"), ("precision_drop", "< 5 pp")):
        assert verdict(budget(metric, limit, "a"), [silent]).verdict is Outcome.NOT_MEASURED
    found = verdict(budget("recall", ">= 50 %", "a"), [silent])
    assert (found.verdict, found.estimate) == (Outcome.FAIL, 0)


def test_one_sample_is_inconclusive_and_all_right_proves_no_more_than_its_number() -> None:
    one = quality(Multilabel(labels=("a",), inside=(outcomes(1, 0, 0, 0),), outside=(outcomes(0, 0, 0, 0),)))
    for metric in ("recall", "macro_recall", "macro_f1", "precision", "f1"):
        label = None if metric.startswith("macro") else "a"
        found = verdict(budget(metric, ">= 20 %", label), [one])
        assert (found.verdict, found.estimate) == (Outcome.INCONCLUSIVE, 1)
    assert verdict(budget("recall", ">= 98 %", "loop"), [quality(FOUND)]).lower == Decimal(
        "0.980226"
    )  # 0.05 ** (1 / 150)


def test_a_macro_figure_is_bounded_by_the_labels_own_bounds_at_their_share_of_alpha() -> None:
    found = verdict(budget("macro_recall", ">= 80 %"), [quality(TWO)])
    parts = [Proportion(82, 100).figure(0.025), Proportion(150, 150).figure(0.025)]
    assert found.estimate == Decimal("0.91")
    assert found.lower == pytest.approx((parts[0].lower + parts[1].lower) / 2, abs=Decimal("0.000001"))
    assert found.upper == pytest.approx((parts[0].upper + 1) / 2, abs=Decimal("0.000001"))
    assert (found.verdict, found.n) == (Outcome.PASS, 200)
    assert "200 samples, the mean of 2 labels" in found.reason
    score = verdict(budget("macro_f1", ">= 80 %"), [quality(TWO)])
    assert float(score.estimate or 0) == pytest.approx((2 * 82 / (2 * 82 + 18 + 9) + 1) / 2, abs=1e-6)


def test_a_label_without_samples_leaves_no_macro_figure() -> None:
    for metric in ("macro_recall", "macro_f1"):
        found = verdict(budget(metric, ">= 1 %"), [quality(FOUND)])
        assert found.verdict is Outcome.NOT_MEASURED
        assert "no sample of class 'never'" in found.reason


def test_min_support_counts_the_samples_of_a_label() -> None:
    for support, expected in ((100, Outcome.PASS), (101, Outcome.INCONCLUSIVE)):
        for asked in (budget("recall", ">= 50 %", "even"), budget("macro_recall", ">= 50 %")):
            assert verdict(asked, [quality(TWO)], rules(min_support=support)).verdict is expected


def test_as_a_point_the_mean_stands_for_itself() -> None:
    found = verdict(budget("macro_recall", ">= 91 %"), [quality(TWO)], rules(None))
    assert (found.verdict, found.lower) == (Outcome.PASS, None)


def test_the_number_of_samples_that_would_decide_a_mean() -> None:
    macro = Macro((Overlap(82, missed=18, false_alarms=9), Overlap(150, missed=0, false_alarms=0)), 200)
    more = macro.needed(budget("macro_f1", ">= 90 %").limit, 0.05)
    assert more is not None
    for size, expected in ((200 + more * 11 // 10, True), (200 + more // 2, False)):
        grown = Macro(tuple(each.grown(each.n * size // 200) for each in macro.labels), size)
        assert (grown.figure(0.05).lower > Decimal("0.9")) is expected


def test_what_a_split_of_several_labels_can_decide() -> None:
    split = {"test": Support(n=200, per_class={"even": 100, "loop": 150}, several=True)}
    asked = [budget("macro_recall", ">= 95 %"), budget("macro_f1", ">= 99 %"), budget("recall", ">= 95 %", "loop")]
    found = decidable(asked, split, rules())
    assert [(each.passable, each.n) for each in found] == [(True, 200), (False, 200), (True, 150)]
    empty = {"test": Support(n=200, per_class={"even": 0, "loop": 150}, several=True)}
    (told,) = decidable(asked[:1], empty, rules())
    assert not told.passable


def test_what_scores_can_decide_is_known_when_they_are_there() -> None:
    for n, expected in ((19, False), (20, True)):
        (found,) = decidable([budget("mae", "< 3")], {"test": Support(n=n, per_class={})}, rules())
        assert (found.passable, found.n, found.best) == (expected, n, None)


def test_the_mean_of_rounded_figures_is_not_taken() -> None:
    """Thirds have no end: (2/3 + 2/3 + 1/3 + 1/3) / 4 is one half all the same."""
    two, one = outcomes(20, 0, 0, 10), outcomes(10, 0, 0, 20)
    others = (outcomes(0, 0, 0, 0),) * 4
    four = Multilabel(labels=("a", "b", "c", "d"), inside=(two, two, one, one), outside=others)
    found = verdict(budget("macro_recall", ">= 50 %"), [quality(four)], rules(None))
    assert (found.estimate, found.verdict) == (Decimal("0.5"), Outcome.PASS)
