"""The reference's figures, against what the judge says of an artifact that decides as the reference does."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from sample_evidence import budget, measured, outcomes, quality, rules, table, verdict

from deployspec.ir.evidence import Aggregate, Multilabel, Scores
from deployspec.report.reference import reference_figure

ARTIFACT, REFERENCE = [[40, 5, 5], [10, 30, 10], [0, 20, 30]], [[45, 3, 2], [4, 40, 6], [1, 5, 44]]
BOTH = quality(table(ARTIFACT, "abc", reference=REFERENCE))
ALONE = quality(table(REFERENCE, "abc"))


@pytest.mark.parametrize(
    ("metric", "label"),
    [
        ("accuracy", None), ("recall", "b"), ("precision", "b"), ("f1", "b"), ("macro_f1", None),
        ("macro_recall", None), ("balanced_accuracy", None),
    ],
)  # fmt: skip
def test_it_is_what_the_reference_itself_would_be_judged_to_reach(metric: str, label: str | None) -> None:
    asked = budget(metric, ">= 1 %", label)
    expected = verdict(asked, [ALONE], rules(None)).estimate
    figure = reference_figure(asked, "phone", [BOTH])
    assert figure is not None
    assert round(figure, 6) == expected
    assert expected != verdict(asked, [BOTH], rules(None)).estimate


@pytest.mark.parametrize("metric", ["recall", "precision", "f1", "macro_f1"])
def test_labels_beside_each_other_have_a_reference_too(metric: str) -> None:
    inside, outside = outcomes(60, 20, 10, 10), outcomes(70, 5, 15, 10)
    both = Multilabel(labels=("a",), inside=(inside,), outside=(outside,))
    same = Multilabel(labels=("a",), inside=(outcomes(80, 0, 0, 20),), outside=(outcomes(75, 0, 0, 25),))
    asked = budget(metric, ">= 1 %", None if metric == "macro_f1" else "a")
    figure = reference_figure(asked, "phone", [quality(both)])
    assert figure is not None
    assert round(figure, 6) == verdict(asked, [quality(same)], rules(None)).estimate


@pytest.mark.parametrize(("metric", "aggregate"), [("mae", Aggregate.MEAN), ("rmse", Aggregate.ROOT_MEAN)])
def test_scores_have_a_reference_too(metric: str, aggregate: Aggregate) -> None:
    worse, better = (tuple(map(Decimal, each)) for each in ((4, 9, 16, 1), (1, 4, 2, 1)))
    asked = budget(metric, "< 100")
    both, same = (
        replace(quality(Scores(artifact=artifact, reference=better, aggregate=aggregate)), name=asked.row.measured_from)
        for artifact in (worse, better)
    )
    figure = reference_figure(asked, "phone", [both])
    assert figure is not None
    assert round(figure, 6) == verdict(asked, [same], rules(None)).estimate


def test_where_there_is_none() -> None:
    asked = budget("accuracy", ">= 1 %")
    known = table(ARTIFACT, "abc")
    assert reference_figure(budget("accuracy_drop", "< 1 pp"), "phone", [BOTH]) is None, "it compares already"
    assert reference_figure(asked, "tablet", [BOTH]) is None
    assert reference_figure(replace(asked, on_field=True), "phone", [BOTH]) is None
    assert reference_figure(asked, "phone", [quality(replace(known, reference_confusion=(), paired=()))]) is None
    never = table([[5, 0], [5, 0]], "ab")
    assert reference_figure(budget("precision", ">= 1 %", "b"), "phone", [quality(never)]) is None
    assert reference_figure(budget("macro_recall", ">= 1 %"), "phone", [quality(table([[1, 0], [0, 0]], "ab"))]) is None
    assert reference_figure(budget("size", "< 1 B"), "phone", [measured("size", known)]) is None
