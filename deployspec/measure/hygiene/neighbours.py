"""The nearest neighbours of samples among others, searched by faiss: exactly, or in the cells nearby of many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from deployspec.measure.hygiene.likeness import blocks

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from deployspec.measure.hygiene.likeness import Likeness

MOST_EXACT: Final = 50_000
"""Among more samples than this, the search looks into the cells around a sample only."""

_CELLS: Final = 2048
_CELLS_SEARCHED: Final = 8
_SAMPLES_PER_CELL: Final = 40


@dataclass(frozen=True)
class Neighbours:
    """Of each sample its distances (n, k) to the k nearest others, ascending, and which of all is `closest` (n,)."""

    distances: np.ndarray
    closest: np.ndarray


def nearest(likeness: Likeness, folder: Path, others: Sequence[Path], *, inputs: int, k: int) -> Neighbours:
    """The k nearest neighbours of each sample of a prepared split among those of `others`, counted through in order."""
    index = _index(likeness, others, inputs)
    parts = [_search(index, likeness, block, k) for block in blocks(folder, inputs)]
    distances, closest = (np.concatenate(each) for each in zip(*parts, strict=True))
    return Neighbours(distances, closest)


def _index(likeness: Likeness, others: Sequence[Path], inputs: int) -> Any:
    """A faiss index of all samples of `others`."""
    index = _empty(likeness, others, inputs)
    for folder in others:
        for block in blocks(folder, inputs):
            index.add(likeness.stored(block))
    return index


def _empty(likeness: Likeness, others: Sequence[Path], inputs: int) -> Any:
    """An index to add samples to: exact for few, for many of cells that some of them show."""
    import faiss

    n = sum(len(np.load(folder / "0.npy", mmap_mode="r")) for folder in others)
    if n <= MOST_EXACT:
        sample = [column[:1] for column in next(blocks(others[0], inputs))]
        return faiss.IndexFlatL2(likeness.stored(sample).shape[1])
    every = max(1, n // (_CELLS * _SAMPLES_PER_CELL))
    some = np.concatenate([likeness.stored(block) for folder in others for block in blocks(folder, inputs, every)])
    dimensions = some.shape[1]
    cells = min(_CELLS, len(some) // _SAMPLES_PER_CELL)
    index = faiss.IndexIVFFlat(faiss.IndexFlatL2(dimensions), dimensions, cells)
    index.nprobe = _CELLS_SEARCHED
    index.train(some)
    return index


def _search(index: Any, likeness: Likeness, block: Sequence[np.ndarray], k: int) -> tuple[np.ndarray, np.ndarray]:
    """Distances (n, k), infinite where fewer were found, and the closest (n,).

    What is found by several of a sample's vectors counts once, at its best.
    """
    found = [index.search(np.ascontiguousarray(vectors), k) for vectors in likeness.sought(block)]
    squares, ids = (np.concatenate(each, axis=1) for each in zip(*found, strict=True))
    squares[ids < 0] = np.inf
    order = np.lexsort((squares, ids), axis=1)
    squares, ids = (np.take_along_axis(each, order, axis=1) for each in (squares, ids))
    squares[:, 1:][ids[:, 1:] == ids[:, :-1]] = np.inf
    order = np.argsort(squares, axis=1)[:, :k]
    squares, ids = (np.take_along_axis(each, order, axis=1) for each in (squares, ids))
    return np.sqrt(np.maximum(squares, 0)), ids[:, 0]
