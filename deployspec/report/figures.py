"""A verdict as people write it: its numbers by the scales of `units`, its limits, support and outcome.

Bounds are rounded outward, so that what is shown never claims more than what was proven.
"""

from __future__ import annotations

from contextlib import suppress
from decimal import ROUND_CEILING, ROUND_FLOOR
from typing import TYPE_CHECKING, Final

from deployspec.units import Dimension, QuantityError, parse_bound, scale_of, shown

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from deployspec.ir.verdict import Verdict

ABSENT: Final = "-"
"""What stands for a figure that is not there."""


def estimate(verdict: Verdict) -> str:
    """The estimate with its unit."""
    return figure(verdict.estimate, Dimension(verdict.unit), _limits(verdict))


def figure(value: Decimal | None, dimension: Dimension, apart: Sequence[Decimal] = ()) -> str:
    """A value in the dimension's base unit, in a unit that suits it, and never as a limit that it does not equal."""
    return ABSENT if value is None else shown(value, dimension, apart)


def interval(verdict: Verdict) -> str:
    """The one-sided bounds, in the estimate's unit: `79.2 to 83.1 %`, or the one that there is; a census has none."""
    lower, upper = verdict.lower, verdict.upper
    known = [bound for bound in (upper, lower) if bound is not None]
    if not known:
        return ABSENT
    scale = scale_of(Dimension(verdict.unit), known[0] if verdict.estimate is None else verdict.estimate)
    apart = _limits(verdict)
    low = None if lower is None else scale.number(lower, ROUND_FLOOR, apart)
    high = None if upper is None else scale.number(upper, ROUND_CEILING, apart)
    if low is None or high is None:
        return scale.with_unit(f"at least {low}" if low is not None else f"at most {high}")
    return scale.with_unit(f"{low} to {high}")


def _limits(verdict: Verdict) -> list[Decimal]:
    """The limits as numbers; a report that others wrote may have some that are none."""
    found = []
    for text in filter(None, (f"{verdict.comparator} {verdict.limit}", verdict.good)):
        with suppress(QuantityError):
            found.append(parse_bound(text, Dimension(verdict.unit)).limit)
    return found


def limit(verdict: Verdict) -> str:
    """The limit as the spec writes it, with the good band where there is one."""
    text = "true" if verdict.unit == Dimension.FLAG else f"{verdict.comparator} {verdict.limit}"
    return f"{text} (good {verdict.good})" if verdict.good else text


def support(verdict: Verdict) -> str:
    """What the figure rests on: the number of samples or processes."""
    return ABSENT if verdict.n is None else f"{verdict.n:,}"


def evidence(verdict: Verdict) -> str:
    """The class of the evidence."""
    return ABSENT if verdict.evidence is None else verdict.evidence.value


def outcome(verdict: Verdict) -> str:
    """The verdict in words: `not measured`, `waived (fail)`."""
    said = verdict.verdict.value.replace("_", " ")
    return f"{said} ({verdict.waived.value.replace('_', ' ')})" if verdict.waived else said


def plain(text: str) -> str:
    """`text` on one line and harmless on a terminal: whatever is not printable becomes its escape."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
