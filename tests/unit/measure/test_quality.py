"""Quality: the tables of one split, against scikit-learn's, and what is said where there is none."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    multilabel_confusion_matrix,
    precision_recall_fscore_support,
    top_k_accuracy_score,
)

from deployspec.ir.artifact import Done
from deployspec.ir.evidence import Classified, EvidenceClass, Multilabel, NotMeasured, PairedOutcomes, Share, Statistic
from deployspec.ir.model import Input, Model, Output
from deployspec.ir.spec import Spec, TaskTable
from deployspec.measure.counting import EVERY_ROW, Counting
from deployspec.measure.quality import Evaluated, measure_quality

if TYPE_CHECKING:
    from collections.abc import Sequence

LABELS = tuple("abcdefg")
CLASSES = TaskTable(kind="classification", labels=LABELS)


@dataclass
class Lab:
    """Steps' folders, filled by hand."""

    folder: Path

    def done(self, name: str, arrays: dict[str, np.ndarray], **facts: Any) -> Done:
        for file, array in arrays.items():
            path = self.folder / name / f"{file}.npy"
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, array)
        (self.folder / name).mkdir(exist_ok=True)
        return Done(step=name, folder=self.folder / name, sha256=name, cached=False, seconds=0, facts=facts)

    def measure(
        self, task: TaskTable | None, y: np.ndarray | None, before: Sequence[Any], after: Sequence[Any],
        names: Sequence[str] = ("o",), counting: Counting = EVERY_ROW,
    ) -> dict[str, Statistic]:  # fmt: skip
        runs = [
            self.done(name, {f"outputs/{i}": np.asarray(each) for i, each in enumerate(outputs)}, runtime="r 1")
            for name, outputs in (("reference", before), ("artifact", after))
        ]
        data = self.done("data", {} if y is None else {"y": y}, labelled=y is not None)
        model = Model(
            name="m", source="m.py:b", inputs=(Input(name="x", shape=("b",)),),
            outputs=tuple(Output(name=name) for name in names),
        )  # fmt: skip
        spec = Spec(path=Path("s.toml"), root=Path(), sha256="", model=model, targets=(), task=task)
        evaluated = Evaluated(split="test", data=data, reference=runs[0], artifact=runs[1], counting=counting)
        found = measure_quality(spec, "t", evaluated, EvidenceClass.HOST)
        assert {each.variant for each in found} == {counting.variant}
        assert {each.samples_sha256 for each in found} == {"artifact"}
        assert {(each.split, each.runtime, each.evidence) for each in found} == {("test", "r 1", EvidenceClass.HOST)}
        return {each.name: each.statistic for each in found}


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


@pytest.fixture
def scores() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, and the scores of a reference and of an artifact that errs otherwise."""
    generator = np.random.default_rng(5)
    y = generator.integers(0, 7, 400)
    before = generator.standard_normal((400, 7)) + 2 * np.eye(7)[y]
    return y, before, before + generator.standard_normal((400, 7)) * 0.7


def test_the_tables_agree_with_sklearn(lab: Lab, scores: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    y, before, after = scores
    table = lab.measure(CLASSES, y, [before], [after])["quality"]
    assert isinstance(table, Classified)
    reference, decided = before.argmax(1), after.argmax(1)
    confusion = np.array(table.confusion)
    assert np.array_equal(confusion, confusion_matrix(y, decided, labels=range(7)))
    assert np.array_equal(table.reference_confusion, confusion_matrix(y, reference, labels=range(7)))
    precision, recall, _, support = precision_recall_fscore_support(y, decided, labels=range(7))
    assert np.allclose(confusion.diagonal() / confusion.sum(0), precision)
    assert np.allclose(confusion.diagonal() / confusion.sum(1), recall)
    assert np.array_equal([each.n for each in table.paired], support)
    assert table.n == 400
    assert table.top5 == top_k_accuracy_score(y, after, k=5, normalize=False, labels=range(7))
    assert table.labels == LABELS


def test_outcomes_are_paired_within_the_class(lab: Lab, scores: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    y, before, after = scores
    table = lab.measure(CLASSES, y, [before], [after])["quality"]
    assert isinstance(table, Classified)
    right_before, right_after = before.argmax(1) == y, after.argmax(1) == y
    for i, paired in enumerate(table.paired):
        mine = y == i
        assert paired == PairedOutcomes(
            both=(mine & right_before & right_after).sum(),
            broken=(mine & right_before & ~right_after).sum(),
            repaired=(mine & ~right_before & right_after).sum(),
            neither=(mine & ~right_before & ~right_after).sum(),
        )
    assert sum(each.reference_right for each in table.paired) == accuracy_score(y, before.argmax(1), normalize=False)
    assert min(sum(each.broken for each in table.paired), sum(each.repaired for each in table.paired)) > 0


def test_samples_that_are_not_of_a_class_are_paired_too(
    lab: Lab, scores: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> None:
    y, before, after = scores
    table = lab.measure(CLASSES, y, [before], [after])["quality"]
    assert isinstance(table, Classified)
    assert len(table.rejected) == 7, "without these, a precision drop is decided as a point only"
    for i, rejected in enumerate(table.rejected):
        others = y != i
        assert rejected == PairedOutcomes(
            both=(others & (before.argmax(1) != i) & (after.argmax(1) != i)).sum(),
            broken=(others & (before.argmax(1) != i) & (after.argmax(1) == i)).sum(),
            repaired=(others & (before.argmax(1) == i) & (after.argmax(1) != i)).sum(),
            neither=(others & (before.argmax(1) == i) & (after.argmax(1) == i)).sum(),
        )


def test_a_class_that_is_never_seen_or_called_keeps_its_row_and_column(lab: Lab) -> None:
    outputs = np.eye(7)[[0, 1, 1]]
    table = lab.measure(CLASSES, np.array([0, 1, 0]), [outputs], [outputs])["quality"]
    assert isinstance(table, Classified)
    assert np.array(table.confusion).shape == (7, 7)
    assert table.paired[6] == PairedOutcomes(both=0, broken=0, repaired=0, neither=0)


def test_up_to_five_classes_there_are_no_five_best(lab: Lab) -> None:
    table = lab.measure(TaskTable(kind="classification", labels=tuple("abcde")), np.arange(5), [np.eye(5)], [np.eye(5)])
    assert isinstance(table["quality"], Classified)
    assert table["quality"].top5 is None


def test_agreement_counts_equal_decisions_and_needs_no_labels(
    lab: Lab, scores: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> None:
    _, before, after = scores
    found = lab.measure(CLASSES, None, [before], [after])
    assert found["agreement"] == Share(hits=int((before.argmax(1) == after.argmax(1)).sum()), n=400)
    assert found["quality"] == NotMeasured(reason="the test split has no y")


def test_of_several_outputs_the_scored_one_decides(lab: Lab) -> None:
    right, wrong = np.eye(7), np.eye(7)[::-1]
    task = TaskTable(kind="classification", labels=LABELS, output="second")
    found = lab.measure(task, np.arange(7), [wrong, right], [wrong, right], ("first", "second"))
    assert isinstance(found["quality"], Classified)
    assert found["quality"].confusion == tuple(tuple(int(i == j) for j in range(7)) for i in range(7))


@pytest.mark.parametrize("which", ["reference", "artifact"])
def test_a_nan_is_no_decision_and_says_where(lab: Lab, which: str) -> None:
    good = np.eye(7)
    bad = good.copy()
    bad[4, 2] = np.nan
    outputs = ([bad], [good]) if which == "reference" else ([good], [bad])
    reason = NotMeasured(reason="the output is NaN or infinite, first at sample 4")
    assert lab.measure(CLASSES, np.arange(7), *outputs) == {"quality": reason, "agreement": reason}


def test_several_labels_have_the_tables_of_sklearn(lab: Lab) -> None:
    generator = np.random.default_rng(3)
    y = (generator.random((300, 4)) < [0.5, 0.2, 0.9, 0.0]).astype(np.int64)
    before = 2 * y - 1 + generator.standard_normal((300, 4))
    after = before + generator.standard_normal((300, 4)) * 0.5
    found = lab.measure(TaskTable(kind="multilabel", labels=tuple("abcd")), y, [before], [after])
    table = found["quality"]
    assert isinstance(table, Multilabel)
    for called, side in (
        (after > 0, lambda pair: pair.both + pair.repaired),
        (before > 0, lambda pair: pair.reference_right),
    ):
        for i, (negatives, positives) in enumerate(multilabel_confusion_matrix(y, called)):
            assert (side(table.inside[i]), table.inside[i].n) == (positives[1], positives.sum())
            assert (side(table.outside[i]), table.outside[i].n) == (negatives[0], negatives.sum())
    assert (table.n, table.support("d")) == (300, 0)
    assert found["agreement"] == Share(hits=int(((before > 0) == (after > 0)).all(axis=1).sum()), n=300)


def test_values_agree_within_a_share_of_the_references_spread(lab: Lab) -> None:
    before = np.array([[0.0, 5.0], [10.0, 5.0], [2.0, 2.0], [3.0, 3.0]])
    after = before + np.array([[0.0, 0.14], [0.49, 0.0], [0.51, 0.0], [0.0, -0.16]])
    task = TaskTable(kind="regression", tolerance=0.05)
    found = lab.measure(task, None, [before], [after])
    assert found["agreement"] == Share(hits=2, n=4), "every value of a sample, 5 % of its own column: of 10 and of 3"
    assert isinstance(found["quality"], NotMeasured)


@pytest.mark.parametrize("task", [None, TaskTable(kind="regression")])
def test_without_a_task_values_agree_as_in_one_that_says_no_more(lab: Lab, task: TaskTable | None) -> None:
    before = np.array([[0.0], [10.0]])
    assert lab.measure(task, None, [before], [before + 0.099])["agreement"] == Share(hits=2, n=2)
    assert lab.measure(task, None, [before], [before + 0.101])["agreement"] == Share(hits=0, n=2)


def test_samples_that_do_not_count_are_in_no_figure_and_their_number_is_told(
    lab: Lab, scores: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> None:
    y, before, after = scores
    kept = np.random.default_rng(0).random(len(y)) < 0.8
    left_out = lab.measure(CLASSES, y, [before], [after], counting=Counting(kept=kept, variant="fewer"))
    table = left_out["quality"]
    assert isinstance(table, Classified)
    assert (table.n, table.excluded) == (kept.sum(), (~kept).sum())
    apart = lab.measure(CLASSES, y[kept], [before[kept]], [after[kept]])
    assert left_out == {**apart, "quality": replace(apart["quality"], excluded=table.excluded)}


def test_why_nothing_can_be_counted_is_the_reason_of_every_figure(
    lab: Lab, scores: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> None:
    y, before, after = scores
    found = lab.measure(CLASSES, y, [before], [after], counting=Counting(refused="all leaked"))
    assert set(found.values()) == {NotMeasured(reason="all leaked")}
