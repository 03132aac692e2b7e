"""The reference's own figure beside an artifact's: what the model itself reaches on the same samples."""

from __future__ import annotations

from decimal import Decimal
from statistics import mean
from typing import TYPE_CHECKING, Final, NamedTuple

from deployspec.ir.evidence import Classified, Multilabel, Scores
from deployspec.units import Dimension

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from deployspec.ir.budget import Budget
    from deployspec.ir.evidence import Measurement, Statistic


class Counts(NamedTuple):
    """Samples of a class that were found, those that were missed, and others that were called so."""

    found: int
    missed: int
    alarms: int


_ALL: Final = frozenset({Dimension.SHARE, Dimension.NUMBER})
"""What a reference has figures in by itself; a drop or a rise compares with it."""


def reference_figure(budget: Budget, target: str, measurements: Sequence[Measurement]) -> Decimal | None:
    """The reference's figure where the budget limits a figure of decisions or scores, and the evidence tells of it."""
    if budget.dimension not in _ALL:
        return None
    source = budget.row.measured_from
    found = (
        _figure(budget, each.statistic)
        for each in measurements
        if (each.target, each.name, each.split) == (target, source, budget.split)
    )
    return next((figure for figure in found if figure is not None), None)


def _figure(budget: Budget, statistic: Statistic) -> Decimal | None:
    match statistic:
        case Scores(reference=(_, *_) as reference, aggregate=aggregate):
            return aggregate.of(reference)
        case Classified(labels=labels, reference_confusion=(_, *_) as confusion):
            return _decided(budget, dict(zip(labels, _counts(confusion), strict=True)))
        case Multilabel(labels=labels, inside=inside, outside=outside):
            return _decided(
                budget,
                {
                    label: Counts(has.reference_right, has.n - has.reference_right, other.n - other.reference_right)
                    for label, has, other in zip(labels, inside, outside, strict=True)
                },
            )
        case _:
            return None


def _counts(confusion: Sequence[Sequence[int]]) -> list[Counts]:
    called = [sum(column) for column in zip(*confusion, strict=True)]
    return [Counts(row[i], sum(row) - row[i], called[i] - row[i]) for i, row in enumerate(confusion)]


def _decided(budget: Budget, counts: dict[str, Counts]) -> Decimal | None:
    """Of one class, over all samples, or the mean over the classes; None where a share would be one of nothing."""
    if budget.metric == "accuracy":
        return _recall(Counts(*map(sum, zip(*counts.values(), strict=True))))
    share = _SHARES.get(budget.metric)
    asked = counts.values() if budget.label is None else [counts[budget.label]] if budget.label in counts else []
    shares = [share(each) for each in asked] if share else []
    known = [each for each in shares if each is not None]
    return mean(known) if known and len(known) == len(shares) else None


def _recall(of: Counts) -> Decimal | None:
    return _ratio(of.found, of.found + of.missed)


def _precision(of: Counts) -> Decimal | None:
    return _ratio(of.found, of.found + of.alarms)


def _f1(of: Counts) -> Decimal | None:
    return _ratio(2 * of.found, 2 * of.found + of.missed + of.alarms)


def _ratio(part: int, whole: int) -> Decimal | None:
    return Decimal(part) / whole if whole else None


_SHARES: Final[dict[str, Callable[[Counts], Decimal | None]]] = {
    "recall": _recall,
    "precision": _precision,
    "f1": _f1,
    "macro_recall": _recall,
    "balanced_accuracy": _recall,
    "macro_f1": _f1,
}
