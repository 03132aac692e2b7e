"""Exact leakage: samples of a judged split that also stand in another one, byte for byte."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from deployspec.ir.data import SPLITS, UNJUDGED_SPLITS
from deployspec.measure.hygiene.features import constant_features
from deployspec.sources.fingerprints import DIGESTS_FILE
from deployspec.wording import some

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from deployspec.ir.artifact import Job

LEAKED_FILE: Final = "leaked.npy"
"""In the step's output: the rows of the split, ascending, that also stand in a split which it must not share."""

_BLOCK: Final = 1 << 16

Found = dict[int, int]
"""Rows of the judged split, each with the row of another split that holds the same sample."""


def find_leaks(job: Job) -> dict[str, Any]:
    """A step: hold the split of the role "data" against those of the other roles, which are named as in the spec.

    Writes `leaked.npy`; facts: `samples`, `leaked` and `remarks`, which also tell of samples in a split that is judged
    too, of copies within the split, and of features that never vary in it. Memory grows with the judged split alone.
    """
    split, index = job.options["split"], _Index(job.inputs["data"])
    found = {other: index.found(job.inputs[other]) for other in SPLITS if other in job.inputs}
    unjudged: dict[str, Found] = {other: found[other] for other in UNJUDGED_SPLITS if other in found}
    leaked = index.alike({row for rows in unjudged.values() for row in rows})
    np.save(job.out / LEAKED_FILE, leaked)
    remarks = [
        *_leaks(split, len(leaked), len(index), unjudged),
        *_shared(split, len(index), {other: rows for other, rows in found.items() if other not in unjudged}),
        *index.copies(split),
        *constant_features(job),
    ]
    return {"samples": len(index), "leaked": len(leaked), "remarks": remarks}


class _Index:
    """Where each sample of a prepared split stands first."""

    def __init__(self, prepared: Path) -> None:
        self._digests = [digest for block in _digests(prepared) for digest in block]
        last = len(self) - 1
        self._first = {digest: last - i for i, digest in enumerate(reversed(self._digests))}

    def __len__(self) -> int:
        return len(self._digests)

    def found(self, prepared: Path) -> Found:
        """Of each sample that the other split holds too, the first row here and the first one there."""
        rows: Found = {}
        there = 0
        for block in _digests(prepared):
            for digest in block:
                if digest in self._first:
                    rows.setdefault(self._first[digest], there)
                there += 1
        return dict(sorted(rows.items()))

    def alike(self, first: set[int]) -> np.ndarray:
        """Every row that holds the same sample as one of the rows `first`, ascending."""
        return np.array([row for row, digest in enumerate(self._digests) if self._first[digest] in first], np.int64)

    def copies(self, split: str) -> Iterator[str]:
        """What there is to say of samples that stand in this split more than once."""
        copies = [(self._first[each], row) for row, each in enumerate(self._digests) if self._first[each] != row]
        if copies:
            pairs = some([f"{split}:{row} = {split}:{first}" for first, row in copies])
            yield f"{len(copies)} of {len(self)} samples repeat another of the split, and count as independent: {pairs}"


def _digests(prepared: Path) -> Iterator[list[bytes]]:
    """The split's digests in order, in blocks."""
    stored = np.load(prepared / DIGESTS_FILE, mmap_mode="r")
    for start in range(0, len(stored), _BLOCK):
        rows = np.ascontiguousarray(stored[start : start + _BLOCK])
        yield rows.view(f"V{rows.shape[1]}").ravel().tolist()


def _leaks(split: str, leaked: int, n: int, found: Mapping[str, Found]) -> Iterator[str]:
    if leaked:
        where = ", ".join(f"{other} ({len(rows)})" for other, rows in found.items() if rows)
        pairs = [f"{split}:{here} ↔ {other}:{there}" for other, rows in found.items() for here, there in rows.items()]
        yield f"{leaked} of {n} samples also stand in {where}, and no quality figure counts them: {some(pairs)}"


def _shared(split: str, n: int, found: Mapping[str, Found]) -> Iterator[str]:
    for other, rows in found.items():
        if rows:
            pairs = [f"{split}:{here} ↔ {other}:{there}" for here, there in rows.items()]
            yield f"{len(rows)} of {n} samples also stand in {other}, which is judged as well: {some(pairs)}"
