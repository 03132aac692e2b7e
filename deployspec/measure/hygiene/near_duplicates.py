"""Near-duplicates: samples of a judged split that are far closer to one of another split than to all the rest there.

A sample's distance to its nearest neighbour is held against that to its sixteenth. Where points lie evenly in D
dimensions, and none was copied, (d1 / dk)^D is Beta(1, k - 1) distributed, so that d1 is below r * dk with a chance of
about (k - 1) * r^D: r is chosen for one false alarm in a thousand samples, D as Levina and Bickel estimate it (Maximum
likelihood estimation of intrinsic dimension, NIPS 2004). In few dimensions neighbours are close by nature, and
only copies that are closer still are told from them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from deployspec.ir.data import UNJUDGED_SPLITS
from deployspec.measure.hygiene.likeness import likeness
from deployspec.measure.hygiene.neighbours import Neighbours, nearest
from deployspec.wording import some

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from deployspec.ir.artifact import Job

NEAR_FILE: Final = "near.npy"
"""In the step's output: the rows of the split, ascending, that have a near-duplicate in a split it must not share."""

NEIGHBOURS: Final = 16
FALSE_ALARMS: Final = 0.001
"""The share of unrelated samples that may be called near-duplicates."""

CLOSEST: Final = 0.25
"""However many dimensions there are, a near-duplicate is four times closer than the sixteenth neighbour."""


def find_near_duplicates(job: Job) -> dict[str, Any]:
    """A step: hold the split of the role "data" against train, calibration and tuning, as far as there are such roles.

    Writes `near.npy`; facts: `near` (None where there are too few samples to compare with), `reason` and `remarks`.
    """
    others = [split for split in UNJUDGED_SPLITS if split in job.inputs]
    lengths = [len(np.load(job.inputs[split] / "0.npy", mmap_mode="r")) for split in others]
    if sum(lengths) < NEIGHBOURS:
        reason = f"{sum(lengths)} samples in {', '.join(others)} are too few to tell close from near: {NEIGHBOURS} do"
        return {"near": None, "reason": reason, "remarks": []}
    folders = [job.inputs["data"], *(job.inputs[split] for split in others)]
    alike = likeness(job.model, folders)
    found = nearest(alike, folders[0], folders[1:], inputs=len(job.model.inputs), k=NEIGHBOURS)
    near = np.flatnonzero(is_near(found.distances))
    np.save(job.out / NEAR_FILE, near)
    remarks = list(_told(job.options["split"], near, found, others, lengths))
    return {"near": len(near), "reason": "", "remarks": remarks}


def is_near(distances: np.ndarray) -> np.ndarray:
    """Which rows (n,) are near-duplicates, from each one's distances (n, k) to its k nearest neighbours, ascending.

    An infinite distance is one that is not known; it tells nothing.
    """
    told = np.isfinite(distances[:, -1])
    if not told.any():
        return np.zeros(len(distances), bool)
    alarm = FALSE_ALARMS / (distances.shape[1] - 1)
    closest = min(CLOSEST, alarm ** (1 / max(1.0, dimension(distances[told]))))
    return np.asarray(told & (distances[:, 0] <= closest * distances[:, -1]))


def dimension(distances: np.ndarray) -> float:
    """The dimensions in which points with these distances (n, k) seem to lie.

    The median over the points, without each one's nearest, which may be its copy.
    """
    k = distances.shape[1]
    inner, outer = np.maximum(distances[:, 1:-1], np.finfo(np.float32).tiny), distances[:, -1:]
    spread = np.median(np.log(np.maximum(outer, inner) / inner).mean(axis=1))
    expected = np.mean([sum(1 / m for m in range(j, k)) for j in range(2, k)])
    return float(expected / spread) if spread else float("inf")


def _told(
    split: str, near: np.ndarray, found: Neighbours, others: Sequence[str], lengths: Sequence[int]
) -> Iterator[str]:
    if not found.exact:
        among = f"{sum(lengths):,} samples of {', '.join(others)}"
        yield f"searched in the cells around each sample of {split} only, as {among} are many: a copy may be missed"
    if not len(near):
        return
    starts = np.cumsum([0, *lengths])
    pairs = []
    for row in near[np.argsort(found.distances[near, 0], kind="stable")].tolist():
        there = int(found.closest[row])
        place = int(np.searchsorted(starts, there, side="right")) - 1
        pairs.append(f"{split}:{row} ≈ {others[place]}:{there - starts[place]}")
    n = len(found.closest)
    yield f"{len(near)} of {n} samples have a near-duplicate in {' or '.join(others)}, the closest first: {some(pairs)}"
