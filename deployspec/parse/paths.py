"""Paths of a spec: relative to it, inside the project, and nothing but regular files and folders."""

from __future__ import annotations

import stat
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from deployspec.diagnostics import KeyPath
    from deployspec.parse.faults import Faults


_ROOT_MARKERS: Final = (".git", "pyproject.toml")
"""What lies at a project's root, the strongest first: an unpacked archive has no `.git`."""


def project_root(spec: Path) -> Path:
    """The git work tree that holds the spec, else the Python project that does, else the spec's folder; resolved."""
    folder = spec.resolve().parent
    above = (folder, *folder.parents)
    roots = (each for marker in _ROOT_MARKERS for each in above if (each / marker).exists())
    return next(roots, folder)


def file_part(text: str) -> str:
    """The path in `digits.py:build`, or the whole text where no callable is named."""
    file, _, _ = text.rpartition(":")
    return file if file.endswith(".py") else text


def check_path(text: str, folder: Path, root: Path, path: KeyPath, faults: Faults) -> Path | None:
    """The absolute path that `text` names from `folder`, or None with a fault. It need not exist."""
    resolved = None
    problem = _shape_problem(text)
    if not problem:
        resolved, problem = _resolve(text, folder, root)
    if resolved is not None:
        return resolved
    faults.at_value("bad-path", problem, path, "paths are relative to the spec and stay inside the project")
    return None


def _shape_problem(text: str) -> str:
    if not text.isprintable() or not text.strip():
        return "a path must be printable text"
    if PurePosixPath(text).is_absolute() or PureWindowsPath(text).is_absolute() or PureWindowsPath(text).drive:
        return f"'{text}' is an absolute path"
    return ""


def _resolve(text: str, folder: Path, root: Path) -> tuple[Path | None, str]:
    """The path with its links followed, or the reason why it may not be used."""
    path = folder / text
    try:
        resolved = path.resolve()
        if not resolved.is_relative_to(root):
            how = "is a link that leads" if path.is_symlink() else "leads"
            return None, f"'{text}' {how} out of the project, {_described(root)}"
        mode = resolved.stat().st_mode if resolved.exists() else stat.S_IFREG
    except (OSError, RuntimeError, ValueError):
        return None, "this path cannot be followed: too long, a loop of links, or not permitted"
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        return None, f"'{text}' is neither a regular file nor a folder"
    return resolved, ""


def _described(root: Path) -> str:
    """Which folder the project is, and why."""
    marker = next((each for each in _ROOT_MARKERS if (root / each).exists()), None)
    why = f"which holds {marker}" if marker else f"the spec's own, as no {' or '.join(_ROOT_MARKERS)} lies above it"
    return f"the folder '{root.name or root}' ({why})"
