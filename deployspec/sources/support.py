"""How many samples a split holds, and of each class, read from its headers and labels alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from deployspec.ir.data import Support
from deployspec.ir.model import Task
from deployspec.sources.readers import read_ahead

if TYPE_CHECKING:
    from deployspec.ir.spec import Spec


def split_support(spec: Spec, split: str) -> Support | None:
    """What a split holds; None where only running code would tell, or where its labels are no labels of the task.

    Labels out of range are left out here: `dataset.refuse_ahead` names them. Raises DataFault for a broken file.
    """
    value = spec.data.splits().get(split)
    if value is None or spec.task is None:
        return None
    ahead = read_ahead(spec.folder, value, tuple(each.name for each in spec.model.inputs))
    if ahead is None:
        return None
    match spec.task.task:
        case Task.REGRESSION | Task.CUSTOM:
            return Support(n=ahead.samples, per_class={})
        case Task.MULTILABEL:
            return _several(ahead.columns.get("y"), spec.task.labels)
        case _:
            return _one_each(ahead.columns.get("y"), spec.task.labels)


def _one_each(labels: np.ndarray | None, names: tuple[str, ...]) -> Support | None:
    if labels is None or labels.ndim != 1 or labels.dtype.kind not in "iub":
        return None
    inside = labels[(labels >= 0) & (labels < len(names))]
    counts = np.bincount(inside.astype(np.int64), minlength=len(names))
    return Support(n=len(inside), per_class=dict(zip(names, map(int, counts), strict=True)))


def _several(labels: np.ndarray | None, names: tuple[str, ...]) -> Support | None:
    if labels is None or labels.ndim != 2 or labels.shape[1] != len(names):
        return None
    return Support(
        n=len(labels), per_class=dict(zip(names, map(int, (labels == 1).sum(axis=0)), strict=True)), several=True
    )
