"""Targets: the format's options, the passes, and whether a route can exist, checked before any work."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from deployspec import registry
from deployspec.diagnostics import KeyPath, nearest
from deployspec.ir.plan import SOURCE_FORMS
from deployspec.ir.spec import DEFAULT_SUSTAINED_S, PassUse
from deployspec.parse import shape
from deployspec.parse.document import TargetTable
from deployspec.parse.rules import HELP
from deployspec.registry import Family
from deployspec.routes import NoRoute, find_route
from deployspec.units import QuantityError, parse_duration_s

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deployspec.ir.data import Data
    from deployspec.ir.model import SourceKind
    from deployspec.ir.plan import Lowering
    from deployspec.parse.faults import Faults

DEFAULT_TIME_LIMIT_S: Final = 1800
SUSTAINED_RUNS: Final = 6
"""The fewest processes that prove anything of a sustained run."""

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
    word = {Family.TARGETS: "format", Family.PASSES: "pass"}[family]
    legal = registry.names(family)
    help = nearest(name, legal) or f"available: {', '.join(legal)}"
    faults.at_value(f"unknown-{word}", f"unknown {word} '{name}'", (*path, key), help)
    return None


def has_delegates(format: str) -> bool:
    """Whether its runtime hands operators to delegates; of a format that is not known, nothing is denied."""
    target = registry.find(Family.TARGETS, format)
    return target is None or bool(target.has_delegates)


def with_delegates() -> str:
    """The formats of which that is so."""
    return " and ".join(filter(has_delegates, registry.sound(Family.TARGETS)))


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


def sustained_s(text: str | None, least_s: int, path: KeyPath, faults: Faults) -> int:
    """How long each process of a sustained run calls: at least as long as the policies demand."""
    usual_s = max(DEFAULT_SUSTAINED_S, least_s)
    try:
        each_s = usual_s if text is None else parse_duration_s(text)
    except QuantityError as error:
        faults.at_value("bad-duration", str(error), (*path, "sustained"), 'e.g. "2 min"')
        return usual_s
    if each_s < least_s:
        faults.at_value("loosens-policy", f"the policy demands {least_s:,} s", (*path, "sustained"), HELP)
    return each_s


def check_sustained(text: str | None, each_s: int, limit_s: int, path: KeyPath, faults: Faults) -> None:
    """Whether all processes of a sustained run fit the time limit."""
    if (whole_s := 2 * SUSTAINED_RUNS * each_s) > limit_s:
        message = f"{SUSTAINED_RUNS} sustained runs of {each_s:,} s, each after a rest as long, take {whole_s:,} s"
        fits = f'sustained = "{max(1, limit_s // (2 * SUSTAINED_RUNS))} s"'
        help = f"the time_limit is {limit_s:,} s: lengthen it, or shorten the runs, e.g. {fits}"
        faults.add("bad-duration", message, path if text is None else (*path, "sustained"), help=help)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What one target asks the planner for, and where each pass stands in the spec."""

    plugin: Any
    format: str
    path: KeyPath
    passes: dict[int, tuple[PassUse, Any]]

    @property
    def lowerings(self) -> tuple[Lowering, ...]:
        """The edges that the format and the passes bring."""
        return (*self.plugin.lowerings(), *(edge for _, each in self.passes.values() for edge in each.lowerings()))

    @property
    def wanted(self) -> tuple[str, ...]:
        """What the route must realise, in order."""
        return tuple(each.wanted() for _, each in self.passes.values())

    @property
    def evaluated(self) -> bool:
        """Whether what runs the format here is an evaluator, not its own runtime."""
        runner = self.plugin.runner()
        return runner is not None and runner.is_evaluator

    def place(self, stuck: int) -> KeyPath:
        """Where the pass that is the `stuck`-th wanted says what it wants."""
        i, (use, _) = list(self.passes.items())[stuck]
        return (*self.path, "passes", i, _key(use))

    def called(self, stuck: int) -> str:
        """What the `stuck`-th pass wants, for people: `the scheme 'int8'`, `the pass 'prune'`."""
        use, plugin = list(self.passes.values())[stuck]
        return f"the {_key(use)} '{plugin.wanted()}'"


def _key(use: PassUse) -> str:
    """The key that says what the pass wants."""
    return "scheme" if use.option("scheme") is not None else "pass"


def read_passes(tables: tuple[dict[str, Any], ...], path: KeyPath, faults: Faults) -> dict[int, tuple[PassUse, Any]]:
    """The passes in order with their plug-ins, by where they stand; each that cannot be used leaves a fault."""
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
            found[i] = (PassUse(name, given(plugin, options), _hooks(plugin)), plugin)
    return found


def _hooks(plugin: Any) -> tuple[str, ...]:
    """The code of the project that the pass runs."""
    named = dict.fromkeys(name for edge in plugin.lowerings() for name in edge.hooks)
    return tuple(getattr(plugin, name) for name in named)


def hook_places(passes: dict[int, tuple[PassUse, Any]], path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    """Each hook that the passes name, with where it stands."""
    for i, (use, _) in passes.items():
        for name, value in use.options:
            if value in use.hooks:
                yield (*path, "passes", i, name), value


def given(plugin: Any, options: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
    """The options that the spec gave, as the plug-in holds them."""
    return tuple((key, getattr(plugin, key)) for key in options if hasattr(plugin, key))


def check_passes(asked: Asked, data: Data, faults: Faults) -> None:
    """Whether the format takes each pass at all, once, and the data that it reads is there."""
    taken = {each.realises: each for each in asked.lowerings if each.realises is not None}
    for i, wanted in enumerate(asked.wanted):
        if wanted not in taken:
            message = f"the format '{asked.format}' does not take {asked.called(i)}{_because(asked, wanted)}"
            alike = [each for each in taken if _digits(each) == _digits(wanted)]
            help = nearest(wanted, alike) or f"it takes {', '.join(sorted(taken)) or 'none'}"
            faults.at_value("scheme-not-taken", message, asked.place(i), help)
        elif missing := [split for split in taken[wanted].needs if split not in data.splits()]:
            message = f"'{wanted}' needs a {' and a '.join(missing)} split"
            faults.at_value(f"no-{missing[0]}", message, asked.place(i), f"add {missing[0]} = … to [data]")
    _check_once(asked, faults)


def _digits(name: str) -> list[str]:
    """The bits in a scheme's name: another number of them is another scheme, not a slip."""
    return re.findall(r"\d+", name)


def _check_once(asked: Asked, faults: Faults) -> None:
    seen: set[str] = set()
    for i, (use, _) in asked.passes.items():
        if use.name in seen:
            message = f"a model goes through '{use.name}' once"
            faults.add("repeated-pass", message, (*asked.path, "passes", i), help="leave one of them out")
        seen.add(use.name)


def check_route(source: SourceKind, asked: Asked, faults: Faults) -> None:
    """Whether a chain of lowerings leads from the source to the format through the passes; else a fault."""
    start = SOURCE_FORMS[source]
    try:
        find_route(start, asked.plugin.form, asked.wanted, asked.lowerings)
    except NoRoute as gap:
        if gap.stuck is None:
            message = f"no route leads from this source, of kind '{source}', to '{asked.format}'"
            own = asked.plugin.lowerings()
            forms = {form for edge in own for form in edge.takes} - {edge.gives for edge in own}
            help = f"{asked.format} is made from {', '.join(sorted(forms)) or 'nothing'}{_others(source, asked)}"
            faults.at_value("no-route", message + _because(asked, start), ("model", "source"), help)
        else:
            name, called = asked.wanted[gap.stuck], asked.called(gap.stuck)
            message = f"'{asked.format}' cannot be made with {called} from this source, of kind '{source}'"
            help = f"it takes {', '.join(gap.able) or 'no pass'} here{_others(source, asked)}"
            reason = _because(asked, f"{name} from {start}") or _because(asked, name)
            faults.at_value("no-route", message + reason, asked.place(gap.stuck), help)


def _because(asked: Asked, key: str) -> str:
    """The target's own reason, or a pass's, where one is stated."""
    stated = (each.reasons.get(key) for each in (asked.plugin, *(plugin for _, plugin in asked.passes.values())))
    reason = next(filter(None, stated), "")
    return f": {reason}" if reason else ""


def _others(source: SourceKind, asked: Asked) -> str:
    """The other formats that the same source and passes lead to."""
    able = []
    for name, plugin in registry.sound(Family.TARGETS).items():
        other = replace(asked, plugin=plugin(), format=name)
        try:
            find_route(SOURCE_FORMS[source], other.plugin.form, other.wanted, other.lowerings)
        except NoRoute:
            continue
        able.append(name)
    return f"; formats that take it as it stands: {', '.join(able)}" if able else ""
