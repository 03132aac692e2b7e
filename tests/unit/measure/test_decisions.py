"""Decisions: which class a row of outputs means, for every form in which a task's output comes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.metrics import top_k_accuracy_score

from deployspec.errors import DataFault
from deployspec.ir.model import Output
from deployspec.ir.spec import TaskTable
from deployspec.measure import decisions
from deployspec.measure.decisions import NotFinite, among_five, decide

if TYPE_CHECKING:
    from pathlib import Path

THREE = TaskTable(kind="classification", labels=("a", "b", "c"))


def binary(positive: str | None = "spam", threshold: float = 0.5) -> TaskTable:
    return TaskTable(kind="binary", labels=("ham", "spam"), positive=positive, threshold=threshold)


@pytest.fixture
def decided(tmp_path: Path) -> Any:
    def run(rows: Any, task: TaskTable, kind: Any = "logits") -> list[int]:
        np.save(tmp_path / "o.npy", np.asarray(rows, np.float32))
        return [int(each) for each in decide(tmp_path / "o.npy", task, Output(name="o", kind=kind))]

    return run


def test_a_class_is_the_largest_output(decided: Any) -> None:
    assert decided([[1, 3, 2], [-1, -3, -2], [0, 0, 7]], THREE) == [1, 0, 2]


def test_outputs_of_more_dimensions_are_flattened_by_sample(decided: Any) -> None:
    assert decided([[[[1]], [[3]], [[2]]]], THREE) == [1]


@pytest.mark.parametrize(("positive", "expected"), [("spam", [1, 0, 1]), ("ham", [0, 1, 0]), (None, [1, 0, 1])])
def test_one_logit_speaks_for_the_positive_class(decided: Any, positive: str | None, expected: list[int]) -> None:
    assert decided([[0.1], [-0.1], [0.0]], binary(positive)) == expected


def test_two_logits_are_compared(decided: Any) -> None:
    assert decided([[1, 2], [2, 1], [5, 5]], binary()) == [1, 0, 1]
    assert decided([[1, 2], [2, 1], [5, 5]], binary("ham")) == [1, 0, 0], "at the threshold it is positive"


def test_a_probability_is_taken_as_it_is(decided: Any) -> None:
    assert decided([[0.6], [0.4], [0.5]], binary(), "probabilities") == [1, 0, 1]
    assert decided([[0.4, 0.6], [0.6, 0.4]], binary(), "probabilities") == [1, 0]
    assert decided([[0.4, 0.6], [0.6, 0.4]], binary("ham"), "probabilities") == [1, 0]


@pytest.mark.parametrize(
    ("columns", "kind"), [(1, "logits"), (2, "logits"), (1, "probabilities"), (2, "probabilities")]
)
def test_the_threshold_is_on_the_probability(decided: Any, columns: int, kind: str) -> None:
    probability = np.array([0.85, 0.95])
    value = probability if kind == "probabilities" else np.log(probability / (1 - probability))
    other = 1 - probability if kind == "probabilities" else np.zeros(2)
    rows = value[:, None] if columns == 1 else np.stack([other, value], axis=1)
    assert decided(rows, binary(threshold=0.9), kind) == [0, 1]


def test_logits_of_any_size_do_not_overflow(decided: Any) -> None:
    assert decided([[1e30], [-1e30]], binary()) == [1, 0]
    assert decided([[0, 3e38], [3e38, 0]], binary()) == [1, 0]


@pytest.mark.parametrize(("task", "columns"), [(THREE, 4), (THREE, 1), (binary(), 3)])
def test_columns_that_do_not_fit_the_labels_are_a_fault(decided: Any, task: TaskTable, columns: int) -> None:
    with pytest.raises(DataFault) as refused:
        decided(np.zeros((2, columns)), task)
    assert str(refused.value) == f"output 'o' has {columns} values a sample, the task has {len(task.labels)} labels"


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_output_that_is_not_finite_is_no_decision(decided: Any, value: float) -> None:
    with pytest.raises(NotFinite, match=r"first at sample 1$"):
        decided([[1, 2, 3], [1, value, 3], [value, 2, 3]], THREE)


def test_blocks_make_no_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.random.default_rng(0).standard_normal((50, 7))
    labels = np.arange(50) % 7
    np.save(tmp_path / "o.npy", rows)
    task = TaskTable(kind="classification", labels=tuple("abcdefg"))
    whole = decide(tmp_path / "o.npy", task, Output(name="o")), among_five(tmp_path / "o.npy", labels)
    monkeypatch.setattr(decisions, "ROWS", 8)
    parts = decide(tmp_path / "o.npy", task, Output(name="o")), among_five(tmp_path / "o.npy", labels)
    assert np.array_equal(whole[0], parts[0])
    assert np.array_equal(whole[1], parts[1])
    rows[41] = np.nan
    np.save(tmp_path / "o.npy", rows)
    with pytest.raises(NotFinite, match=r"first at sample 41$"):
        decide(tmp_path / "o.npy", task, Output(name="o"))


@pytest.mark.parametrize("classes", [6, 10, 40])
def test_the_five_best_agree_with_sklearn(tmp_path: Path, classes: int) -> None:
    generator = np.random.default_rng(classes)
    rows, labels = generator.standard_normal((300, classes)), generator.integers(0, classes, 300)
    np.save(tmp_path / "o.npy", rows)
    expected = top_k_accuracy_score(labels, rows, k=5, normalize=False, labels=range(classes))
    assert among_five(tmp_path / "o.npy", labels).sum() == expected


@pytest.mark.parametrize(("label", "expected"), [(0, True), (4, True), (5, False), (6, False)])
def test_of_equal_outputs_the_first_five_are_the_best_as_the_first_is_decided_for(
    tmp_path: Path, label: int, expected: bool
) -> None:
    np.save(tmp_path / "o.npy", np.zeros((1, 7)))
    assert among_five(tmp_path / "o.npy", np.array([label])).tolist() == [expected]
    np.save(tmp_path / "o.npy", np.array([[3, 3, 3, 3, 0, 3, 9]]))
    assert among_five(tmp_path / "o.npy", np.array([label])).tolist() == [label in (0, 1, 2, 3, 6)]


SEVERAL = TaskTable(kind="multilabel", labels=("a", "b", "c"), threshold=0.6)


@pytest.mark.parametrize(("kind", "edge"), [("probabilities", 0.6), ("logits", 0.405466)])
def test_each_label_is_called_by_its_own_probability(tmp_path: Path, kind: Any, edge: float) -> None:
    """0.405465... is the logit of 0.6."""
    rows = np.array([[edge, edge - 1e-3, 1], [0, 0, 0], [1, 1, edge]])
    np.save(tmp_path / "o.npy", rows)
    called = decide(tmp_path / "o.npy", SEVERAL, Output(name="o", kind=kind))
    assert called.tolist() == [[True, False, True], [False] * 3, [True] * 3]


def test_without_labels_each_column_is_one(tmp_path: Path) -> None:
    np.save(tmp_path / "o.npy", np.array([[1, -1, 1, -1, 1]]))
    called = decide(tmp_path / "o.npy", TaskTable(kind="multilabel"), Output(name="o"))
    assert called.tolist() == [[True, False, True, False, True]]


def test_columns_that_are_not_the_labels_are_a_fault_of_several_labels_too(tmp_path: Path) -> None:
    np.save(tmp_path / "o.npy", np.zeros((2, 4)))
    with pytest.raises(DataFault, match="output 'o' has 4 values a sample, the task has 3 labels"):
        decide(tmp_path / "o.npy", SEVERAL, Output(name="o"))


def test_without_labels_the_largest_of_any_number_of_columns_decides(decided: Any) -> None:
    assert list(decided(np.eye(360)[[7, 200]], TaskTable(kind="classification"))) == [7, 200]
