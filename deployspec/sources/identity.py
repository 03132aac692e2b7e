"""The bytes that a run starts from: the model's source and each data split, by digest.

A callable is identified by every project file that it imports, found by reading the code, not by running it.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deployspec.digests import sha256_file, sha256_json, sha256_path
from deployspec.errors import SourceFault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from deployspec.ir.spec import Spec


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Something that no step makes: `id` as plans name it, the folder its paths start from, its digest."""

    id: str
    folder: Path
    sha256: str


def origins(spec: Spec) -> dict[str, Origin]:
    """The model ("model") and every split ("data:test" …) of the spec. Raises SourceFault for a missing file."""
    folder, found = spec.folder, {}
    digests = {"source": _digest(spec, spec.model.source), "weights": _digest(spec, spec.model.weights)}
    found["model"] = Origin(id="model", folder=folder, sha256=sha256_json(digests))
    for name, value in spec.data.splits().items():
        parts = [value] if isinstance(value, str) else list(value)
        digest = [_digest(spec, part) for part in parts]
        found[f"data:{name}"] = Origin(id=f"data:{name}", folder=folder, sha256=sha256_json(digest))
    return found


def _digest(spec: Spec, value: str | None) -> object:
    """The digest of a file or folder; for `module.py:callable` those of every project file it imports."""
    if value is None:
        return None
    file, _, name = value.partition(":")
    path = spec.folder / file
    if not path.exists():
        raise SourceFault(f"{file} does not exist (looked for {path})")
    if not name:
        return sha256_path(path)
    files = imported_files(path.resolve(), spec.root.resolve())
    root = spec.root.resolve()
    names = {each.relative_to(root).as_posix(): sha256_file(each) for each in files}
    return {"callable": name, "entry": path.resolve().relative_to(root).as_posix(), "files": names}


def imported_files(entry: Path, root: Path) -> list[Path]:
    """`entry` and every file inside `root` that it imports, directly or not, sorted.

    Imports are looked up as Python would from the entry's folder; what lies elsewhere is a distribution,
    whose version is part of the toolchain.
    """
    found: dict[Path, None] = {}
    queue = [entry]
    while queue:
        path = queue.pop()
        if path in found:
            continue
        found[path] = None
        queue += [file for file in _imports(path, entry.parent) if file.is_relative_to(root)]
    return sorted(found)


def _imports(path: Path, search: Path) -> Iterator[Path]:
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError) as error:
        raise SourceFault(f"{path.name} is not Python that can be read: {error}") from error
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _files_of(search, alias.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            base = search if node.level == 0 else path.parents[node.level - 1]
            parts = node.module.split(".") if node.module else []
            yield from _files_of(base, parts)
            for alias in node.names:
                yield from _files_of(base, [*parts, alias.name])


def _files_of(base: Path, parts: list[str]) -> Iterator[Path]:
    """Each package's __init__ along the dotted name, and the module itself, where they are files below `base`."""
    for depth in range(1, len(parts) + 1):
        stem = base.joinpath(*parts[:depth])
        for candidate in (stem.with_suffix(".py"), stem / "__init__.py"):
            if candidate.is_file():
                yield candidate.resolve()
