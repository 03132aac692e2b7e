"""A budget as a picture: the limit, what it forbids, the estimate and its interval on one scale.

Positions are percent of the picture's width, so that it fits any width; the words for it stand beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from deployspec.ir.verdict import Outcome
from deployspec.units import Dimension

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from decimal import Decimal

    from deployspec.ir.verdict import Verdict
    from deployspec.report.rows import Row
    from deployspec.units import Bound

_PAD: Final = 0.25
"""Of the span of what is shown, left free on both sides of a share."""
_LEAST_PAD: Final = 0.02
_HEADROOM: Final = 1.12


@dataclass(frozen=True)
class Span:
    """A stretch of the scale, in percent of its width."""

    start: float
    end: float

    @property
    def width(self) -> float:
        """Its length."""
        return round(self.end - self.start, 2)


@dataclass(frozen=True, kw_only=True)
class Bar:
    """Where everything stands. A bound that is not there lets the interval run to the scale's end."""

    estimate: float
    limit: float
    forbidden: Span
    interval: Span | None = None
    good: float | None = None


@dataclass(frozen=True)
class Scale:
    """From a figure to its place; what lies outside is put at the end."""

    low: float
    high: float

    def place(self, value: Decimal | float) -> float:
        """Percent of the width."""
        share = (float(value) - self.low) / (self.high - self.low)
        return round(100 * min(1.0, max(0.0, share)), 2)


def bars(rows: Sequence[Row]) -> list[Bar | None]:
    """The picture of each row; None where there is no figure, or nothing between yes and no.

    Budgets of one metric share their scale, so that classes can be compared.
    """
    alike: dict[str, list[Row]] = {}
    for row in rows:
        if _drawable(row):
            alike.setdefault(row.budget.metric, []).append(row)
    scales = {metric: _scale(group) for metric, group in alike.items()}
    return [_bar(row, scales[row.budget.metric]) if _drawable(row) else None for row in rows]


def _drawable(row: Row) -> bool:
    estimate = row.verdict.estimate
    return estimate is not None and estimate.is_finite() and row.budget.dimension is not Dimension.FLAG


def _bar(row: Row, scale: Scale) -> Bar:
    budget = row.budget
    return Bar(
        estimate=scale.place(row.verdict.estimate or 0),
        limit=scale.place(budget.limit.limit),
        forbidden=_forbidden(budget.limit, scale),
        interval=_interval(row.verdict, scale),
        good=scale.place(budget.good.limit) if budget.good else None,
    )


def around(values: list[float]) -> Scale:
    """A scale that shows how values differ: from the smallest to the largest, and a little more."""
    low, high = min(values), max(values)
    pad = 0.08 * (high - low) or 0.05 * abs(high) or 1.0
    return Scale(low - pad, high + pad)


def _scale(rows: Sequence[Row]) -> Scale:
    """Shares are shown where they lie, differences with their zero, all else from zero on."""
    shown = [float(each) for row in rows for each in _figures(row)]
    low, high = min(shown), max(shown)
    match rows[0].budget.dimension:
        case Dimension.SHARE:
            pad = max(_PAD * (high - low), _LEAST_PAD)
            return Scale(max(low - pad, min(0.0, low)), min(high + pad, max(1.0, high)))
        case Dimension.DROP | Dimension.CHANGE:
            low, high = min(low, 0.0), max(high, 0.0)
            pad = max(_PAD * (high - low), _LEAST_PAD / 4)
            return Scale(low - pad, high + pad)
        case _:
            return Scale(min(0.0, low * _HEADROOM), max(high * _HEADROOM, 1e-9))


def _figures(row: Row) -> Iterator[Decimal]:
    """All that is drawn: the limits, the estimate and its bounds."""
    yield from (bound.limit for bound in (row.budget.limit, row.budget.good) if bound)
    known = (row.verdict.estimate, row.verdict.lower, row.verdict.upper)
    yield from (each for each in known if each is not None and each.is_finite())


def _forbidden(bound: Bound, scale: Scale) -> Span:
    limit = scale.place(bound.limit)
    return Span(limit, 100.0) if bound.comparator.bounds_above else Span(0.0, limit)


def _interval(verdict: Verdict, scale: Scale) -> Span | None:
    """From bound to bound; an interval that proves nothing runs from end to end, a census has none."""
    lower, upper = verdict.lower, verdict.upper
    if lower is None and upper is None and verdict.verdict is not Outcome.INCONCLUSIVE:
        return None
    return Span(0.0 if lower is None else scale.place(lower), 100.0 if upper is None else scale.place(upper))
