"""How many samples a split holds, and of each class, read from its labels alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from deployspec.ir.budget import CLASSIFIED
from deployspec.sources.readers import read_ahead

if TYPE_CHECKING:
    from deployspec.ir.spec import Spec


def class_counts(spec: Spec, split: str) -> dict[str, int] | None:
    """Samples of each class label in a split; None where only running code would tell, or there are no classes.

    Labels out of range are left out here: `dataset.refuse_ahead` names them. Raises DataFault for a broken file.
    """
    value = spec.data.splits().get(split)
    if value is None or spec.task is None or spec.task.task not in CLASSIFIED:
        return None
    ahead = read_ahead(spec.folder, value, tuple(each.name for each in spec.model.inputs))
    labels = ahead.columns.get("y") if ahead else None
    if labels is None or labels.ndim != 1 or labels.dtype.kind not in "iub":
        return None
    inside = labels[(labels >= 0) & (labels < len(spec.task.labels))]
    counts = np.bincount(inside.astype(np.int64), minlength=len(spec.task.labels))
    return dict(zip(spec.task.labels, map(int, counts), strict=True))
