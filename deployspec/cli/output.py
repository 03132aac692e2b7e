"""Files that commands write: whole under their names, or not at all."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from deployspec.errors import UsageError


def write_whole(path: Path, data: bytes) -> None:
    """Put `data` into the file in one step, keeping the mode of one that is there. Raises UsageError."""
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(data)  # a pipe or a terminal has no whole to keep
        else:
            _replace(Path(os.path.realpath(path)), data)  # a link stays one
    except OSError as error:
        raise UsageError(f"cannot write '{path}': {error.strerror}") from None


def _replace(path: Path, data: bytes) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("xb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        with suppress(FileNotFoundError):
            draft.chmod(path.stat().st_mode & 0o777)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
