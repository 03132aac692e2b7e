"""Budgets: from the text of a table to limits, and from limits to the budgets of one target.

A *limit* is a budget as it is written; a *budget* is one limit on one figure, with `*` and bare per-class
limits spelled out class by class.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from deployspec.diagnostics import KeyPath, nearest
from deployspec.ir.budget import BUDGETS, CHANGES, Budget, BudgetKind, Keys, own_kind
from deployspec.ir.model import Task
from deployspec.parse.shape import describe
from deployspec.units import UNITS, Bound, Dimension, QuantityError, parse_bound

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from deployspec.ir.spec import Metric
    from deployspec.parse.faults import Faults

EVERY_OTHER: Final = "*"
"""The key of a per-class table that stands for each class not named."""

FIELD: Final = "field"
"""The table of budgets that are judged on the field split."""

_DOTTED: Final = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+")
"""A key that TOML reads as tables inside tables, unless quotes make it one."""

BAND: Final = frozenset({"good", "limit"})


@dataclass(frozen=True, kw_only=True)
class Limit:
    """A budget as written. `label` is a class, `*`, or None for a bare limit; `path` is where it stands."""

    kind: BudgetKind
    bound: Bound
    good: Bound | None
    label: str | None
    on_field: bool
    path: KeyPath

    @property
    def key(self) -> tuple[bool, str]:
        """What limits of one figure share, whatever their class."""
        return self.on_field, self.kind.name


def kinds_with(metrics: Mapping[str, Metric]) -> dict[str, BudgetKind]:
    """Every budget that this spec may use: the built-in ones, and two for each metric of its own."""
    kinds: dict[str, BudgetKind] = {}
    for name, metric in metrics.items():
        ceiling = metric.better == "lower"
        change = f"{name}_{'rise' if ceiling else 'drop'}"
        kinds[name] = own_kind(name, name, f"{metric.aggregate} of {metric.source}", ceiling=ceiling)
        kinds[change] = own_kind(change, name, f"{name} against the reference's, paired", ceiling=True)
    return kinds | BUDGETS


def read_limits(
    table: dict[str, Any], path: KeyPath, kinds: Mapping[str, BudgetKind], faults: Faults, *, on_field: bool = False
) -> tuple[Limit, ...]:
    """The sound limits of one `[budgets]` table; each other one leaves a fault."""
    found: list[Limit] = []
    for name, raw in table.items():
        here = (*path, name)
        if name == FIELD and not on_field and isinstance(raw, dict):
            found += read_limits(raw, here, kinds, faults, on_field=True)
        elif name not in kinds:
            faults.add("unknown-budget", f"unknown budget '{name}'", here, help=_meant(name, kinds))
        elif on_field and not kinds[name].needs_split:
            faults.add("not-on-field", f"'{name}' does not depend on a data split", here, help="leave out 'field.'")
        else:
            found += _read_entry(kinds[name], raw, here, faults, on_field=on_field)
    return tuple(found)


def _meant(name: str, kinds: Mapping[str, BudgetKind]) -> str:
    """What a budget that has no such name may be: a dotted key in quotes, a slip, or on a metric without its table."""
    if name.partition(".")[0] in (FIELD, *kinds) and _DOTTED.fullmatch(name):
        return f"write it without quotes: {name} = …"
    metric, _, change = name.rpartition("_")
    stem = metric if metric and change in CHANGES else name
    if nearest(stem, kinds) or not (stem.isidentifier() and stem.islower()):
        return nearest(name, kinds)
    return f"a metric of the spec's own needs a table: [metrics.{stem}]"


def _read_entry(kind: BudgetKind, raw: Any, path: KeyPath, faults: Faults, *, on_field: bool) -> Iterable[Limit]:
    per_class = kind.keys is Keys.CLASSES and isinstance(raw, dict) and not (raw and BAND.issuperset(raw))
    if per_class and not raw:
        faults.at_value("wrong-type", f"'{kind.name}' names no class", path, f'e.g. "{example(kind)}" for every class')
    entries = raw.items() if per_class else [(None, raw)]
    for label, value in entries:
        here = path if label is None else (*path, label)
        bounds = _read_band(kind, value, here, faults)
        if bounds is not None:
            good, bound = bounds
            yield Limit(kind=kind, bound=bound, good=good, label=label, on_field=on_field, path=here)


def _read_band(kind: BudgetKind, raw: Any, path: KeyPath, faults: Faults) -> tuple[Bound | None, Bound] | None:
    """The good band (None where there is one limit only) and the limit, or None with a fault."""
    if not isinstance(raw, dict):
        bound = _read_bound(kind, raw, path, faults)
        return None if bound is None else (None, bound)
    if set(raw) != BAND or kind.dimension is Dimension.FLAG:
        help = f'write "{example(kind)}" or {{ good = "{example(kind)}", limit = "…" }}'
        faults.at_value("wrong-type", f"'{kind.name}' is one limit, or two bands: good and limit", path, help)
        return None
    good, limit = (_read_bound(kind, raw[band], (*path, band), faults) for band in ("good", "limit"))
    if good is None or limit is None:
        return None
    if good.relative != limit.relative or good.loosens(limit):
        faults.at_value("bands-crossed", "the good band reaches beyond the limit", (*path, "good"), "swap the two")
        return None
    return good, limit


def _read_bound(kind: BudgetKind, raw: Any, path: KeyPath, faults: Faults) -> Bound | None:
    if kind.dimension is Dimension.FLAG:
        return _read_flag(raw, path, faults)
    if not isinstance(raw, str):
        message = f"a limit is text with a comparator{' and a unit' * bool(_units(kind))}, found {describe(raw)}"
        faults.at_value("wrong-type", message, path, f'e.g. "{example(kind)}"')
        return None
    try:
        bound = parse_bound(raw, kind.dimension)
    except QuantityError as error:
        faults.at_value("bad-limit", str(error), path, f'e.g. "{example(kind)}"')
        return None
    problem = _implausible(kind, bound)
    if problem:
        faults.at_value("bad-limit", problem, path, f'e.g. "{example(kind)}"')
    return None if problem else bound


def _read_flag(raw: Any, path: KeyPath, faults: Faults) -> Bound | None:
    if raw is True:
        return parse_bound(">= 1", Dimension.FLAG)
    message = "a budget that holds or not can only be true"
    faults.at_value(
        "wrong-type", message, path, "leave it out where it is not wanted" if raw is False else "write true"
    )
    return None


def _implausible(kind: BudgetKind, bound: Bound) -> str:
    """Why no artifact could ever meet or miss the bound, or the empty string."""
    if bound.comparator.bounds_above is not kind.ceiling:
        return f"'{kind.name}' is better when {'smaller: write < or <=' if kind.ceiling else 'larger: write > or >='}"
    if kind.dimension is Dimension.SHARE and (bound.limit > 1 or (bound.limit == 1 and bound.comparator.value == ">")):
        return "a share beyond 100 % can never be reached"
    if bound.limit < 0 and not (kind.dimension in _SIGNED or kind.name.endswith("_reduction")):
        return f"'{kind.name}' is never negative"
    return ""


_SIGNED: Final = frozenset({Dimension.DROP, Dimension.CHANGE, Dimension.RISE, Dimension.NUMBER})


def _units(kind: BudgetKind) -> list[str]:
    return [unit for unit in UNITS[kind.dimension] if unit]


_EXAMPLES: Final[dict[Dimension, str]] = {
    Dimension.BYTES: "20 MB",
    Dimension.TIME: "100 ms",
    Dimension.ENERGY: "50 mJ",
    Dimension.SHARE: "90 %",
    Dimension.DROP: "2 pp",
    Dimension.CHANGE: "1 pp",
    Dimension.RISE: "5 %",
    Dimension.COUNT: "0",
    Dimension.NUMBER: "0.2",
}


def example(kind: BudgetKind) -> str:
    """A legal limit of this kind, for a message."""
    if kind.dimension is Dimension.FLAG:
        return "true"
    comparator = "<=" if kind.dimension is Dimension.COUNT else "<" if kind.ceiling else ">="
    return f"{comparator} {_EXAMPLES[kind.dimension]}"


Table = dict[tuple[bool, str], dict[str | None, Limit]]
"""Limits by figure, then by class as written."""


def merge(common: Iterable[Limit], own: Iterable[Limit]) -> Table:
    """The common limits with a target's own laid over them, key by key.

    A target's bare limit replaces a whole table of classes; its classes stand beside a common bare limit.
    """
    merged: Table = {}
    for limit in common:
        merged.setdefault(limit.key, {})[limit.label] = limit
    for limit in own:
        labels = merged.setdefault(limit.key, {})
        if limit.label is not None and None in labels:
            labels[EVERY_OTHER] = labels.pop(None)
        labels[limit.label] = limit
    return merged


def expand(
    table: Table, labels: tuple[str, ...], task: Task | None, positive: str | None
) -> dict[str, tuple[Budget, Limit]]:
    """Each budget by its name, with the limit it comes from: one per class where the figure has classes."""
    found: dict[str, tuple[Budget, Limit]] = {}
    for written in table.values():
        for label, limit in _by_class(written, labels, positive if task is Task.BINARY else None):
            budget = Budget(
                metric=limit.kind.name,
                limit=limit.bound,
                good=limit.good,
                label=label,
                on_field=limit.on_field,
                ceiling=limit.kind.ceiling,
                dimension=limit.kind.dimension,
            )
            found[budget.name] = (budget, limit)
    return found


def _by_class(
    written: dict[str | None, Limit], labels: tuple[str, ...], positive: str | None
) -> Iterable[tuple[str | None, Limit]]:
    bare = written.get(None)  # speaks of every class, whatever else is written
    if bare is not None and bare.kind.keys is Keys.NONE:
        return [(None, bare)]
    if bare is not None:
        return [(label, bare) for label in labels if positive in (None, label)]
    rest = written.get(EVERY_OTHER)
    chosen = [(label, written.get(label, rest)) for label in labels]
    return [(label, limit) for label, limit in chosen if limit is not None]
