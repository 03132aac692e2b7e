"""Targets: the format's options, the passes, and whether a route can exist, checked before any work."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from deployspec import registry
from deployspec.diagnostics import KeyPath, nearest
from deployspec.ir.plan import SOURCE_FORMS
from deployspec.ir.spec import PassUse
from deployspec.parse import shape
from deployspec.parse.document import TargetTable
from deployspec.registry import Family
from deployspec.units import QuantityError, parse_duration_s

if TYPE_CHECKING:
    from deployspec.ir.plan import Form, Lowering
    from deployspec.ir.spec import Data, SourceKind
    from deployspec.parse.faults import Faults

DEFAULT_TIME_LIMIT_S: Final = 1800
MAX_TIME_LIMIT_D: Final = 14
"""poll(2) waits for 24 days at most."""

# The name becomes a folder of the output and a subject of the report.
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def check_name(name: str, path: KeyPath, faults: Faults) -> None:
    """Whether a target's name can name a folder."""
    if _NAME.fullmatch(name) is None:
        faults.add("illegal-name", "a target's name is 1 to 64 letters, digits, '.', '_' or '-'", path)


def split_table(raw: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What every target has, and the options of its format."""
    common = shape.fields(TargetTable)
    return {k: v for k, v in raw.items() if k in common}, {k: v for k, v in raw.items() if k not in common}


def read_plugin(family: Family, name: str, options: dict[str, Any], path: KeyPath, key: str, faults: Faults) -> Any:
    """The plug-in called `name` with its options, or None with faults. `key` is where its name stands."""
    known = registry.find(family, name)
    if known is not None:
        return shape.read(known, options, path, faults)
    available = f"available: {', '.join(registry.names(family))}"
    word = {Family.TARGETS: "format", Family.PASSES: "pass"}[family]
    if name in registry.PLANNED[family]:
        message = f"the {word} '{name}' is not built in this version"
        faults.at_value("not-in-this-version", message, (*path, key), available)
    else:
        legal = (*registry.names(family), *registry.PLANNED[family])
        message = f"unknown {word} '{name}'"
        faults.at_value(f"unknown-{word}", message, (*path, key), nearest(name, legal) or available)
    return None


def time_limit_s(text: str | None, path: KeyPath, faults: Faults) -> int:
    """The time that a step of the target may take."""
    if text is None:
        return DEFAULT_TIME_LIMIT_S
    try:
        limit_s = parse_duration_s(text)
    except QuantityError as error:
        faults.at_value("bad-duration", str(error), (*path, "time_limit"), 'e.g. "30 min"')
        return DEFAULT_TIME_LIMIT_S
    if limit_s > MAX_TIME_LIMIT_D * 86400:
        message = f"a step is waited for {MAX_TIME_LIMIT_D} d at most"
        faults.at_value("bad-duration", message, (*path, "time_limit"), 'e.g. "30 min"')
    return limit_s


def read_passes(tables: tuple[dict[str, Any], ...], path: KeyPath, faults: Faults) -> dict[int, PassUse]:
    """The passes in order, by where they stand; each that cannot be used leaves a fault."""
    found = {}
    for i, table in enumerate(tables):
        here = (*path, "passes", i)
        name = table.get("pass")
        if not isinstance(name, str):
            faults.add("missing-key", "a pass needs its name as text", here, help='add pass = "quantize"')
            continue
        options = {key: value for key, value in table.items() if key != "pass"}
        plugin = read_plugin(Family.PASSES, name, options, here, "pass", faults)
        if plugin is not None:
            found[i] = PassUse(name, given(plugin, options))
    return found


def given(plugin: Any, options: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
    """The options that the spec gave, as the plug-in holds them."""
    return tuple((key, getattr(plugin, key)) for key in options if hasattr(plugin, key))


def check_schemes(
    passes: dict[int, PassUse], lowerings: tuple[Lowering, ...], format: str, data: Data, path: KeyPath, faults: Faults
) -> None:
    """Whether the format takes each quantization scheme, and the data to calibrate it is there."""
    schemes = {i: each.option("scheme") for i, each in passes.items() if each.option("scheme") is not None}
    taken = {each.realises: each for each in lowerings if each.realises is not None}
    for i, scheme in schemes.items():
        here = (*path, "passes", i, "scheme")
        if scheme not in taken:
            message = f"the format '{format}' does not take the scheme '{scheme}'"
            help = nearest(scheme, taken) or f"it takes {', '.join(sorted(taken)) or 'none'}"
            faults.at_value("scheme-not-taken", message, here, help)
        elif missing := [split for split in taken[scheme].needs if split not in data.splits()]:
            message = f"'{scheme}' needs a {' and a '.join(missing)} split"
            faults.at_value("no-calibration", message, here, f"add {missing[0]} = … to [data]")
    for i in list(schemes)[1:]:
        faults.add("repeated-pass", "a model is quantized once", (*path, "passes", i), help="leave one of them out")


def reachable(source: SourceKind, lowerings: tuple[Lowering, ...], format: Form) -> bool:
    """Whether a chain of lowerings leads from the source's form to the target's."""
    forms = {SOURCE_FORMS[source]}
    for _ in lowerings:
        forms |= {each.gives for each in lowerings if each.takes in forms}
    return format in forms
