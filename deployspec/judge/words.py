"""The words of a reason: figures as people write them, and the one sentence that says what decided."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING

from deployspec.ir.verdict import Outcome
from deployspec.units import Dimension, scale_of, shown, written

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deployspec.ir.budget import Budget
    from deployspec.judge.figure import Figure
    from deployspec.units import Bound


def limit_text(bound: Bound) -> str:
    """The limit as it was written, without its comparator."""
    return bound.text.lstrip("<>= ") or format(bound.limit, "f")


def bound_text(bound: Bound) -> str:
    """The bound with its comparator: `> 90 %`."""
    return f"{bound.comparator} {limit_text(bound)}"


def unit_of(budget: Budget) -> Dimension:
    """What the figure is told in: a change relative to the reference is a share of it, that of a score a score."""
    if budget.limit.relative:
        return Dimension.SHARE
    return Dimension.NUMBER if budget.dimension is Dimension.RISE else budget.dimension


def limits(budget: Budget) -> tuple[Decimal, ...]:
    """What a figure of the budget is told apart from."""
    return tuple(bound.limit for bound in (budget.limit, budget.good) if bound)


def quantity(value: Decimal, budget: Budget) -> str:
    """A value in its base unit as text: shares in percent, drops in percentage points, short times in us."""
    return told(value, unit_of(budget), limits(budget))


def provable(best: Decimal, budget: Budget) -> str:
    """The best limit that can be proven, rounded to one that can be: floors down, ceilings up."""
    outward = ROUND_CEILING if budget.limit.comparator.bounds_above else ROUND_FLOOR
    return told(best, unit_of(budget), limits(budget), outward)


def told(value: Decimal, dimension: Dimension, apart: Iterable[Decimal] = (), rounding: str = ROUND_HALF_EVEN) -> str:
    """A figure as a table shows it, without zeros at its end."""
    if dimension is Dimension.FLAG:
        return shown(value, dimension)
    scale = scale_of(dimension, value)
    return scale.with_unit(written(scale.rounded(value, rounding, apart)))


def sentence(budget: Budget, figure: Figure, outcome: Outcome, basis: str, confidence: Decimal | None) -> str:
    """What decided, e.g. "recall of class '3': 41 of 45; at 95 % confidence at least 80.4 %, the floor is 85 %"."""
    word = "ceiling" if budget.limit.comparator.bounds_above else "floor"
    band = f", not proven within {limit_text(budget.good)}" if outcome is Outcome.WARN and budget.good else ""
    bounds = _bounds(budget, figure, outcome, confidence)
    return f"{budget.subject}: {basis}{bounds}, the {word} is {limit_text(budget.limit)}{band}"


def _bounds(budget: Budget, figure: Figure, outcome: Outcome, confidence: Decimal | None) -> str:
    """The bound that decided, or both where neither did, in the estimate's unit and rounded outward."""
    if not figure.bounded:
        return "" if confidence is not None else " (the bare estimate)"
    scale, apart = scale_of(unit_of(budget), figure.estimate), limits(budget)
    low, high = (
        "" if bound is None else f"{word} {scale.with_unit(written(scale.rounded(bound, outward, apart)))}"
        for word, bound, outward in (("at least", figure.lower, ROUND_FLOOR), ("at most", figure.upper, ROUND_CEILING))
    )
    wants_upper = budget.limit.comparator.bounds_above is not (outcome is Outcome.FAIL)
    deciding = [low, high] if outcome is Outcome.INCONCLUSIVE else [high if wants_upper else low]
    said = " and ".join(filter(None, deciding))
    return f"; at {percent(confidence)} confidence {said or 'no bound'}"


def percent(share: Decimal | None) -> str:
    """A confidence in percent, exactly as given."""
    return f"{written((share or Decimal(0)) * 100)} %"
