"""A confusion matrix as a page shows it: whole where it is small, its worst classes and mix-ups where it is not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from deployspec.ir.evidence import Classified

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deployspec.ir.evidence import Measurement, Multilabel, PairedOutcomes

WHOLE: Final = 12
"""Classes up to which the whole matrix is shown."""
LISTED: Final = 12
"""Classes, and mix-ups, that are listed of a larger one."""
_LEVELS: Final = 9


@dataclass(frozen=True, kw_only=True)
class ClassRow:
    """One class: how many samples it has, how many were found, how many were called so; by the artifact and before.

    `reference_found` is None where nothing is known of the reference.
    """

    label: str
    support: int
    found: int
    called: int
    reference_found: int | None

    @property
    def recall(self) -> float | None:
        """Share of the class's samples that were found."""
        return _ratio(self.found, self.support)

    @property
    def precision(self) -> float | None:
        """Share of what was called so that is so."""
        return _ratio(self.found, self.called)

    @property
    def reference_recall(self) -> float | None:
        """The reference's recall."""
        return None if self.reference_found is None else _ratio(self.reference_found, self.support)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A count of the matrix; `level` 0 to 9 is its share of the row, for the tint."""

    count: int
    level: int
    right: bool


@dataclass(frozen=True, kw_only=True)
class Mixup:
    """How often one class was taken for another."""

    actual: str
    called: str
    count: int
    support: int


@dataclass(frozen=True, kw_only=True)
class Decisions:
    """What a page shows of one table of decisions.

    `matrix` is empty where there are too many classes, and where a sample may have several. `right` counts samples
    decided right, by the artifact and by the reference; None where samples have several classes. `broken` and
    `repaired` are None where no joint outcomes are known.
    """

    split: str
    source: str
    """Its class of evidence and the runtime; of several that gave the same table the first, and how many more."""
    n: int
    excluded: int
    right: tuple[int, int | None] | None
    broken: int | None
    repaired: int | None
    commonest: ClassRow
    labels: tuple[str, ...]
    matrix: tuple[tuple[Cell, ...], ...]
    rows: tuple[ClassRow, ...]
    left_out: int
    mixups: tuple[Mixup, ...]


def decisions(alike: Sequence[Measurement], table: Classified | Multilabel) -> Decisions:
    """Everything that the page says of the table that measurements `alike` hold.

    Where not all classes are shown, the weakest are.
    """
    single = isinstance(table, Classified)
    rows = _rows(table) if isinstance(table, Classified) else _label_rows(table)
    whole = len(rows) <= WHOLE
    pairs = table.paired if isinstance(table, Classified) else (*table.inside, *table.outside)
    return Decisions(
        split=alike[0].split,
        source=_source(alike),
        n=table.n,
        excluded=table.excluded,
        right=(sum(row.found for row in rows), _reference_right(rows)) if single else None,
        broken=sum(each.broken for each in pairs) if pairs else None,
        repaired=sum(each.repaired for each in pairs) if pairs else None,
        commonest=max(rows, key=lambda row: row.support),
        labels=table.labels,
        matrix=_matrix(table) if isinstance(table, Classified) and whole else (),
        rows=tuple(rows if whole else _weakest(rows)),
        left_out=0 if whole else len(rows) - LISTED,
        mixups=_mixups(table) if isinstance(table, Classified) and not whole else (),
    )


def _reference_right(rows: Sequence[ClassRow]) -> int | None:
    found = [row.reference_found for row in rows if row.reference_found is not None]
    return sum(found) if found else None


def _source(alike: Sequence[Measurement]) -> str:
    first = f"{alike[0].evidence.value}, {alike[0].runtime}".removesuffix(", ")
    if len(alike) == 1:
        return first
    return f"{first}, and as {'another run' if len(alike) == 2 else f'{len(alike) - 1} other runs'} gave it"


def _rows(table: Classified) -> list[ClassRow]:
    called = [sum(column) for column in zip(*table.confusion, strict=True)]
    return [
        ClassRow(
            label=label,
            support=sum(row),
            found=row[index],
            called=called[index],
            reference_found=table.reference_confusion[index][index] if table.reference_confusion else None,
        )
        for index, (label, row) in enumerate(zip(table.labels, table.confusion, strict=True))
    ]


def _label_rows(table: Multilabel) -> list[ClassRow]:
    """Labels that stand beside each other: what was called so is what was found and the false alarms."""
    return [
        ClassRow(
            label=label,
            support=inside.n,
            found=_right(inside),
            called=_right(inside) + outside.n - _right(outside),
            reference_found=inside.reference_right,
        )
        for label, inside, outside in zip(table.labels, table.inside, table.outside, strict=True)
    ]


def _right(outcomes: PairedOutcomes) -> int:
    """Samples that the artifact gets right."""
    return outcomes.both + outcomes.repaired


def _matrix(table: Classified) -> tuple[tuple[Cell, ...], ...]:
    return tuple(_cells(row, index) for index, row in enumerate(table.confusion))


def _cells(row: Sequence[int], index: int) -> tuple[Cell, ...]:
    total = sum(row)
    return tuple(
        Cell(count=count, level=-(-_LEVELS * count // total) if total else 0, right=index == column)
        for column, count in enumerate(row)
    )


def _weakest(rows: Sequence[ClassRow]) -> list[ClassRow]:
    """The classes of the lowest recall; those without samples come last."""
    return sorted(rows, key=lambda row: 2.0 if row.recall is None else row.recall)[:LISTED]


def _mixups(table: Classified) -> tuple[Mixup, ...]:
    found = [
        Mixup(actual=table.labels[i], called=table.labels[j], count=count, support=sum(row))
        for i, row in enumerate(table.confusion)
        for j, count in enumerate(row)
        if count and i != j
    ]
    return tuple(sorted(found, key=lambda each: -each.count)[:LISTED])


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
