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
    """Of each sample its distances (n, k) to the k nearest others, ascending, and which of all is `closest` (n,).

    Unless they are `exact`, only the cells around a sample were searched, and what lies in another was missed.
    """

    distances: np.ndarray
    closest: np.ndarray
    exact: bool


def nearest(likeness: Likeness, folder: Path, others: Sequence[Path], *, inputs: int, k: int) -> Neighbours:
    """The k nearest neighbours of each sample of a prepared split among those of `others`, counted through in order.

    Memory grows with the others: the index holds 4 d + 8 bytes for each of their vectors of d values, 1.03 GB for a
    million of 256, and its lists take up to twice that while they grow. Beside it stand 8 k + 16 bytes for each sample
    of the split. Samples are read block by block from mapped files.
    """
    count = sum(len(np.load(other / "0.npy", mmap_mode="r")) for other in others)
    exact = count <= MOST_EXACT
    index = _exactly(likeness, others, inputs) if exact else _in_cells(likeness, others, inputs, count)
    for other in others:
        for block in blocks(other, inputs):
            index.add(likeness.stored(block))
    parts = [_search(index, likeness, block, k) for block in blocks(folder, inputs)]
    distances, closest = (np.concatenate(each) for each in zip(*parts, strict=True))
    return Neighbours(distances, closest, exact=exact)


def _exactly(likeness: Likeness, others: Sequence[Path], inputs: int) -> Any:
    """An empty index that looks at every sample."""
    import faiss

    sample = [column[:1] for column in next(blocks(others[0], inputs))]
    return faiss.IndexFlatL2(likeness.stored(sample).shape[1])


def _in_cells(likeness: Likeness, others: Sequence[Path], inputs: int, count: int) -> Any:
    """An empty index of cells, which some of the samples show."""
    import faiss

    every = max(1, count // (_CELLS * _SAMPLES_PER_CELL))
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
