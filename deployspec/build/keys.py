"""A step's key: the digest of everything that its output may depend on.

These are its function's code, its options, the digests of its inputs, the model's table, the seed and the
versions of its toolchain. Nothing else is in it: no time, no folder of this machine, no name of a target, so that two
targets which ask for the same work share it. Paths are in it as the spec writes them.
"""

from __future__ import annotations

import ast
import platform
import re
import sys
from functools import cache
from importlib.util import find_spec, resolve_name
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from deployspec.digests import sha256_file, sha256_json
from deployspec.errors import UsageError
from deployspec.ir.plan import pip_install
from deployspec.sources.identity import installed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from deployspec.ir.plan import Step, Toolchain

_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")

_NAMING_CODE: Final = frozenset({"function", "inspector", "needs", "script"})
"""Options whose values name modules, with or without a package; of all others only dotted names do."""


def key_ingredients(
    step: Step,
    *,
    inputs: Mapping[str, str | None],
    versions: Mapping[str, str],
    code_sha256: str,
    model: Mapping[str, Any],
    seed: int,
) -> dict[str, Any]:
    """All that the key of `step` is the digest of; `inputs` maps each role to the digest of what fills it.

    With None for a digest that is not known yet, they make no key and can still be compared.
    """
    return {
        "function": step.function,
        "code": code_sha256,
        "options": step.options,
        "inputs": dict(inputs),
        "versions": dict(versions),
        "model": dict(model),
        "seed": seed,
    }


def step_key(ingredients: Mapping[str, Any]) -> str:
    """The key (64 hex digits) of the step that has these ingredients."""
    return sha256_json(ingredients)


def differences(step: Step, was: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, ...]:
    """In words, which ingredients of `step` are `now` no longer what they were."""
    sources, before, after = dict(step.takes), was["versions"], now["versions"]
    awaited = {role for role, digest in now["inputs"].items() if digest is None}
    return (
        *(["its code changed"] if {"function", "code"} & set(_unlike(was, now)) else []),
        *(f"its option '{name}' changed" for name in _unlike(was["options"], now["options"])),
        *(
            f"its input '{sources.get(role, role)}' {'is made anew' if role in awaited else 'changed'}"
            for role in _unlike(was["inputs"], now["inputs"])
        ),
        *(f"model.{name} changed" for name in _unlike(was["model"], now["model"])),
        *(f"{name} {before.get(name, 'none')} → {after.get(name, 'none')}" for name in _unlike(before, after)),
        *([f"seed {was['seed']} → {now['seed']}"] if was["seed"] != now["seed"] else []),
    )


def _unlike(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The names under which two mappings of JSON values do not hold the same, sorted."""
    before, after = ({name: sha256_json(value) for name, value in each.items()} for each in (was, now))
    return sorted({name for name, _ in before.items() ^ after.items()})


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
        install = pip_install(toolchain.extra, missing)
        raise UsageError(f"the toolchain '{toolchain.name}' needs {', '.join(missing)}: {install}")
    machine = {"python": platform.python_version(), "platform": f"{sys.platform}-{platform.machine()}"}
    return machine | {name: version or "" for name, version in installed_versions(toolchain).items()}


def code_sha256(step: Step) -> str:
    """Digest of the code that `step` runs, read without importing it."""
    return sha256_json(sorted((file.name, _file_sha256(file)) for file in code_files(step)))


def code_files(step: Step) -> set[Path]:
    """The files of the code that `step` runs.

    These are the module of the step's function, what that module imports of its own package and of ours, at its top or
    inside a function, and likewise the modules that the options name: a runner, an inspector. What is imported for
    types alone does not run.
    """
    module = step.function.partition(":")[0]
    files = set(_reached(module))
    if not files:
        raise ModuleNotFoundError(f"step '{step.id}' names the module '{module}', which has no source file")
    for named in _modules(step.options):
        files |= set(_reached(named))
    return files


_file_sha256 = cache(sha256_file)
"""Source files do not change under a running program."""


@cache
def _reached(module: str) -> tuple[Path, ...]:
    """The files of `module` and of all it imports, at any depth, of its own top-level package and of ours."""
    followed = {module.partition(".")[0], "deployspec"}
    found: dict[str, Path] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        file = _module_file(name)
        if name in found or file is None:
            continue
        found[name] = file
        waiting += [each for each in _imported(name, file) if each.partition(".")[0] in followed]
    return tuple(found.values())


@cache
def _imported(module: str, file: Path) -> tuple[str, ...]:
    """Dotted names in the module's import statements; `from a import b` may mean the module `a.b`."""
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    names: list[str] = []
    for node in _running(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            source = resolve_name("." * node.level + (node.module or ""), package)
            names += [source, *(f"{source}.{alias.name}" for alias in node.names)]
    return tuple(names)


def _running(node: ast.AST) -> Iterator[ast.AST]:
    """`node` and all inside it but what stands under `if TYPE_CHECKING:`, which never runs; its `else` does."""
    yield node
    inner = node.orelse if isinstance(node, ast.If) and _for_types(node.test) else ast.iter_child_nodes(node)
    for each in inner:
        yield from _running(each)


def _for_types(test: ast.expr) -> bool:
    """Whether a condition is `TYPE_CHECKING` or `typing.TYPE_CHECKING`."""
    name = test.attr if isinstance(test, ast.Attribute) else test.id if isinstance(test, ast.Name) else ""
    return name == "TYPE_CHECKING"


@cache
def _module_file(module: str) -> Path | None:
    """The source file of a dotted module, None where there is none. Imports nothing, not even parent packages."""
    top, *rest = module.split(".")
    spec = find_spec(top)
    if spec is None:
        return None
    if not rest:
        return Path(spec.origin) if spec.origin and spec.origin.endswith(".py") else None
    bases = [Path(folder, *rest) for folder in spec.submodule_search_locations or ()]
    candidates = (file for base in bases for file in (base.with_suffix(".py"), base / "__init__.py"))
    return next((file for file in candidates if file.is_file()), None)


def _modules(value: Any, key: str = "") -> Iterator[str]:
    """Every string inside a JSON value, up to its colon, that names a module; `key` is the option it stands under."""
    if isinstance(value, str):
        name = value.partition(":")[0]
        if _DOTTED.fullmatch(name) or (key in _NAMING_CODE and name.isidentifier()):
            yield name
    elif isinstance(value, dict):
        for inner, each in value.items():
            yield from _modules(each, inner)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _modules(each, key)
