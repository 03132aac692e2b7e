"""Takes what other people's code wrote from where it may still write to."""

from __future__ import annotations

import os
import shutil
import stat
from typing import TYPE_CHECKING

from deployspec.errors import DigestMismatch

if TYPE_CHECKING:
    from pathlib import Path


def take(source: Path, target: Path) -> None:
    """Copy the folder `source` into `target`: what is still running may change the one, and never the other.

    No link is followed: it is copied as a link, for others to refuse. Raises DigestMismatch for what is neither file,
    folder nor link, OSError for what cannot be read or written.
    """
    descriptor = os.open(source, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        _take(descriptor, target)
    finally:
        os.close(descriptor)


def _take(source: int, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for name in os.listdir(source):
        kind = os.lstat(name, dir_fd=source).st_mode
        if stat.S_ISLNK(kind):
            (target / name).symlink_to(os.readlink(name, dir_fd=source))
            continue
        # The kind is asked of the opened file, so that it cannot be swapped between.
        opened = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=source)
        try:
            _take_opened(opened, name, target / name)
        finally:
            os.close(opened)


def _take_opened(opened: int, name: str, target: Path) -> None:
    kind = os.fstat(opened).st_mode
    if stat.S_ISDIR(kind):
        _take(opened, target)
    elif stat.S_ISREG(kind):
        with open(opened, "rb", closefd=False) as stream, target.open("xb") as copy:
            shutil.copyfileobj(stream, copy, 1 << 20)
    else:
        raise DigestMismatch(f"{name!r} is neither a file nor a folder")
