"""Gives other people's code what it may read of a folder that is hidden from it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection


def give(source: Path, target: Path, without: Collection[str] = ()) -> None:
    """Link the file, or the files of the folder, `source` to `target`, which nobody to whom it is given may write to.

    Files that lie in `source` itself are left out if they are called one of `without`; those that lie deeper are not.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(
            source, target, copy_function=_link, ignore=lambda folder, _: without if Path(folder) == source else ()
        )
    else:
        _link(str(source), str(target))


def _link(source: str, target: str) -> None:
    """The same file under another name; a copy where the file system knows no such thing."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
