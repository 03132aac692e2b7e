"""Reads a data split as batches of stored samples: .npz, a pair of .npy files, or a callable that yields.

Every reader gives batches in file order and never the whole split, so that memory does not grow with it.
Object arrays are refused: no pickle is ever loaded.
"""

from __future__ import annotations

import zipfile
import zlib
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, TypeGuard

import numpy as np

from deployspec.errors import DataFault
from deployspec.runners.callables import import_file
from deployspec.runners.protocol import read_header

if TYPE_CHECKING:
    from collections.abc import Iterator

BATCH_BYTES: Final = 4 << 20

# RuntimeError is how zipfile refuses encryption and unknown compression; MemoryError meets a header that lies.
_UNREADABLE: Final = (zipfile.BadZipFile, zlib.error, OSError, ValueError, EOFError, RuntimeError, MemoryError)

Batch = dict[str, np.ndarray]
"""Rows of some samples: one array per input name, and "y" where the split has labels."""


@dataclass(frozen=True)
class Ahead:
    """What a split's file tells without its samples."""

    samples: int
    columns: Batch
    """Of each input no row, in the stored shape and dtype; y whole, where there is one."""


def read_batches(folder: Path, split: str | tuple[str, str], names: tuple[str, ...]) -> Iterator[Batch]:
    """The split's batches; `names` are the model's inputs. Raises DataFault with the file and the reason."""
    if _is_code(split):
        yield from _callable(folder, split, names)
    else:
        with _opened(folder, split, names) as columns:
            yield from _batches(columns)


def read_ahead(folder: Path, split: str | tuple[str, str], names: tuple[str, ...]) -> Ahead | None:
    """The split's headers and its labels; None where only running its code would tell. Raises DataFault."""
    if _is_code(split):
        return None
    with _opened(folder, split, names) as columns:
        known = {name: column.read(column.length if name == "y" else 0) for name, column in columns.items()}
        return Ahead(columns[names[0]].length, known)


def _is_code(split: str | tuple[str, str]) -> TypeGuard[str]:
    return isinstance(split, str) and ":" in split


@contextmanager
def _opened(folder: Path, split: str | tuple[str, str], names: tuple[str, ...]) -> Iterator[dict[str, _Column]]:
    """The columns of a file, or of a pair; whatever is wrong with its bytes is a DataFault."""
    said = split if isinstance(split, str) else " with ".join(Path(each).name for each in split)
    try:
        with ExitStack() as opened:
            streams = _streams(folder, split, names, opened)
            yield _columns(said, streams)
    except zipfile.BadZipFile as error:
        raise DataFault(f"{said} is not a whole .npz file: write it with numpy.savez") from error
    except _UNREADABLE as error:
        raise DataFault(f"{said} cannot be read: {error}") from error


def _streams(
    folder: Path, split: str | tuple[str, str], names: tuple[str, ...], opened: ExitStack
) -> dict[str, IO[bytes]]:
    """For each input, and y, the .npy that holds it, open for as long as `opened` is."""
    if not isinstance(split, str):
        if len(names) != 1:
            raise DataFault("a pair of .npy files holds one input and y: write an .npz with the inputs' names")
        return {
            name: opened.enter_context((folder / each).open("rb"))
            for name, each in zip((*names, "y"), split, strict=True)
        }
    if not split.endswith(".npz"):
        raise DataFault(f"{split}: this version reads .npz, a pair of .npy files, or module.py:callable")
    archive = opened.enter_context(zipfile.ZipFile(folder / split))
    members = {name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")}
    keys = _keys(split, members, names)
    return {name: opened.enter_context(archive.open(f"{key}.npy")) for name, key in keys.items()}


def _keys(file: str, members: set[str], names: tuple[str, ...]) -> dict[str, str]:
    """For each input, and y, the member of the archive that holds it."""
    keys = {name: name for name in names if name in members}
    if len(names) == 1 and not keys and "x" in members:
        keys = {names[0]: "x"}
    missing = [name for name in names if name not in keys]
    if missing:
        held = ", ".join(sorted(members)) or "nothing"
        advice = "call the samples so, or x" if len(names) == 1 else "call each input's samples by its name"
        raise DataFault(f"{file} has no array '{missing[0]}'; it holds {held}: {advice}, and the labels y")
    return keys | ({"y": "y"} if "y" in members else {})


def _columns(file: str, streams: dict[str, IO[bytes]]) -> dict[str, _Column]:
    """A column of each stream, all of one length."""
    columns = {name: _Column(name, stream) for name, stream in streams.items()}
    lengths = {name: column.length for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise DataFault(f"{file}: the arrays hold different numbers of samples: {said}")
    return columns


def _batches(columns: dict[str, _Column]) -> Iterator[Batch]:
    rows = max(1, BATCH_BYTES // max(1, *(column.row_bytes for column in columns.values())))
    total = next(iter(columns.values())).length
    for start in range(0, total, rows):
        yield {name: column.read(min(rows, total - start)) for name, column in columns.items()}


class _Column:
    """One .npy stream, read forward by rows."""

    def __init__(self, name: str, stream: Any) -> None:
        self._stream = stream
        shape, fortran, self._dtype = read_header(stream)
        if self._dtype.hasobject:
            advice = 'each label as an index, with astype("int64")' if name == "y" else "numbers only"
            raise ValueError(f"array '{name}' holds Python objects; save {advice}")
        if not shape:
            raise ValueError(f"array '{name}' is a single number; it must have one row per sample")
        if fortran:
            raise ValueError(f"array '{name}' is in Fortran order; save numpy.ascontiguousarray of it")
        self.length: int = shape[0]
        self._row = shape[1:]
        self.row_bytes = int(np.prod(self._row, dtype=np.int64)) * self._dtype.itemsize

    def read(self, rows: int) -> np.ndarray:
        wanted = rows * self.row_bytes
        data = self._stream.read(wanted)
        if len(data) != wanted:
            raise EOFError("the file ends in the middle of its samples")
        return np.frombuffer(data, self._dtype).reshape(rows, *self._row)


def _callable(folder: Path, split: str, names: tuple[str, ...]) -> Iterator[Batch]:
    """`module.py:callable` yields dicts of the inputs' names (and y), or (x, y) pairs for a single input."""
    file, _, name = split.partition(":")
    try:
        for batch in getattr(import_file((folder / file).resolve(), "split"), name)():
            yield _as_batch(split, batch, names)
    except DataFault:
        raise
    except Exception as error:
        raise DataFault(f"{split} raised {type(error).__name__}: {error}") from error


def _as_batch(split: str, batch: Any, names: tuple[str, ...]) -> Batch:
    if isinstance(batch, tuple) and len(names) == 1:
        batch = dict(zip((names[0], "y"), batch, strict=False))
    if not isinstance(batch, dict) or any(name not in batch for name in names):
        raise DataFault(f"{split} must yield a dict with {', '.join(names)} (and y), or (x, y) for a single input")
    arrays = {key: np.asarray(value) for key, value in batch.items() if key in (*names, "y")}
    if len({len(array) for array in arrays.values()}) > 1:
        raise DataFault(f"{split} yielded arrays with different numbers of samples")
    return arrays
