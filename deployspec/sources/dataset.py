"""Prepares a data split once, for everyone: read, checked against the spec, preprocessed, in the model's layout.

The output folder holds one `<i>.npy` per input (n, …) in the declared dtype, and `y.npy` where there are labels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from deployspec.errors import DataFault
from deployspec.ir.budget import Task
from deployspec.runners.protocol import Writer
from deployspec.sources.readers import Batch, read_batches

if TYPE_CHECKING:
    from deployspec.ir.artifact import Job
    from deployspec.ir.spec import Input, Model

SHOWN_ROWS = 5


def prepare(job: Job) -> dict[str, Any]:
    """Write the prepared split; facts: samples, whether labelled, values outside the declared ranges.

    Options: `split` (name), `value` (as in the spec), `task` (kind or None), `classes` (number of labels).
    Raises DataFault, with the first rows, for an empty split, a shape or dtype that does not fit, NaN, or
    a label out of range.
    """
    options, names = job.options, tuple(each.name for each in job.model.inputs)
    value = options["value"] if isinstance(options["value"], str) else tuple(options["value"])
    checker = _Checker(job.model, options)
    writers: dict[str, Writer] = {}
    for batch in read_batches(job.inputs["data"], value, names):
        ready = checker.check(batch)
        for name, rows in ready.items():
            if name not in writers:
                file = "y" if name == "y" else str(names.index(name))
                writers[name] = Writer(job.out / f"{file}.npy", rows)
            writers[name].add(rows)
    if not writers:
        raise DataFault(f"data.{options['split']} is empty: {value}")
    samples = max(writer.close() for writer in writers.values())
    return {"samples": samples, "labelled": "y" in writers, "out_of_range": checker.out_of_range}


class _Checker:
    """Checks and converts batch by batch; counts rows so that a fault names the sample in the file."""

    def __init__(self, model: Model, options: dict[str, Any]) -> None:
        self._inputs = model.inputs
        self._channels_last = model.framework == "keras"
        self._split = options["split"]
        self._task = Task(options["task"]) if options["task"] else None
        self._classes = options["classes"]
        self._seen = 0
        self.out_of_range = 0

    def check(self, batch: Batch) -> Batch:
        ready = {declared.name: self._input(declared, batch[declared.name]) for declared in self._inputs}
        if "y" in batch:
            ready["y"] = self._labels(batch["y"])
        self._seen += len(batch[self._inputs[0].name])
        return ready

    def _input(self, declared: Input, stored: np.ndarray) -> np.ndarray:
        if stored.dtype.kind == "f":
            self._refuse(np.isnan(stored).reshape(len(stored), -1).any(axis=1), f"NaN in input '{declared.name}'")
        values = _preprocess(declared, stored, channels_last=self._channels_last)
        if declared.preprocess is None:
            self._same_kind(declared, stored)
        self._shape(declared, values)
        if declared.range is not None:
            low, high = declared.range
            self.out_of_range += int(((values < low) | (values > high)).reshape(len(values), -1).any(axis=1).sum())
        return self._cast(declared, values)

    def _same_kind(self, declared: Input, stored: np.ndarray) -> None:
        wanted = "f" if "float" in declared.dtype else "iu" if declared.dtype != "bool" else "b"
        if stored.dtype.kind not in wanted:
            raise DataFault(
                f"data.{self._split}: input '{declared.name}' is stored as {stored.dtype} and declared "
                f"{declared.dtype}; store it so, or say with preprocess how one becomes the other"
            )

    def _shape(self, declared: Input, values: np.ndarray) -> None:
        want, have = declared.shape[1:], values.shape[1:]
        fits = len(want) == len(have) and all(isinstance(w, str) or w == h for w, h in zip(want, have, strict=True))
        if not fits:
            raise DataFault(
                f"data.{self._split}: samples of input '{declared.name}' have shape {list(have)}, "
                f"the spec declares {list(want)}" + (" after preprocess" if declared.preprocess else "")
            )

    def _cast(self, declared: Input, values: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore", invalid="ignore"):
            cast = values.astype(declared.dtype)
        lost = ~np.isfinite(cast) if cast.dtype.kind == "f" else np.not_equal(cast, values)
        self._refuse(lost.reshape(len(lost), -1).any(axis=1), f"input '{declared.name}' overflows {declared.dtype}")
        return cast

    def _labels(self, stored: np.ndarray) -> np.ndarray:
        match self._task:
            case Task.CLASSIFICATION | Task.BINARY:
                return self._class_labels(stored)
            case Task.MULTILABEL:
                if stored.ndim != 2 or stored.shape[1] != self._classes or stored.dtype.kind not in "iub":
                    raise DataFault(f"data.{self._split}: y must be (n, {self._classes}) of 0 and 1")
                self._refuse(~np.isin(stored, (0, 1)).all(axis=1), "y is neither 0 nor 1")
                return stored.astype(np.int64)
            case _:
                values = stored.astype(np.float64)
                self._refuse(~np.isfinite(values).reshape(len(values), -1).all(axis=1), "y is NaN or infinite")
                return values

    def _class_labels(self, stored: np.ndarray) -> np.ndarray:
        if stored.ndim != 1 or stored.dtype.kind not in "iub":
            raise DataFault(
                f"data.{self._split}: y must be (n,) of class indices, it is {stored.dtype}{list(stored.shape)}"
            )
        labels = stored.astype(np.int64)
        outside = (labels < 0) | (labels >= self._classes)
        self._refuse(outside, f"y is not one of the {self._classes} classes (0 to {self._classes - 1})")
        return labels

    def _refuse(self, bad: np.ndarray | np.bool, what: str) -> None:
        rows = np.flatnonzero(bad)
        if rows.size:
            shown = ", ".join(str(self._seen + row) for row in rows[:SHOWN_ROWS])
            more = f" and {len(rows) - SHOWN_ROWS} more near there" if len(rows) > SHOWN_ROWS else ""
            raise DataFault(f"data.{self._split}: {what}, at sample {shown}{more}")


def _preprocess(declared: Input, stored: np.ndarray, *, channels_last: bool) -> np.ndarray:
    """(x * scale - mean) / std per channel, then the model's layout (n, channels, …) or (n, …, channels)."""
    steps = declared.preprocess
    if steps is None:
        return stored
    layout = steps.layout or ("nhwc" if channels_last else "nchw")
    channel = stored.ndim - 1 if layout == "nhwc" else min(1, stored.ndim - 1)
    values = stored.astype(np.float64) * float(steps.scale)
    if steps.mean:
        values -= _per_channel(steps.mean, values, channel)
    if steps.std:
        values /= _per_channel(steps.std, values, channel)
    if layout == "nhwc" and not channels_last:
        values = np.moveaxis(values, -1, 1)
    elif layout == "nchw" and channels_last:
        values = np.moveaxis(values, 1, -1)
    return np.ascontiguousarray(values)


def _per_channel(numbers: tuple[float | int, ...], values: np.ndarray, axis: int) -> np.ndarray:
    """`numbers` shaped to broadcast along `axis`; a single number holds for every channel."""
    if len(numbers) not in (1, values.shape[axis]):
        raise DataFault(f"preprocess has {len(numbers)} means or deviations for {values.shape[axis]} channels")
    shape = [1] * values.ndim
    shape[axis] = len(numbers)
    return np.array([float(number) for number in numbers]).reshape(shape)
