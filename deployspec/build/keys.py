"""A step's key: the digest of everything that its output may depend on.

These are its function's code, its options, the digests of its inputs, the model's table, the seed and the
versions of its toolchain. Nothing else is in it: no time, no path, no name of a target, so that two
targets which ask for the same work share it.
"""

from __future__ import annotations

import ast
import platform
import re
import sys
from functools import cache
from importlib.util import find_spec, resolve_name
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deployspec.digests import sha256_file, sha256_json
from deployspec.errors import UsageError
from deployspec.sources.identity import installed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from deployspec.ir.plan import Step, Toolchain

_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")


def step_key(
    step: Step,
    *,
    inputs: Mapping[str, str],
    versions: Mapping[str, str],
    code_sha256: str,
    model: Any,
    seed: int,
) -> str:
    """The key (64 hex digits) of `step`; `inputs` maps each role to the digest of what fills it."""
    return sha256_json(
        {
            "function": step.function,
            "code": code_sha256,
            "options": step.options,
            "inputs": dict(inputs),
            "versions": dict(versions),
            "model": model,
            "seed": seed,
        }
    )


def installed_versions(toolchain: Toolchain) -> dict[str, str | None]:
    """The version of each of the toolchain's distributions, None where it is not installed."""
    return dict(map(installed, toolchain.distributions))


def missing_distributions(toolchain: Toolchain) -> tuple[str, ...]:
    """The distributions of `toolchain` that are not installed."""
    return tuple(name for name, version in installed_versions(toolchain).items() if version is None)


def toolchain_versions(toolchain: Toolchain) -> dict[str, str]:
    """Versions of the toolchain's distributions, of Python, and the platform: a store may be shared by machines.

    Raises UsageError for distributions that are not installed; the text says how to install them.
    """
    if missing := missing_distributions(toolchain):
        raise UsageError(
            f"the toolchain '{toolchain.name}' needs {', '.join(missing)}: pip install 'deployspec[{toolchain.extra}]'"
        )
    machine = {"python": platform.python_version(), "platform": f"{sys.platform}-{platform.machine()}"}
    return machine | {name: version or "" for name, version in installed_versions(toolchain).items()}


def code_sha256(step: Step) -> str:
    """Digest of the code that `step` runs, read without importing it.

    It covers the module of the step's function, what that module imports of its own package, at its top or inside
    a function, and likewise the modules that the options name: a runner, an inspector.
    """
    module = step.function.partition(":")[0]
    files = set(_reached(module))
    if not files:
        raise ModuleNotFoundError(f"step '{step.id}' names the module '{module}', which has no source file")
    for name in _strings(step.options):
        named = name.partition(":")[0]
        files |= set(_reached(named)) if _DOTTED.fullmatch(named) else set()
    return sha256_json(sorted((file.name, _file_sha256(file)) for file in files))


_file_sha256 = cache(sha256_file)
"""Source files do not change under a running program."""


@cache
def _reached(module: str) -> tuple[Path, ...]:
    """The files of `module` and of all it imports, at any depth, of its own top-level package."""
    package = module.partition(".")[0]
    found: dict[str, Path] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        file = _module_file(name)
        if name in found or file is None:
            continue
        found[name] = file
        waiting += [each for each in _imported(name, file) if each.partition(".")[0] == package]
    return tuple(found.values())


@cache
def _imported(module: str, file: Path) -> tuple[str, ...]:
    """Dotted names in the module's import statements; `from a import b` may mean the module `a.b`."""
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    names: list[str] = []
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            source = resolve_name("." * node.level + (node.module or ""), package)
            names += [source, *(f"{source}.{alias.name}" for alias in node.names)]
    return tuple(names)


@cache
def _module_file(module: str) -> Path | None:
    """The source file of a dotted module, None where there is none. Imports nothing, not even parent packages."""
    top, *rest = module.split(".")
    spec = find_spec(top)
    if spec is None:
        return None
    if not rest:
        return Path(spec.origin) if spec.origin else None
    bases = [Path(folder, *rest) for folder in spec.submodule_search_locations or ()]
    candidates = (file for base in bases for file in (base.with_suffix(".py"), base / "__init__.py"))
    return next((file for file in candidates if file.is_file()), None)


def _strings(value: Any) -> Iterator[str]:
    """Every string inside a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _strings(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _strings(each)
