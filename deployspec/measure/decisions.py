"""From a model's raw outputs to the decisions that a task counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from deployspec.errors import DataFault
from deployspec.ir.budget import CLASSIFIED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from deployspec.ir.spec import Output, TaskTable

ROWS: Final = 1 << 16
"""Rows looked at together, so that memory does not grow with the split."""


class NotFinite(ValueError):
    """An output holds NaN or Inf; the text names the first sample."""


def decide(outputs: Path, task: TaskTable, output: Output) -> np.ndarray:
    """The class index (n,) that each row of the .npy file `outputs` decides for; any column where there are no labels.

    Raises NotFinite, and DataFault when the output's columns do not fit the task's labels.
    """
    assert task.task in CLASSIFIED
    parts = [_decide_rows(rows, task, output) for rows in finite_rows(outputs)]
    return np.concatenate(parts)


def top_five_hits(outputs: Path, labels: np.ndarray) -> int:
    """How many samples have their class among the five largest outputs."""
    hits, start = 0, 0
    for rows in finite_rows(outputs):
        best = np.argpartition(-rows, 4, axis=1)[:, :5]
        hits += int((best == labels[start : start + len(rows), None]).any(axis=1).sum())
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
        raise DataFault(f"output '{output.name}' has {columns} values a sample, the task has {classes} labels")
    return np.asarray(rows.argmax(axis=1))


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
