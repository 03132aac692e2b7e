"""Arrays by their names, in .npz files that users name: read without a pickle, written whole or not at all."""

from __future__ import annotations

import os
import zipfile
import zlib
from typing import TYPE_CHECKING, Final

import numpy as np

from deployspec.errors import DataFault, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# RuntimeError is how zipfile refuses encryption and unknown compression; MemoryError meets a header that lies.
_UNREADABLE: Final = (zlib.error, OSError, ValueError, EOFError, RuntimeError, MemoryError)


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Every array of an .npz by its name. Raises DataFault for what is no whole .npz; no pickle is ever loaded."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [each for each in archive.namelist() if each.endswith(".npy")]
            return {each.removesuffix(".npy"): _array(archive, each) for each in members}
    except zipfile.BadZipFile:
        raise DataFault(f"{path} is not a whole .npz file: write it with numpy.savez") from None
    except _UNREADABLE as error:
        raise DataFault(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _array(archive: zipfile.ZipFile, member: str) -> np.ndarray:
    with archive.open(member) as stream:
        array: np.ndarray = np.load(stream, allow_pickle=False)
        return array


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write an .npz whole or not at all, the same bytes for the same arrays. Raises UsageError.

    numpy.savez takes no array called `file`, and an output may be called so.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with zipfile.ZipFile(draft, "w") as archive:
            for name, array in arrays.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
                    np.save(stream, array, allow_pickle=False)
        draft.replace(path)
    except OSError as error:
        raise UsageError(f"cannot write '{path}': {error.strerror or error}") from None
    finally:
        draft.unlink(missing_ok=True)
