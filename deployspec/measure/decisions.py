"""From a model's raw outputs to the decisions that a task counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from deployspec.errors import DataFault
from deployspec.ir.model import LABELLED, Task

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from deployspec.ir.model import Output
    from deployspec.ir.spec import TaskTable

ROWS: Final = 1 << 16
"""Rows looked at together, so that memory does not grow with the split."""


class NotFinite(ValueError):
    """An output holds NaN or Inf; the text names the first sample."""


def decide(outputs: Path, task: TaskTable, output: Output) -> np.ndarray:
    """The class index (n,) that each row of the .npy file `outputs` decides for; any column where there are no labels.

    Of several labels a sample, whether each column's is called (n, columns). Raises NotFinite, and DataFault when the
    output's columns do not fit the task's labels.
    """
    assert task.task in LABELLED
    decide_rows = _call_rows if task.task is Task.MULTILABEL else _decide_rows
    return np.concatenate([decide_rows(rows, task, output) for rows in finite_rows(outputs)])


def among_five(outputs: Path, labels: np.ndarray) -> np.ndarray:
    """For each sample (n,) whether its class is among the five largest outputs, of equal ones the first, as decided."""
    hits = np.zeros(len(labels), bool)
    start = 0
    for rows in finite_rows(outputs):
        block = slice(start, start + len(rows))
        wanted = labels[block, None]
        own = np.take_along_axis(rows, wanted, axis=1)
        earlier = np.arange(rows.shape[1]) < wanted
        hits[block] = ((rows > own) | ((rows == own) & earlier)).sum(axis=1) < 5
        start += len(rows)
    return hits


def finite_rows(outputs: Path) -> Iterator[np.ndarray]:
    """The file's rows in blocks, each flattened to (rows, columns) float64. Raises NotFinite."""
    stored = np.load(outputs, mmap_mode="r")
    for start in range(0, len(stored), ROWS):
        rows = np.asarray(stored[start : start + ROWS], np.float64)
        rows = rows.reshape(len(rows), -1)
        bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
        if bad.size:
            raise NotFinite(f"the output is NaN or infinite, first at sample {start + bad[0]}")
        yield rows


def _decide_rows(rows: np.ndarray, task: TaskTable, output: Output) -> np.ndarray:
    classes, columns = len(task.labels), rows.shape[1]
    if task.kind == "binary" and columns in (1, 2):
        positive = task.labels.index(task.positive or task.labels[1])
        return np.where(_probability(rows, output, positive) >= float(task.threshold), positive, 1 - positive)
    if classes and columns != classes:
        raise _misfit(rows, task, output)
    return np.asarray(rows.argmax(axis=1))


def _call_rows(rows: np.ndarray, task: TaskTable, output: Output) -> np.ndarray:
    if task.labels and rows.shape[1] != len(task.labels):
        raise _misfit(rows, task, output)
    probabilities = rows if output.kind == "probabilities" else _sigmoid(rows)
    return probabilities >= float(task.threshold)


def _misfit(rows: np.ndarray, task: TaskTable, output: Output) -> DataFault:
    return DataFault(
        f"output '{output.name}' has {rows.shape[1]} values a sample, the task has {len(task.labels)} labels"
    )


def _probability(rows: np.ndarray, output: Output, positive: int) -> np.ndarray:
    """The positive class's probability (n,), from one logit, two logits, or probabilities."""
    if rows.shape[1] == 1:
        return rows[:, 0] if output.kind == "probabilities" else _sigmoid(rows[:, 0])
    if output.kind == "probabilities":
        return rows[:, positive]
    return _sigmoid(rows[:, positive] - rows[:, 1 - positive])


def _sigmoid(values: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)) without overflow."""
    tamed = np.exp(-np.abs(values))
    return np.where(values >= 0, 1 / (1 + tamed), tamed / (1 + tamed))
