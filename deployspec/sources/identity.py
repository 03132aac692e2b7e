"""The bytes that a run starts from: the model's source and each data split, by digest.

A callable is identified by every project file that it imports, found by reading the code, not by running it, and by
the versions of the distributions that these files import.
"""

from __future__ import annotations

import ast
import importlib.metadata
import sys
import sysconfig
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from deployspec.digests import sha256_json, sha256_path
from deployspec.errors import SourceFault

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from deployspec.ir.spec import Spec


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Something that no step makes: `id` as plans name it, and each of its files with its own SHA-256.

    Files are named relative to the project, the model's weights first; `entry` is the callable among them, if one is,
    and `distributions` are those that its files import, with their versions.
    """

    id: str
    files: tuple[tuple[str, str], ...]
    entry: str = ""
    distributions: tuple[tuple[str, str], ...] = ()

    @property
    def sha256(self) -> str:
        """One digest for all of it, which changes with any file, its name, the callable, or a version."""
        return sha256_json([list(self.files), self.entry, list(self.distributions)])


def origins(spec: Spec) -> dict[str, Origin]:
    """The model ("model"), every split ("data:test" …), and every hook of a pass or metric of the spec that is run
    ("hook:net.py:finetune" …).

    Raises SourceFault for a missing file.
    """
    parts = [part for part in (spec.model.weights, spec.model.source) if part is not None]
    found = {"model": _origin(spec, "model", parts)}
    for name, value in spec.data.splits().items():
        origin = _origin(spec, f"data:{name}", [value] if isinstance(value, str) else list(value))
        found[origin.id] = origin
    hooks = [hook for target in spec.targets for use in target.passes for hook in use.hooks]
    metrics = (budget.own_metric for target in spec.targets for budget in target.budgets)
    for hook in dict.fromkeys([*hooks, *(spec.metrics[name].source for name in metrics if name)]):
        found[f"hook:{hook}"] = _origin(spec, f"hook:{hook}", [hook])
    return found


def _origin(spec: Spec, origin_id: str, parts: list[str]) -> Origin:
    root = spec.root.resolve()
    paths = [path for part in parts for path in _files(spec, part)]
    files = tuple((path.relative_to(root).as_posix(), sha256_path(path)) for path in paths)
    entry = next((part for part in parts if ":" in part), "")
    imported = imported_distributions(paths) if entry else ()
    return Origin(id=origin_id, files=files, entry=entry, distributions=imported)


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

    Imports are looked up as Python would: from the entry's folder, then wherever this environment finds them, as a
    project that is installed in place. What lies outside, or among the installed packages, is a distribution.
    """
    found: dict[Path, None] = {}
    queue = [entry]
    while queue:
        path = queue.pop()
        if path in found:
            continue
        found[path] = None
        queue += [file for file in _imports(path, entry.parent) if file.is_relative_to(root) and not _installed(file)]
    return sorted(found)


def imported_distributions(files: Iterable[Path]) -> tuple[tuple[str, str], ...]:
    """Name and version of every distribution that the Python files among `files` import, sorted."""
    modules = {parts[0] for file in files if file.suffix == ".py" for level, parts in _imported(file) if not level}
    return tuple(sorted({found for module in modules - sys.stdlib_module_names for found in _distributions(module)}))


@cache
def installed(distribution: str) -> tuple[str, str | None]:
    """The first of `a|b|…` that is installed, with its version; the first of all with None where none is."""
    names = distribution.split("|")
    for name in names:
        with suppress(importlib.metadata.PackageNotFoundError):
            return name, importlib.metadata.version(name)
    return names[0], None


def _distributions(module: str) -> Iterator[tuple[str, str]]:
    with suppress(importlib.metadata.PackageNotFoundError):
        yield module, importlib.metadata.version(module)
        return
    # Mostly they are called as their module is: only for another name every installed distribution is looked at.
    if any(_installed(home) for home in _homes(module)):
        for name in importlib.metadata.packages_distributions().get(module, []):
            yield name, importlib.metadata.version(name)


def _imports(path: Path, search: Path) -> Iterator[Path]:
    for level, parts in _imported(path):
        if level:
            yield from _files_of(path.parents[min(level, len(path.parents)) - 1], parts)
        else:
            for base in (search, *_homes(parts[0])):
                yield from _files_of(base, parts)


def _imported(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The level (0 is absolute) and the dotted name of each import; `from a import b` may mean the module a.b."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError) as error:
        raise SourceFault(f"{path.name} is not Python that can be read: {error}") from error
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name.split(".")) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = node.module.split(".") if node.module else []
            yield from ((node.level, [*parts, alias.name]) for alias in node.names)


def _homes(module: str) -> Iterator[Path]:
    """The folders in which this environment finds the top-level `module`, without importing it."""
    if module in sys.stdlib_module_names:
        return
    try:
        spec = find_spec(module)
    except (ImportError, ValueError):
        return
    if spec is not None and spec.submodule_search_locations is not None:
        yield from (Path(place).resolve().parent for place in spec.submodule_search_locations)
    elif spec is not None and spec.has_location and spec.origin:
        yield Path(spec.origin).resolve().parent


def _installed(path: Path) -> bool:
    """Whether `path` lies where distributions are installed: an environment may lie inside the project."""
    return any(path.is_relative_to(Path(sysconfig.get_path(kind)).resolve()) for kind in ("purelib", "platlib"))


def _files_of(base: Path, parts: list[str]) -> Iterator[Path]:
    """Each package's __init__ along the dotted name, and the module itself, where they are files below `base`."""
    for depth in range(1, len(parts) + 1):
        stem = base.joinpath(*parts[:depth])
        for candidate in (stem.with_suffix(".py"), stem / "__init__.py"):
            if candidate.is_file():
                yield candidate.resolve()
