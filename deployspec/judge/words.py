"""The words of a reason: figures as people write them, and the one sentence that says what decided."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING, Final

from deployspec.ir.verdict import Outcome
from deployspec.units import Dimension

if TYPE_CHECKING:
    from deployspec.ir.budget import Budget
    from deployspec.judge.figure import Figure
    from deployspec.units import Bound

_DECIMALS: Final = 2
_SHORT_MS: Final = Decimal("0.1")


def subject(budget: Budget) -> str:
    """`recall.3` as "recall of class '3'", `field.accuracy_drop` as "field accuracy drop"."""
    name = "field " * budget.on_field + budget.metric.replace("_", " ")
    return name if budget.label is None else f"{name} of class '{budget.label}'"


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


def quantity(value: Decimal, budget: Budget, rounding: str = ROUND_HALF_EVEN) -> str:
    """A value in its base unit as text: shares in percent, drops in percentage points, short times in us.

    To two decimals, or as many as it takes to tell a figure other than zero from zero.
    """
    match unit_of(budget):
        case Dimension.SHARE:
            return f"{_short(value * 100, rounding)} %"
        case Dimension.DROP | Dimension.CHANGE:
            return f"{_short(value * 100, rounding)} pp"
        case Dimension.TIME if 0 < abs(value) < _SHORT_MS:
            return f"{_short(value * 1000, rounding)} us"
        case Dimension.TIME | Dimension.ENERGY | Dimension.BYTES as unit:
            return f"{_short(value, rounding)} {unit.value}"
        case Dimension.FLAG:
            return "true" if value else "false"
        case _:
            return _short(value, rounding)


def sentence(budget: Budget, figure: Figure, outcome: Outcome, basis: str, confidence: Decimal | None) -> str:
    """What decided, e.g. "recall of class '3': 41 of 45; at 95 % confidence at least 80.4 %, the floor is 85 %"."""
    word = "ceiling" if budget.limit.comparator.bounds_above else "floor"
    band = f", not proven within {limit_text(budget.good)}" if outcome is Outcome.WARN and budget.good else ""
    bounds = _bounds(budget, figure, outcome, confidence)
    return f"{subject(budget)}: {basis}{bounds}, the {word} is {limit_text(budget.limit)}{band}"


def _bounds(budget: Budget, figure: Figure, outcome: Outcome, confidence: Decimal | None) -> str:
    """The bound that decided, or both where neither did."""
    if not figure.bounded:
        return "" if confidence is not None else " (the bare estimate)"
    at_least = "" if figure.lower is None else f"at least {quantity(figure.lower, budget, ROUND_FLOOR)}"
    at_most = "" if figure.upper is None else f"at most {quantity(figure.upper, budget, ROUND_CEILING)}"
    wants_upper = budget.limit.comparator.bounds_above is not (outcome is Outcome.FAIL)
    shown = [at_least, at_most] if outcome is Outcome.INCONCLUSIVE else [at_most if wants_upper else at_least]
    said = " and ".join(filter(None, shown))
    return f"; at {percent(confidence)} confidence {said or 'no bound'}"


def percent(share: Decimal | None) -> str:
    """A confidence in percent, exactly as given."""
    return f"{_plain((share or Decimal(0)) * 100)} %"


def _short(value: Decimal, rounding: str) -> str:
    if not value.is_finite():
        return str(value)
    decimals = max(_DECIMALS, -value.adjusted()) if value else _DECIMALS
    return _plain(value.quantize(Decimal(1).scaleb(-decimals), rounding))


def _plain(value: Decimal) -> str:
    text = f"{value:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
