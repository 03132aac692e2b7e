"""Worked cases whose figures and verdicts are known, at 95 % confidence and as a point."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from sample_evidence import budget, measured, outcomes, processes, pruned, quality, rules, table, verdict

from deployspec.ir.evidence import Count, EvidenceClass, Share
from deployspec.ir.verdict import Outcome
from deployspec.judge.paired import Paired, p_value_above

POINT = rules(None)


@pytest.mark.parametrize(
    ("metric", "label", "before", "after"),
    [
        ("precision", "positive", "0.9", "0.85"),
        ("recall", "positive", "0.947", "0.895"),
        ("accuracy", None, "0.925", "0.875"),
    ],
)
def test_pruning_figures(metric: str, label: str | None, before: str, after: str) -> None:
    pair = pruned()
    reference = table(pair.reference_confusion, pair.labels)
    asked = budget(metric, ">= 0 %", label)
    for statistic, expected in ((reference, before), (pair, after)):
        estimate = verdict(asked, [quality(statistic)]).estimate
        assert estimate is not None
        assert round(estimate, len(expected) - 2) == Decimal(expected)


def test_pruning_that_breaks_ten_of_200_and_repairs_none_fails_a_drop_of_2_pp() -> None:
    found = verdict(budget("accuracy_drop", "< 2 pp"), [quality(pruned())])
    assert (found.verdict, found.estimate, found.n) == (Outcome.FAIL, Decimal("0.05"), 200)
    assert found.lower is not None
    assert found.lower > Decimal("0.02")
    assert "10 broken and 0 repaired of 200 samples" in found.reason


def test_tangos_interval_turns_pruning_inconclusive_from_three_repaired() -> None:
    fails = [p_value_above(Paired(10 + k, k, 200, Decimal("0.02")), 0.02, exact=False) <= 0.05 for k in range(6)]
    assert fails == [True, True, True, False, False, False]


def test_pruning_that_repairs_three_is_inconclusive_and_before_that_fails() -> None:
    found = [verdict(budget("accuracy_drop", "< 2 pp"), [quality(pruned(k))]).verdict for k in range(5)]
    assert found == [Outcome.FAIL] * 3 + [Outcome.INCONCLUSIVE] * 2


def test_high_accuracy_does_not_hide_a_recall_of_12_percent() -> None:
    fraud = table([[1222, 3], [22, 3]], ["fine", "fraud"])
    accuracy = verdict(budget("accuracy", ">= 90 %"), [quality(fraud)])
    recall = verdict(budget("recall", ">= 80 %", "fraud"), [quality(fraud)])
    assert (accuracy.verdict, accuracy.estimate, accuracy.n) == (Outcome.PASS, Decimal("0.98"), 1250)
    assert (recall.verdict, recall.estimate, recall.n) == (Outcome.FAIL, Decimal("0.12"), 25)
    assert "3 of 25" in recall.reason


def test_98_percent_at_800_ms_and_120_mb() -> None:
    evidence = [
        quality(table([[400, 5], [10, 335]], "ab")),
        measured("latency.p95", processes(802, 798, 805, 791, 800, 799)),
        measured("size", Count(value=Decimal(120_000_000)), EvidenceClass.STATIC),
    ]
    asked = [budget("accuracy", "> 90 %"), budget("latency_p95", "< 100 ms"), budget("size", "< 20 MB")]
    assert [verdict(each, evidence).verdict for each in asked] == [Outcome.PASS, Outcome.FAIL, Outcome.FAIL]
    assert verdict(asked[0], evidence).estimate == Decimal("0.98")


@pytest.mark.parametrize(
    ("matrix", "floor", "estimate"),
    [
        ([[50, 5, 0], [3, 45, 2], [0, 4, 46]], "> 90 %", "0.9097"),
        ([[45, 3, 2], [4, 40, 6], [1, 5, 44]], "> 85 %", "0.86"),
    ],
)
def test_three_class_matrices_pass_as_a_point_and_are_unproven_at_95_percent(
    matrix: list[list[int]], floor: str, estimate: str
) -> None:
    evidence = [quality(table(matrix, ["cat", "dog", "bird"]))]
    asked = budget("accuracy", floor)
    assert verdict(asked, evidence).verdict is Outcome.INCONCLUSIVE
    found = verdict(asked, evidence, POINT)
    assert found.verdict is Outcome.PASS
    assert found.estimate is not None
    assert round(found.estimate, 4) == Decimal(estimate)
    assert (found.lower, found.upper) == (None, None)


def test_five_equal_predictions_prove_no_agreement_of_99_percent() -> None:
    evidence = [measured("agreement", Share(hits=5, n=5), split="test")]
    asked = budget("agreement", ">= 99 %")
    found = verdict(asked, evidence)
    assert (found.verdict, found.estimate) == (Outcome.INCONCLUSIVE, 1)
    assert found.lower == Decimal("0.549280")  # 0.05 ** (1 / 5), rounded down
    assert "about 294 more such samples" in found.reason  # 0.99 ** 299 <= 0.05 < 0.99 ** 298
    assert verdict(asked, evidence, POINT).verdict is Outcome.PASS


@pytest.mark.parametrize(
    ("metric", "limit", "n", "unit"),
    [
        ("precision", ">= 80 %", 20, "samples called 'b'"),
        ("precision_drop", "< 2 pp", 20, "samples called 'b' by either model"),
        ("f1", ">= 80 %", 22, "samples that are 'b' or called so"),
    ],
)
def test_the_way_out_names_the_samples_that_count_and_the_size_of_the_split(
    metric: str, limit: str, n: int, unit: str
) -> None:
    joint = (outcomes(97, 0, 0, 3), outcomes(17, 0, 0, 2))
    found = verdict(
        budget(metric, limit, "b"), [quality(table([[97, 3], [2, 17]], "ab", paired=joint, rejected=joint[::-1]))]
    )
    match = re.search(
        rf"about ([\d,]+) more {unit} would .* with ([\d,]+) of them, about ([\d,]+) in all", found.reason
    )
    assert match is not None, found.reason
    more, total, whole = (int(each.replace(",", "")) for each in match.groups())
    assert (total - more, found.n, whole) == (n, n, -(-total * 119 // n))
