"""The table of what each target costs for what it is worth."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Final

from deployspec.ir.budget import EvidenceKind, Method
from deployspec.report.views.html.measured import quantity, share
from deployspec.units import Dimension

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from decimal import Decimal

    from deployspec.report.rows import Row
    from deployspec.report.views.html.content import TargetView

_ABSENT: Final = "–"
_WORTH: Final = frozenset({Method.PROPORTION, Method.RESAMPLED, Method.SCORES})
_CHANGES: Final = frozenset({Dimension.DROP, Dimension.CHANGE, Dimension.RISE})


@dataclass(frozen=True)
class Column:
    """One figure of every target, in their order, with its unit."""

    heading: str
    cells: tuple[str, ...]


def columns(views: Sequence[TargetView], latency: str) -> tuple[Column, ...]:
    """Size, the latency of this percentile, quality and agreement: those that at least one target has."""
    compared = [each.compared for each in views]
    found = (
        Column("size", tuple(_quantity("size", each.size_bytes) for each in compared)),
        Column(
            f"latency {latency.removeprefix('latency.')}",
            tuple(_quantity(latency, median(each.latency_ms) if each.latency_ms else None) for each in compared),
        ),
        _quality(views),
        Column("agreement", tuple(_share(each.agreement) for each in compared)),
    )
    return tuple(each for each in found if set(each.cells) - {_ABSENT})


def _quality(views: Sequence[TargetView]) -> Column:
    """The accuracy of decisions; else the figure of the first budget that says what a target is worth."""
    if any(each.compared.right is not None for each in views):
        return Column("accuracy", tuple(_share(each.compared.right) for each in views))
    rows = [{row.budget.name: row for row in _of_worth(each.row for each in view.budgets)} for view in views]
    first = next((name for told in rows for name in told), "")
    return Column(first, tuple(told[first].estimate if first in told else _ABSENT for told in rows))


def _of_worth(rows: Iterable[Row]) -> Iterator[Row]:
    """Those of quality figures of the whole test split, and no mere changes from the reference's."""
    for each in rows:
        asked, known = each.budget, each.verdict.estimate is not None
        of_whole = asked.label is None and not asked.on_field and asked.metric != "agreement"
        plain = asked.row.method in _WORTH and asked.dimension not in _CHANGES
        if known and of_whole and plain and asked.row.kind is EvidenceKind.QUALITY:
            yield each


def _quantity(name: str, value: Decimal | None) -> str:
    return _ABSENT if value is None else quantity(name, value)


def _share(value: float | None) -> str:
    return _ABSENT if value is None else share(value)
