"""Prepares a data split once, for everyone: read, checked against the spec, preprocessed, in the model's layout.

The output folder holds one `<i>.npy` per input (n, …) in the declared dtype, `y.npy` where there are labels, and
`digests.npy`, which tells the samples apart. A split of which nothing else is needed leaves its digests alone.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from deployspec.errors import DataFault
from deployspec.ir.model import Task
from deployspec.runners.protocol import Writer
from deployspec.sources.fingerprints import DIGEST_BYTES, DIGESTS_FILE, fingerprints
from deployspec.sources.readers import Batch, read_ahead, read_batches

if TYPE_CHECKING:
    from pathlib import Path

    from deployspec.ir.artifact import Job
    from deployspec.ir.model import Input, Model

SHOWN_ROWS = 5


def prepare(job: Job) -> dict[str, Any]:
    """Write the prepared split; facts: samples, whether labelled, values outside the declared ranges.

    Options: `split` (name), `value` (as in the spec), `task` (kind or None), `classes` (number of labels),
    `labelled` (whether a budget needs y), and `digests_only` where the samples need not be kept. Raises DataFault, with
    the first rows, for an empty split, a shape or dtype that does not fit, NaN, a label out of range, or a y that is
    missing.
    """
    options, names = job.options, tuple(each.name for each in job.model.inputs)
    checker = _Checker(job.model, options)
    columns: dict[str, Writer] = {}
    digests = Writer(job.out / DIGESTS_FILE, np.empty((0, DIGEST_BYTES), np.uint8))
    try:
        for batch in read_batches(job.inputs["data"], _split_value(options), names):
            ready = checker.check(batch)
            if not options.get("digests_only"):
                _append(columns, ready, job.out, options["split"])
            digests.add(fingerprints([ready[name] for name in names]))
    finally:
        lengths = {name: column.close() for name, column in columns.items()}
        samples = digests.close()
    _refuse_lack(options, samples, labelled="y" in lengths)
    if lengths.get("y", samples) != samples:
        raise DataFault(f"data.{options['split']}: {lengths['y']} of its {samples} samples have y; all must, or none")
    return {"samples": samples, "labelled": "y" in columns, "out_of_range": checker.out_of_range}


def refuse_ahead(folder: Path, model: Model, options: dict[str, Any]) -> None:
    """Refuse, in the words of `prepare`, what headers and labels show without a sample being read.

    Takes the options of `prepare`. Raises DataFault. A split that code yields is left for `prepare`, and so is NaN.
    """
    ahead = read_ahead(folder, _split_value(options), tuple(each.name for each in model.inputs))
    if ahead is not None:
        _refuse_lack(options, ahead.samples, labelled="y" in ahead.columns)
        _Checker(model, options).check(ahead.columns)


def _split_value(options: dict[str, Any]) -> str | tuple[str, str]:
    value = options["value"]
    return value if isinstance(value, str) else (value[0], value[1])


def _refuse_lack(options: dict[str, Any], samples: int, *, labelled: bool) -> None:
    if not samples:
        raise DataFault(f"data.{options['split']} is empty: {_split_value(options)}")
    if options["labelled"] and not labelled:
        raise DataFault(
            f"data.{options['split']} has no y, which budgets on it need: {_split_value(options)}; "
            "save the labels beside the samples, as 'y'"
        )


def _append(columns: dict[str, Writer], ready: Batch, out: Path, split: str) -> None:
    """Write a batch's rows behind those of earlier batches: each input to the file of its place, y to its own."""
    for place, (name, rows) in enumerate(ready.items()):
        if name not in columns:
            columns[name] = Writer(out / ("y.npy" if name == "y" else f"{place}.npy"), rows)
        try:
            columns[name].add(rows)
        except ValueError as error:
            raise DataFault(f"data.{split}: '{name}' is not the same in every batch: {error}") from error


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
        self._numbers(declared, stored)
        values = _preprocess(declared, stored, channels_last=self._channels_last)
        if declared.preprocess is None:
            self._same_kind(declared, stored)
        self._shape(declared, values)
        if declared.range is not None:
            low, high = declared.range
            self.out_of_range += int(_rows_with((values < low) | (values > high)).sum())
        return self._cast(declared, values)

    def _numbers(self, declared: Input, stored: np.ndarray) -> None:
        if stored.dtype.kind not in "fiub":
            raise DataFault(f"data.{self._split}: input '{declared.name}' holds {_no_numbers(stored)}")
        if stored.dtype.kind == "f":
            for word, bad in (("NaN", np.isnan(stored)), ("an infinity", np.isinf(stored))):
                self._refuse(_rows_with(bad), f"{word} in input '{declared.name}'")

    def _same_kind(self, declared: Input, stored: np.ndarray) -> None:
        wanted = "f" if "float" in declared.dtype else "iu" if declared.dtype != "bool" else "b"
        if stored.dtype.kind not in wanted:
            raise DataFault(
                f"data.{self._split}: input '{declared.name}' is stored as {stored.dtype} and declared "
                f"{declared.dtype}; store it so, or say with preprocess how one becomes the other"
            )

    def _shape(self, declared: Input, values: np.ndarray) -> None:
        want, have = declared.shape[1:], values.shape[1:]
        if not _fits(want, have):
            written = json.dumps(["batch", *declared.shape])
            raise DataFault(
                f"data.{self._split}: samples of input '{declared.name}' have shape {list(have)}, "
                f"the spec declares {list(want)}"
                + (" after preprocess" if declared.preprocess else "")
                + (f"; the first entry is the batch: shape = {written}" if _fits(declared.shape, have) else "")
            )

    def _cast(self, declared: Input, values: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore", invalid="ignore"):
            cast = values.astype(declared.dtype)
        lost = ~np.isfinite(cast) if cast.dtype.kind == "f" else np.not_equal(cast, values)
        self._refuse(_rows_with(lost), f"input '{declared.name}' overflows {declared.dtype}")
        return cast

    def _labels(self, stored: np.ndarray) -> np.ndarray:
        match self._task:
            case Task.CLASSIFICATION | Task.BINARY:
                return self._class_labels(stored)
            case Task.MULTILABEL:
                if stored.ndim != 2 or stored.shape[1] != self._classes or stored.dtype.kind not in "iub":
                    raise DataFault(
                        f"data.{self._split}: y must be (n, {self._classes}) of 0 and 1, it is {stored.dtype}"
                        f"{list(stored.shape)}" + (': save y.astype("int64")' if stored.dtype.kind == "f" else "")
                    )
                self._refuse(_rows_with(~np.isin(stored, (0, 1))), "y is neither 0 nor 1")
                return stored.astype(np.int64)
            case _:
                if stored.dtype.kind not in "fiub":
                    raise DataFault(f"data.{self._split}: y holds {_no_numbers(stored)}")
                values = stored.astype(np.float64)
                self._refuse(_rows_with(~np.isfinite(values)), "y is NaN or infinite")
                return values if self._task is Task.REGRESSION or stored.dtype.kind == "f" else stored

    def _class_labels(self, stored: np.ndarray) -> np.ndarray:
        if stored.ndim != 1 or stored.dtype.kind not in "iub":
            raise DataFault(
                f"data.{self._split}: y must be (n,) of class indices, it is {stored.dtype}{list(stored.shape)}: "
                + _as_indices(stored)
            )
        if not self._classes:
            raise DataFault(f"data.{self._split} has class labels and [task] names no classes: add labels = […] to it")
        labels = stored.astype(np.int64)
        outside = (labels < 0) | (labels >= self._classes)
        # The stored ones: an unsigned label may be too large for int64.
        values = ", ".join(map(str, dict.fromkeys(stored[outside].tolist()[:SHOWN_ROWS])))
        self._refuse(outside, f"y is {values}, not one of the {self._classes} classes (0 to {self._classes - 1})")
        return labels

    def _refuse(self, bad: np.ndarray | np.bool, what: str) -> None:
        rows = np.flatnonzero(bad)
        if rows.size:
            shown = ", ".join(str(self._seen + row) for row in rows[:SHOWN_ROWS])
            more = f" and {len(rows) - SHOWN_ROWS} more near there" if len(rows) > SHOWN_ROWS else ""
            raise DataFault(f"data.{self._split}: {what}, at sample {shown}{more}")


def _as_indices(stored: np.ndarray) -> str:
    """How labels stored in another way become indices, or which task they may be of."""
    floats = stored.dtype.kind == "f"
    if stored.ndim == 2 and stored.shape[1] > 1:
        other = "a regression or multilabel" if floats else "multilabel"
        return f"save the column of each row's class, y.argmax(1), or is the task {other}?"
    other = ", or is the task a regression?" if floats else ""
    if stored.ndim > 1:
        return f"save them flat, y.reshape(-1){other}"
    if floats:
        return f'save y.astype("int64"){other}'
    return "save each label's place in [task] labels, counted from 0"


def _no_numbers(stored: np.ndarray) -> str:
    texts = "; save each text as numbers, such as the indices of its words or characters"
    return f"{stored.dtype}, which are no numbers" + (texts if stored.dtype.kind in "US" else "")


def _fits(shape: tuple[int | str, ...], found: tuple[int, ...]) -> bool:
    """Whether an array of shape `found` is one that `shape` declares."""
    return len(shape) == len(found) and all(isinstance(w, str) or w == h for w, h in zip(shape, found, strict=True))


def _rows_with(flags: np.ndarray) -> np.ndarray:
    """Which rows (n,) hold a flag; a split may have no rows at all."""
    return np.asarray(flags.any(axis=tuple(range(1, flags.ndim))))


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
        values = np.moveaxis(values, channel, min(1, values.ndim - 1))
    elif layout == "nchw" and channels_last:
        values = np.moveaxis(values, channel, -1)
    return np.ascontiguousarray(values)


def _per_channel(numbers: tuple[float | int, ...], values: np.ndarray, axis: int) -> np.ndarray:
    """`numbers` shaped to broadcast along `axis`; a single number holds for every channel."""
    if len(numbers) not in (1, values.shape[axis]):
        raise DataFault(f"preprocess has {len(numbers)} means or deviations for {values.shape[axis]} channels")
    shape = [1] * values.ndim
    shape[axis] = len(numbers)
    return np.array([float(number) for number in numbers]).reshape(shape)
