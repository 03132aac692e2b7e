"""The bytes that a run starts from: the model's source and each data split, by digest.

A callable is identified by every project file that it imports, found by reading the code, not by running it.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deployspec.digests import sha256_json, sha256_path
from deployspec.errors import SourceFault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from deployspec.ir.spec import Spec


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Something that no step makes: `id` as plans name it, and each of its files with its own SHA-256.

    Files are named relative to the project, the model's weights first; `entry` is the callable among them, if one is.
    """

    id: str
    files: tuple[tuple[str, str], ...]
    entry: str = ""

    @property
    def sha256(self) -> str:
        """One digest for all of it, which changes with any file, its name, or the callable."""
        return sha256_json([list(self.files), self.entry])


def origins(spec: Spec) -> dict[str, Origin]:
    """The model ("model") and every split ("data:test" …) of the spec. Raises SourceFault for a missing file."""
    parts = [part for part in (spec.model.weights, spec.model.source) if part is not None]
    found = {"model": _origin(spec, "model", parts)}
    for name, value in spec.data.splits().items():
        origin = _origin(spec, f"data:{name}", [value] if isinstance(value, str) else list(value))
        found[origin.id] = origin
    return found


def _origin(spec: Spec, origin_id: str, parts: list[str]) -> Origin:
    root = spec.root.resolve()
    paths = [path for part in parts for path in _files(spec, part)]
    files = tuple((path.relative_to(root).as_posix(), sha256_path(path)) for path in paths)
    return Origin(id=origin_id, files=files, entry=next((part for part in parts if ":" in part), ""))


def _files(spec: Spec, value: str) -> list[Path]:
    """The file or folder itself; for `module.py:callable` every project file that it imports, its own first."""
    file, _, name = value.partition(":")
    path = (spec.folder / file).resolve()
    if not path.exists():
        raise SourceFault(f"{file} does not exist (looked for {path})")
    if not name:
        return [path]
    return [path, *(each for each in imported_files(path, spec.root.resolve()) if each != path)]


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
            base = search if node.level == 0 else path.parents[min(node.level, len(path.parents)) - 1]
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
