"""Inputs from the edge of what a spec declares: the few on which an artifact must behave as on any other."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from deployspec.contract import probe_inputs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from deployspec.ir.artifact import Job
    from deployspec.ir.model import Input

NAMES: Final = "names.json"
"""Inside the step's output: what each row is called."""

_EVERY_CORNER: Final = 4
"""Of so many inputs every combination of their ends is tried; of more, each end with the others at their lower one."""


def prepare_cases(job: Job) -> dict[str, Any]:
    """A step: write one `<i>.npy` an input, in the declared dtype, a row a case; all of it legal input.

    The cases are the corners of the inputs' ranges (and with them the largest legal magnitude), zeros, the middle,
    denormals, both ends mixed, a draw from the whole range and a sample.
    """
    legal = [_legal(job, i, sample[:1]) for i, sample in enumerate(probe_inputs(job))]
    rows: dict[tuple[bytes, ...], str] = {}
    kept: list[tuple[np.ndarray, ...]] = []
    for name, arrays in _cases(legal, np.random.Generator(np.random.PCG64(job.seed))):
        content = tuple(each.tobytes() for each in arrays)
        if content not in rows:
            rows[content] = name
            kept.append(arrays)
    for i, column in enumerate(zip(*kept, strict=True)):
        np.save(job.out / f"{i}.npy", np.concatenate(column))
    (job.out / NAMES).write_text(json.dumps(list(rows.values())))
    return {"samples": len(kept), "remarks": [each.remark for each in legal if each.remark]}


@dataclass(frozen=True)
class _Legal:
    """One input: an ordinary sample (1, …), and the ends of its legal values. `remark` says where these come from."""

    declared: Input
    sample: np.ndarray
    low: float
    high: float
    remark: str = ""

    @property
    def has_zero(self) -> bool:
        return self.low <= 0 <= self.high

    def filled(self, values: Any) -> np.ndarray:
        """A sample of `values`, broadcast over it; of those that are not legal, the nearest that is."""
        whole = np.broadcast_to(np.clip(np.asarray(values, np.float64), self.low, self.high), self.sample.shape)
        if self.sample.dtype.kind in "iu":
            whole = np.clip(np.rint(whole), np.ceil(self.low), np.floor(self.high))
        return whole.astype(self.sample.dtype)

    def denormals(self) -> np.ndarray:
        """The smallest and the largest number below the normal ones, in turn."""
        if self.sample.dtype.kind != "f" or not self.has_zero:
            return self.sample
        limits = np.finfo(self.sample.dtype)
        least, normal = float(limits.smallest_subnormal), float(limits.tiny)
        values = np.resize([least, normal - least], self.sample.shape)
        return self.filled(values if self.high > 0 else -values)

    def in_turn(self) -> np.ndarray:
        return self.filled(np.resize([self.low, self.high], self.sample.shape))


def _cases(legal: Sequence[_Legal], generator: np.random.Generator) -> Iterator[tuple[str, tuple[np.ndarray, ...]]]:
    for ends in _corners(legal):
        told = (f"{each.declared.name} all {end:g}" for each, end in zip(legal, ends, strict=True))
        yield ", ".join(told), tuple(each.filled(end) for each, end in zip(legal, ends, strict=True))
    if any(each.has_zero for each in legal):
        yield "zeros", tuple(each.filled(0) if each.has_zero else each.sample for each in legal)
    yield "the middle of the range", tuple(each.filled(each.low / 2 + each.high / 2) for each in legal)
    yield "denormals", tuple(each.denormals() for each in legal)
    yield "both ends of the range in turn", tuple(each.in_turn() for each in legal)
    ups = [generator.integers(0, 2, each.sample.shape) > 0 for each in legal]
    mixed = (each.filled(np.where(up, each.high, each.low)) for each, up in zip(legal, ups, strict=True))
    yield "both ends of the range at random", tuple(mixed)
    shares = [generator.uniform(0, 1, each.sample.shape) for each in legal]
    drawn = (each.filled(each.low * (1 - up) + each.high * up) for each, up in zip(legal, shares, strict=True))
    yield "values from the whole range", tuple(drawn)
    yield "a sample", tuple(each.sample for each in legal)


def _corners(legal: Sequence[_Legal]) -> Iterator[tuple[float, ...]]:
    """The value of each input at the corners of the box of their ranges."""
    if len(legal) <= _EVERY_CORNER:
        yield from itertools.product(*((each.low, each.high) for each in legal))
        return
    yield tuple(each.low for each in legal)
    yield tuple(each.high for each in legal)
    for one in legal:
        yield tuple(each.high if each is one else each.low for each in legal)


def _legal(job: Job, i: int, sample: np.ndarray) -> _Legal:
    """The declared range; without one that of the first split that the step was given, else of the contract's probe."""
    declared = job.model.inputs[i]
    if declared.range is not None:
        return _Legal(declared, sample, *_within(sample.dtype, *map(float, declared.range)))
    if sample.dtype.kind == "b":
        return _Legal(declared, sample, 0, 1)
    split = next(iter(job.inputs), None)
    seen = np.load(job.inputs[split] / f"{i}.npy", mmap_mode="r") if split else probe_inputs(job)[i]
    low, high = float(seen.min()), float(seen.max())
    whose = f"of the {split} split" if split else "of the inputs that the contract draws"
    remark = f"input '{declared.name}' declares no range: that {whose} was taken, {low:g} to {high:g}"
    return _Legal(declared, sample, low, high, remark)


def _within(dtype: np.dtype[Any], low: float, high: float) -> tuple[float, float]:
    """The part of a range that the dtype can hold."""
    if dtype.kind == "b":
        return max(low, 0), min(high, 1)
    if dtype.kind == "f":
        limits = np.finfo(dtype)
        return max(low, float(limits.min)), min(high, float(limits.max))
    whole = np.iinfo(dtype)
    largest = float(whole.max) if dtype.itemsize < 8 else float(np.nextafter(2.0**63, 0))  # 2**63 - 1 rounds up
    return max(low, float(whole.min)), min(high, largest)
