"""What a sample's values are called and counted by: the features of a vector, the channels of anything larger."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from deployspec.wording import some

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deployspec.ir.artifact import Job
    from deployspec.ir.model import Input

MOST_FEATURES: Final = 256
"""A vector of more values, e.g. an image laid flat, is one feature of many values, and so are as many channels."""

_BLOCK_BYTES: Final = 16 << 20


def by_feature(rows: np.ndarray, *, channels_last: bool) -> np.ndarray:
    """`rows` (n, …) as (n, features, values of each): a vector's features have one value, an image's channels many."""
    n, shape = len(rows), rows.shape[1:]
    if len(shape) > 1 and channels_last:
        rows = np.moveaxis(rows, -1, 1)
    features = rows.shape[1] if shape else 1
    if features > MOST_FEATURES:
        features = 1
    return rows.reshape(n, features, prod(shape) // features)


def feature_names(declared: Input, features: int) -> list[str]:
    """`image[0]`, `image[1]` …; the input's own name where it is one feature."""
    return [declared.name] if features == 1 else [f"{declared.name}[{i}]" for i in range(features)]


def constant_features(job: Job) -> Iterator[str]:
    """What there is to say of features that have one value throughout the split of the role "data"."""
    for i, declared in enumerate(job.model.inputs):
        stored = np.load(job.inputs["data"] / f"{i}.npy", mmap_mode="r")
        if len(stored) < 2:
            continue
        constant = _is_constant(stored, channels_last=job.model.framework == "keras")
        if constant.any():
            names = np.array(feature_names(declared, len(constant)))[constant].tolist()
            yield f"constant throughout: {some(names)}; what becomes of other values is not tested"


def _is_constant(stored: np.ndarray[Any, Any], *, channels_last: bool) -> np.ndarray:
    """For each feature (features,) whether all of its values in all rows are the same."""
    rows = max(1, _BLOCK_BYTES // max(1, stored[:1].nbytes))
    first = by_feature(stored[:1], channels_last=channels_last)[:, :, :1]
    constant = np.ones(first.shape[1], bool)
    for start in range(0, len(stored), rows):
        values = by_feature(stored[start : start + rows], channels_last=channels_last)
        constant &= (values == first).all(axis=(0, 2))
    return constant
