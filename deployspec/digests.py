"""SHA-256 of files and folders, the one way in which this project names bytes."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from typing import TYPE_CHECKING, Any, Final

from deployspec.errors import DigestMismatch

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


MANIFEST_SUFFIX: Final = ".sha256"
"""The manifest of `model.mlpackage` lies beside it, as `model.mlpackage.sha256`."""


def sha256_bytes(data: bytes) -> str:
    """Hex digest of `data`."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """Hex digest of a file's bytes, read in blocks."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_json(value: Any) -> str:
    """Hex digest of a JSON value, with sorted keys: for keys of our own store, never for signatures."""
    import json  # parsing a spec needs this module and not that one

    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return sha256_bytes(text.encode())


def manifest(folder: Path) -> bytes:
    """The folder's regular files as `sha256sum` prints them, sorted bytewise by path.

    Raises DigestMismatch for what a manifest cannot name safely: links, special files, control characters,
    backslashes or undecodable bytes in a name, two names that differ by case only.
    """
    files = [path for path in folder.rglob("*") if not stat.S_ISDIR(path.lstat().st_mode)]
    by_name = {path.relative_to(folder).as_posix(): path for path in files}
    _refuse_ambiguous(by_name)
    return b"".join(
        f"{_sha256_regular(by_name[name], name)}  {name}\n".encode() for name in sorted(by_name, key=str.encode)
    )


def sha256_path(path: Path) -> str:
    """Digest that identifies a file (its bytes) or a folder (its manifest)."""
    return sha256_bytes(manifest(path)) if path.is_dir() else sha256_file(path)


def sha256_artifact(path: Path, *, folder: bool) -> str:
    """`sha256_path` of what somebody else may have put there.

    Raises DigestMismatch for a link, a special file, a file in a folder's place, a folder in a file's, and a folder
    whose manifest beside it tells of another.
    """
    if not folder:
        return _sha256_regular(path, path.name)
    if path.is_symlink() or not path.is_dir():
        raise DigestMismatch(f"{path.name!r} is not a folder, and what was judged is one")
    digest = sha256_bytes(manifest(path))
    beside = path.with_name(path.name + MANIFEST_SUFFIX)
    if (beside.exists() or beside.is_symlink()) and _sha256_regular(beside, beside.name) != digest:
        raise DigestMismatch(f"{beside.name!r} is not the manifest of {path.name!r}")
    return digest


def _sha256_regular(path: Path, name: str) -> str:
    """Hex digest of a regular file. The kind is asked of the opened file, so that it cannot be swapped between."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        linked = error.errno == errno.ELOOP
        reason = "it is a link, and only regular files are signed" if linked else error.strerror
        raise DigestMismatch(f"{name!r} cannot be read: {reason}") from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise DigestMismatch(f"{name!r} is a folder or a special file: only regular files are signed")
        with os.fdopen(descriptor, "rb", closefd=False) as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    finally:
        os.close(descriptor)


def _refuse_ambiguous(names: Iterable[str]) -> None:
    folded: dict[str, str] = {}
    for name in names:
        if not name.isprintable() or "\\" in name:
            raise DigestMismatch(f"{name!r} has a control character or a backslash in its name: rename it")
        other = folded.setdefault(name.casefold(), name)
        if other != name:
            raise DigestMismatch(f"{other!r} and {name!r} differ by case only: rename one")


def size_bytes(path: Path) -> int:
    """Bytes of a file, or of a folder's regular files together."""
    files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
    return sum(each.stat().st_size for each in files)
