"""A class is judged alike, whether its counts come from a confusion matrix or from the outcomes of a label."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sample_evidence import budget, outcomes, quality, rules, table, verdict

from deployspec.ir.evidence import Multilabel

INSIDE, OUTSIDE = outcomes(30, 5, 2, 3), outcomes(40, 4, 6, 10)
CLASSES = table(
    [[46, 14], [8, 32]],
    "ab",
    reference=[[44, 16], [5, 35]],
    paired=(OUTSIDE, INSIDE),
    rejected=(INSIDE, OUTSIDE),
)
LABELS = Multilabel(labels=("b",), inside=(INSIDE,), outside=(OUTSIDE,))


@pytest.mark.parametrize("confidence", ["0.95", None])
@pytest.mark.parametrize(
    ("metric", "limit"),
    [
        ("recall", ">= 80 %"), ("recall_drop", "< 5 pp"), ("recall_drop", "< 5 %"), ("f1", ">= 70 %"),
        ("precision", ">= 60 %"), ("precision_drop", "< 5 pp"), ("precision_drop", "< 5 %"),
    ],
)  # fmt: skip
def test_both_tables_tell_the_same_of_a_class(metric: str, limit: str, confidence: str | None) -> None:
    asked = budget(metric, limit, "b")
    found = verdict(asked, [quality(CLASSES)], rules(confidence))
    assert found == verdict(asked, [quality(LABELS)], rules(confidence))
    assert found.estimate is not None


@pytest.mark.parametrize("metric", ["recall_drop", "precision_drop"])
def test_margins_give_the_same_estimate_and_no_bounds(metric: str) -> None:
    asked, margins = budget(metric, "< 5 pp", "b"), quality(replace(CLASSES, paired=(), rejected=()))
    assert verdict(asked, [margins], rules(None)).estimate == verdict(asked, [quality(CLASSES)], rules(None)).estimate
    assert verdict(asked, [margins]).reason.endswith('which decide a drop with confidence = "point"')


def test_a_label_that_the_reference_never_calls_has_no_precision_to_lose() -> None:
    silent = Multilabel(labels=("b",), inside=(outcomes(0, 0, 5, 5),), outside=(outcomes(40, 4, 0, 0),))
    found = verdict(budget("precision_drop", "< 5 pp", "b"), [quality(silent)], rules(None))
    assert found.reason.endswith("the class was never predicted, or the reference never predicted it correctly")
