"""Names to plug-ins: the built-in ones and those that other distributions add through entry points.

A plug-in is a frozen dataclass whose fields are its TOML options. Modules are imported on first use, and
none of them imports a framework at its top.
"""

from __future__ import annotations

import dataclasses
import importlib
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol, cast

from deployspec.errors import UsageError

if TYPE_CHECKING:
    from deployspec.ir.plan import Form, Lowering, Runner


class Family(StrEnum):
    """The kinds of plug-in; the value is the entry-point group's last part."""

    TARGETS = "targets"
    PASSES = "passes"


class Target(Protocol):
    """A format that ships. Its dataclass fields are the options of `[targets.NAME]`."""

    name: ClassVar[str]
    form: ClassVar[Form]
    remark: ClassVar[str]
    """What a user should know before choosing it, e.g. that its makers deprecate it."""

    def lowerings(self) -> tuple[Lowering, ...]:
        """The edges of the route graph that this format adds."""

    def runner(self) -> Runner:
        """The program that loads an artifact of this format and runs it."""


_BUILT_IN: Final[dict[Family, dict[str, str]]] = {
    Family.TARGETS: {
        "torchscript": "deployspec.targets.torchscript:TorchScript",
        "tflite": "deployspec.targets.tflite:TFLite",
    },
    Family.PASSES: {"quantize": "deployspec.passes.quantize:Quantize"},
}

PLANNED: Final[dict[Family, tuple[str, ...]]] = {
    Family.TARGETS: ("ptmobile", "executorch", "coreml"),
    Family.PASSES: ("prune",),
}
"""Names of the language that this version does not build yet: an error says so, rather than "unknown"."""


@cache
def _table(family: Family) -> dict[str, str]:
    """Name to `module:Class` of every plug-in. Raises UsageError where two distributions claim one name."""
    import importlib.metadata  # slow to import, and needed for foreign names only

    table = dict(_BUILT_IN[family])
    for entry in importlib.metadata.entry_points(group=f"deployspec.{family}"):
        if entry.name in table and table[entry.name] != entry.value:
            raise UsageError(
                f"two plug-ins are called '{entry.name}' ({table[entry.name]} and {entry.value}): uninstall one of them"
            )
        table[entry.name] = entry.value
    return table


def names(family: Family) -> tuple[str, ...]:
    """The names that a spec can use, sorted."""
    return tuple(sorted(_table(family)))


def load(family: Family, name: str) -> type[Any]:
    """The plug-in's class. Raises KeyError for a name that no distribution provides."""
    found = find(family, name)
    if found is None:
        raise KeyError(name)
    return found


@cache
def find(family: Family, name: str) -> type[Any] | None:
    """The plug-in's class, or None for a name that no distribution provides."""
    # Scanning the installed distributions takes longer than validating a spec: it waits for a foreign name.
    known = _BUILT_IN[family] if name in _BUILT_IN[family] else _table(family)
    if name not in known:
        return None
    module, _, attribute = known[name].partition(":")
    return cast("type[Any]", getattr(importlib.import_module(module), attribute))


def options(family: Family, name: str) -> tuple[str, ...]:
    """The names of the plug-in's TOML options."""
    return tuple(field.name for field in dataclasses.fields(load(family, name)))
