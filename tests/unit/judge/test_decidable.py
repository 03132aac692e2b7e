"""What a split can decide at its size."""

from __future__ import annotations

from decimal import Decimal

import pytest
from sample_evidence import budget, outcomes, quality, rules, table, verdict

from deployspec.ir.data import Support
from deployspec.ir.verdict import Outcome
from deployspec.judge.decidable import decidable

SPLIT = {"test": Support(n=100, per_class={"a": 50, "b": 50})}


def test_fifty_samples_prove_a_recall_of_80_percent_only_from_45_right() -> None:
    (found,) = decidable([budget("recall", ">= 80 %", "a")], SPLIT, rules())
    assert (found.n, found.errors, found.best) == (50, 5, Decimal("0.941844"))  # 0.05 ** (1 / 50)
    assert found.text == (
        "recall of class 'a': 50 samples prove 80 % from 45 right; "
        "the highest floor that they can prove at 95 % confidence is 94.18 %"
    )
    for right, expected in ((45, Outcome.PASS), (44, Outcome.INCONCLUSIVE)):
        split = quality(table([[right, 50 - right], [0, 50]], "ab"))
        assert verdict(budget("recall", ">= 80 %", "a"), [split]).verdict is expected


def test_the_smallest_drop_and_the_most_net_broken() -> None:
    asked = budget("accuracy_drop", "< 5 pp")
    (found,) = decidable([asked], SPLIT, rules())
    assert found.best is not None
    assert float(found.best) == pytest.approx(1 - 0.05 ** (1 / 100), abs=2e-5)
    assert found.errors is not None
    for broken, expected in ((found.errors, Outcome.PASS), (found.errors + 1, Outcome.INCONCLUSIVE)):
        pair = table([[100]], "a", paired=(outcomes(100 - broken, broken, 0, 0),))
        assert verdict(asked, [quality(pair)]).verdict is expected


@pytest.mark.parametrize(
    ("metric", "limit", "label"),
    [
        ("recall", ">= 95 %", "a"),
        ("accuracy_drop", "< 2 pp", None),
        ("f1", ">= 99 %", "b"),
        ("macro_f1", ">= 99 %", None),
    ],
)
def test_what_a_faultless_artifact_could_not_prove_is_said(metric: str, limit: str, label: str | None) -> None:
    (found,) = decidable([budget(metric, limit, label)], SPLIT, rules())
    assert (found.passable, found.errors) == (False, None)
    assert "prove" in found.text


def test_a_class_without_samples_or_below_min_support_decides_nothing() -> None:
    asked = [budget("recall", ">= 10 %", "a")]
    for support, by in (({"a": 0}, rules()), ({"a": 9}, rules(min_support=10)), ({}, rules())):
        (found,) = decidable(asked, {"test": Support(n=100, per_class=support)}, by)
        assert not found.passable
        assert "decide nothing" in found.text


def test_only_quality_budgets_on_known_splits_are_told() -> None:
    asked = [
        budget("size", "< 1 MB"), budget("latency_p95", "< 1 ms"), budget("accuracy", ">= 90 %", on_field=True),
        budget("agreement", ">= 90 %"), budget("precision_drop", "< 9 pp", "a"), budget("macro_recall", ">= 90 %"),
    ]  # fmt: skip
    found = decidable(asked, SPLIT, rules())
    assert [each.budget for each in found] == ["agreement", "precision_drop.a", "macro_recall"]
    assert all(each.passable for each in found)


def test_as_a_point_every_floor_up_to_one_is_within_reach() -> None:
    (found,) = decidable([budget("recall", ">= 100 %", "a")], SPLIT, rules(None))
    assert (found.passable, found.errors, found.best) == (True, 0, 1)


@pytest.mark.parametrize(
    ("metric", "limit", "label", "needed"),
    [
        ("recall", ">= 95 %", "a", 59),  # 0.95 ** 59 <= 0.05 < 0.95 ** 58
        ("agreement", "> 99 %", None, 299),
        ("accuracy_drop", "< 2 pp", None, 149),  # 0.98 ** 149 <= 0.05 < 0.98 ** 148
        ("f1", ">= 99 %", "b", 150),  # J of 98.02 %
        ("accuracy", ">= 100 %", None, None),
        ("accuracy_drop", "< -1 pp", None, None),
    ],
)
def test_what_cannot_be_decided_says_how_many_samples_would_do(
    metric: str, limit: str, label: str | None, needed: int | None
) -> None:
    (found,) = decidable([budget(metric, limit, label)], SPLIT, rules())
    assert not found.passable
    assert found.needed == (needed and pytest.approx(needed, rel=0.01))
    assert ("would do" in found.text) is (needed is not None)


@pytest.mark.parametrize(
    ("metric", "limit", "label"), [("macro_f1", ">= 99 %", None), ("precision_drop", "< 1 pp", "a")]
)
def test_about_so_many_samples_do_for_resampled_figures_too(metric: str, limit: str, label: str | None) -> None:
    asked = budget(metric, limit, label)
    (found,) = decidable([asked], SPLIT, rules())
    assert not found.passable
    assert found.needed is not None
    for factor, passable in ((1.2, True), (0.8, False)):
        size = round(factor * found.needed)
        per_class = {"a": size, "b": size} if label else {"a": size // 2, "b": size // 2}
        support = {"test": Support(n=sum(per_class.values()), per_class=per_class)}
        assert decidable([asked], support, rules())[0].passable is passable


def test_a_class_without_samples_needs_as_many_as_the_limit_and_min_support_ask_for() -> None:
    support = {"test": Support(n=100, per_class={"a": 0, "b": 100})}
    for by, needed in ((rules(), 14), (rules(min_support=30), 30), (rules(None, min_support=30), 30)):
        (found,) = decidable([budget("recall", ">= 80 %", "a")], support, by)
        assert (found.needed, found.best) == (needed, None)  # 0.8 ** 14 <= 0.05 < 0.8 ** 13
    (found,) = decidable([budget("macro_recall", ">= 80 %")], support, rules())
    assert found.needed is None


@pytest.mark.parametrize(
    ("metric", "limit", "n", "best"),
    [("recall", ">= 90 %", 128, "97.68 %"), ("accuracy_drop", "< 5 pp", 66, "4.44 pp")],
)
def test_the_best_limit_that_is_told_can_be_proven(metric: str, limit: str, n: int, best: str) -> None:
    label = "a" if metric == "recall" else None
    split = {"test": Support(n=n, per_class={"a": n})}
    (found,) = decidable([budget(metric, limit, label)], split, rules())
    assert found.text.endswith(f" is {best}")
    told = ("< " if metric.endswith("drop") else ">= ") + best
    (again,) = decidable([budget(metric, told, label)], split, rules())
    assert again.passable
