"""As what samples are compared: vectors, the distance between which says how alike two samples are."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from deployspec.ir.model import Model

MOST_DIMENSIONS: Final = 256
"""Longer vectors are projected at random onto so many, which keeps distances within some percent."""

SIDE: Final = 16
"""Larger images are averaged down to squares of so many cells."""

SHIFT: Final = 1
"""The cells, or pixels of a small image, by which one may be shifted against another in each direction."""

_SMALLEST_SIDE: Final = 6
_MOST_CHANNELS: Final = 4
_ROWS: Final = 1 << 16
_BYTES: Final = 16 << 20


class Likeness(Protocol):
    """How samples become vectors."""

    def stored(self, columns: Sequence[np.ndarray]) -> np.ndarray:
        """Samples, one array (n, …) an input, as float32 vectors (n, d) to be found."""

    def sought(self, columns: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
        """The vectors that a sample is looked for as: the best of them counts."""


def likeness(model: Model, folders: Sequence[Path]) -> Likeness:
    """What suits the model's inputs, of which `folders` hold prepared samples."""
    shape = np.load(folders[0] / "0.npy", mmap_mode="r").shape[1:]
    channels_last = model.framework == "keras"
    if len(model.inputs) == 1 and _is_image(shape, channels_last=channels_last):
        return Images(channels_last=channels_last)
    return Vectors.scaled_to(block for folder in folders for block in blocks(folder, len(model.inputs)))


def blocks(folder: Path, inputs: int, every: int = 1) -> Iterator[list[np.ndarray]]:
    """A prepared split in order, some rows at a time, one array an input; of each `every` rows one."""
    stored = [np.load(folder / f"{i}.npy", mmap_mode="r")[::every] for i in range(inputs)]
    rows = max(1, min(_ROWS, _BYTES // max(1, sum(each[:1].nbytes for each in stored))))
    for start in range(0, len(stored[0]), rows):
        yield [np.asarray(each[start : start + rows]) for each in stored]


def _is_image(shape: tuple[int, ...], *, channels_last: bool) -> bool:
    """Whether samples are (channels, height, width), or (height, width, channels), of an image's sizes."""
    if len(shape) != 3:
        return False
    channels, *sides = (shape[-1], *shape[:-1]) if channels_last else shape
    return channels <= _MOST_CHANNELS and min(sides) >= _SMALLEST_SIDE


@dataclass(frozen=True)
class Images:
    """Brightness and contrast do not count, nor does a shift by a cell: the middle is sought at each place."""

    channels_last: bool

    def stored(self, columns: Sequence[np.ndarray]) -> np.ndarray:
        """The middle of each image, normalised."""
        cells = self._cells(columns)
        return _normalised(cells[..., SHIFT:-SHIFT, SHIFT:-SHIFT])

    def sought(self, columns: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
        """As large a piece from each place that a shift leads to, normalised."""
        cells = self._cells(columns)
        height, width = (side - 2 * SHIFT for side in cells.shape[2:])
        for top in range(2 * SHIFT + 1):
            for left in range(2 * SHIFT + 1):
                yield _normalised(cells[..., top : top + height, left : left + width])

    def _cells(self, columns: Sequence[np.ndarray]) -> np.ndarray:
        images = np.asarray(columns[0], np.float32)
        if self.channels_last:
            images = np.moveaxis(images, -1, 1)
        return _averaged(_averaged(images, 2), 3)


def _averaged(images: np.ndarray, axis: int) -> np.ndarray:
    """Along the axis at most `SIDE` means of neighbouring values."""
    side = images.shape[axis]
    edges = np.arange(min(side, SIDE)) * side // min(side, SIDE)
    sizes = np.diff([*edges, side]).astype(np.float32)
    shape = [1] * images.ndim
    shape[axis] = len(sizes)
    return np.asarray(np.add.reduceat(images, edges, axis=axis) / sizes.reshape(shape))


def _normalised(pieces: np.ndarray) -> np.ndarray:
    """Flat, of mean 0 and length 1; a piece of one colour is all zeros."""
    flat = np.ascontiguousarray(pieces).reshape(len(pieces), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    return np.asarray(flat / np.maximum(length, np.finfo(np.float32).tiny))


@dataclass(frozen=True)
class Vectors:
    """Each value in units of its own standard deviation; values that never vary do not count."""

    scale: np.ndarray
    projection: np.ndarray | None

    @classmethod
    def scaled_to(cls, samples: Iterator[Sequence[np.ndarray]]) -> Vectors:
        """For samples of the spread of these, given in blocks."""
        count, total, squares, origin = 0, np.zeros(1), np.zeros(1), None
        for block in samples:
            flat = _flat(block).astype(np.float64)
            origin = flat[0].copy() if origin is None else origin  # sums of squares about a sample keep their digits
            flat -= origin
            count, total, squares = count + len(flat), total + flat.sum(axis=0), squares + np.square(flat).sum(axis=0)
        deviation = np.sqrt(np.maximum(squares / count - (total / count) ** 2, 0))
        scale = np.divide(1, deviation, out=np.zeros_like(deviation), where=deviation > 0).astype(np.float32)
        return cls(scale, _projection(len(scale)))

    def stored(self, columns: Sequence[np.ndarray]) -> np.ndarray:
        """All inputs of a sample side by side."""
        scaled = _flat(columns) * self.scale
        return np.asarray(scaled if self.projection is None else scaled @ self.projection)

    def sought(self, columns: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
        """The same."""
        yield self.stored(columns)


def _flat(columns: Sequence[np.ndarray]) -> np.ndarray:
    """One row a sample (n, values), float32."""
    flat = [each.reshape(len(each), prod(each.shape[1:])).astype(np.float32) for each in columns]
    return np.concatenate(flat, axis=1)


def _projection(values: int) -> np.ndarray | None:
    """A seeded Gaussian matrix (values, MOST_DIMENSIONS) that keeps lengths on average; None where it is not needed."""
    if values <= MOST_DIMENSIONS:
        return None
    drawn = np.random.Generator(np.random.PCG64(0)).standard_normal((values, MOST_DIMENSIONS), np.float32)
    return drawn / np.float32(MOST_DIMENSIONS**0.5)
