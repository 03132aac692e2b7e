"""Support: what a split holds, told from its headers and labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from deployspec.ir.data import Data, Support
from deployspec.ir.model import Input, Model
from deployspec.ir.spec import Spec, TaskTable
from deployspec.sources.support import split_support

if TYPE_CHECKING:
    from pathlib import Path


def support(folder: Path, task: TaskTable | None, **arrays: Any) -> Support | None:
    np.savez(folder / "test.npz", x=np.zeros((6, 2), np.float32), **arrays)
    model = Model(name="m", source="m.py:b", inputs=(Input(name="x", shape=("b", 2)),))
    spec = Spec(
        path=folder / "s.toml", root=folder, sha256="", model=model, targets=(), task=task, data=Data(test="test.npz")
    )
    assert split_support(spec, "field") is None
    return split_support(spec, "test")


def test_of_one_label_a_sample_each_class_is_counted(tmp_path: Path) -> None:
    task = TaskTable(kind="classification", labels=("a", "b", "c"))
    assert support(tmp_path, task, y=np.array([0, 1, 1, 1, 7, -1])) == Support(n=4, per_class={"a": 1, "b": 3, "c": 0})


def test_of_several_labels_each_is_counted_and_the_samples_once(tmp_path: Path) -> None:
    y = np.array([[1, 1], [1, 0], [1, 0], [0, 0], [0, 0], [1, 1]])
    task = TaskTable(kind="multilabel", labels=("a", "b"))
    assert support(tmp_path, task, y=y) == Support(n=6, per_class={"a": 4, "b": 2}, several=True)


@pytest.mark.parametrize("kind", ["regression", "custom"])
def test_where_there_are_no_labels_the_samples_are_counted(tmp_path: Path, kind: Any) -> None:
    assert support(tmp_path, TaskTable(kind=kind), y=np.zeros((6, 3))) == Support(n=6, per_class={})


@pytest.mark.parametrize(
    ("task", "y"),
    [
        (None, np.zeros(6, int)),
        (TaskTable(kind="classification", labels=("a", "b")), np.zeros(6)),
        (TaskTable(kind="classification", labels=("a", "b")), np.zeros((6, 2), int)),
        (TaskTable(kind="multilabel", labels=("a", "b")), np.zeros((6, 3), int)),
        (TaskTable(kind="multilabel", labels=("a", "b")), np.zeros(6, int)),
    ],
)
def test_what_are_no_labels_of_the_task_is_left_to_be_refused(
    tmp_path: Path, task: TaskTable | None, y: np.ndarray
) -> None:
    assert support(tmp_path, task, y=y) is None
