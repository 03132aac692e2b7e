"""Names to plug-ins: the built-in ones and those that other distributions add through entry points.

A plug-in is a frozen dataclass whose fields are its TOML options. Modules are imported on first use, and
none of them imports a framework at its top.
"""

from __future__ import annotations

import dataclasses
import importlib
import typing
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol, cast

from deployspec.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from deployspec.ir.plan import Form, Inspector, Lowering, Runner


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
    reasons: ClassVar[dict[str, str]]
    """Why a form, or a scheme that another format takes, leads nowhere here: text that follows "because"."""
    suffixes: ClassVar[tuple[str, ...]]
    """How the names of its files end: `deployspec inspect` and `measure` know them by it."""
    has_delegates: ClassVar[bool]
    """Whether its runtime hands operators to delegates, so that `undelegated_ops` can be counted."""

    def lowerings(self) -> tuple[Lowering, ...]:
        """The edges of the route graph that this format adds."""

    def runner(self) -> Runner | None:
        """The program that loads an artifact of this format and runs it; None where nothing here can."""

    def inspector(self) -> Inspector:
        """What reads an artifact of this format without its framework."""


class Pass(Protocol):
    """A change of the model. Its dataclass fields are the options of `[[targets.NAME.passes]]`."""

    name: ClassVar[str]
    summary: ClassVar[str]
    """What it does: text that follows its name."""

    @classmethod
    def ways(cls, schemes: Iterable[str]) -> tuple[Pass, ...]:
        """One for each way of using it, where the formats take `schemes`; `deployspec targets` tells of them."""

    @property
    def tolerance(self) -> float | None:
        """How far the artifact may be from the model in floating point, where the spec states it; see `Lowering`."""

    @property
    def remark(self) -> str:
        """What a user should know before choosing it so; empty where there is nothing."""

    @property
    def reasons(self) -> dict[str, str]:
        """Why what it wants ("prune"), or that from a form ("prune from saved_model"), cannot be had."""

    def wanted(self) -> str:
        """What a lowering of the route must realise: a quantization scheme, or the pass's own name."""

    def lowerings(self) -> tuple[Lowering, ...]:
        """The edges that the pass itself adds to the route graph, beside those of the target."""


_BUILT_IN: Final[dict[Family, dict[str, str]]] = {
    Family.TARGETS: {
        "torchscript": "deployspec.targets.torchscript:TorchScript",
        "ptmobile": "deployspec.targets.ptmobile:PTMobile",
        "tflite": "deployspec.targets.tflite:TFLite",
        "executorch": "deployspec.targets.executorch:ExecuTorch",
        "coreml": "deployspec.targets.coreml:CoreML",
    },
    Family.PASSES: {
        "prune": "deployspec.passes.prune:Prune",
        "quantize": "deployspec.passes.quantize:Quantize",
    },
}

_USUAL: Final[dict[Family, dict[str, Any]]] = {
    Family.TARGETS: {"remark": "", "reasons": {}, "suffixes": (), "has_delegates": False},
    Family.PASSES: {"remark": "", "reasons": {}},
}
"""What holds of a plug-in of another distribution that does not state it, as one made for an older version may not."""


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
    """The plug-in's class. Raises KeyError for a name that no distribution provides, else as `find` does."""
    found = find(family, name)
    if found is None:
        raise KeyError(name)
    return found


@cache
def find(family: Family, name: str) -> type[Any] | None:
    """The plug-in's class, or None for a name that no distribution provides.

    Raises UsageError for one of another distribution that cannot be loaded.
    """
    # Scanning the installed distributions takes longer than validating a spec: it waits for a foreign name.
    known = _BUILT_IN[family] if name in _BUILT_IN[family] else _table(family)
    if name not in known:
        return None
    module, _, attribute = known[name].partition(":")
    if name in _BUILT_IN[family]:
        return cast("type[Any]", getattr(importlib.import_module(module), attribute))
    try:
        plugin = cast("type[Any]", getattr(importlib.import_module(module), attribute))
    except Exception as error:  # somebody else's code fails in any way
        text = f"the plug-in '{name}' ({known[name]}) cannot be loaded: {error}; uninstall or repair it"
        raise UsageError(text) from error
    for stated, usual in _USUAL[family].items():
        if not hasattr(plugin, stated):
            setattr(plugin, stated, usual)
    return plugin


@cache
def _found(family: Family) -> dict[str, type[Any] | UsageError]:
    """Every plug-in by its name, or why it cannot be loaded."""
    found: dict[str, type[Any] | UsageError] = {}
    for name in names(family):
        try:
            found[name] = load(family, name)
        except UsageError as error:
            found[name] = error
    return found


def sound(family: Family) -> dict[str, type[Any]]:
    """The plug-ins that can be loaded, sorted by name: for what looks at all of them."""
    return {name: found for name, found in _found(family).items() if not isinstance(found, UsageError)}


def broken(family: Family) -> tuple[str, ...]:
    """Of each plug-in that `sound` leaves out, why."""
    return tuple(str(found) for found in _found(family).values() if isinstance(found, UsageError))


def ways(target: type[Any]) -> Iterator[tuple[str, Target]]:
    """The format as it comes, under "", then once for each choice that an option offers, under `option = "choice"`."""
    yield "", target()
    for option, hint in typing.get_type_hints(target).items():
        if typing.get_origin(hint) is typing.Literal:
            yield from ((f'{option} = "{choice}"', target(**{option: choice})) for choice in typing.get_args(hint))


def options(family: Family, name: str) -> tuple[str, ...]:
    """The names of the plug-in's TOML options."""
    return tuple(field.name for field in dataclasses.fields(load(family, name)))
