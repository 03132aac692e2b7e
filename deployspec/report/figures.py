"""A verdict's numbers as people write them: the one place that turns base units into `12.3 kB`, `98.4 %`, `3.1 ms`.

Bounds are rounded outward, so that what is shown never claims more than what was proven.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING, Final

from deployspec.units import UNITS, Dimension

if TYPE_CHECKING:
    from deployspec.ir.verdict import Verdict

ABSENT: Final = "-"
"""What stands for a figure that is not there."""

_SIGNIFICANT: Final = 3
_SHORT_MS: Final = Decimal("0.1")
_BYTE_UNITS: Final = ("GB", "MB", "kB", "B")


@dataclass(frozen=True)
class Scale:
    """A unit to show figures in: how many base units it has, and how many decimals to keep (None: three digits)."""

    unit: str
    factor: Decimal = Decimal(1)
    decimals: int | None = None

    def number(self, value: Decimal, rounding: str = ROUND_HALF_EVEN) -> str:
        """`value` (base units) in this unit, without the unit."""
        scaled = value / self.factor
        decimals = self.decimals
        if decimals is None:
            decimals = max(0, _SIGNIFICANT - 1 - scaled.adjusted()) if scaled else 0
        rounded = scaled.quantize(Decimal(1).scaleb(-decimals), rounding)
        return f"{rounded + 0:,f}"  # + 0 turns -0.0 into 0.0

    def with_unit(self, number: str) -> str:
        """The number and its unit, a blank between them."""
        return f"{number} {self.unit}".rstrip()


def scale_of(dimension: Dimension, value: Decimal) -> Scale:
    """The scale that suits a value of this dimension."""
    match dimension:
        case Dimension.BYTES:
            return _byte_scale(abs(value))
        case Dimension.SHARE:
            return Scale("%", Decimal("0.01"), decimals=1)
        case Dimension.DROP | Dimension.CHANGE:
            return Scale("pp", Decimal("0.01"), decimals=1)
        case Dimension.TIME:
            return Scale("us", Decimal("0.001")) if 0 < abs(value) < _SHORT_MS else Scale("ms")
        case Dimension.ENERGY:
            return Scale("mJ")
        case Dimension.COUNT:
            return Scale("", decimals=0)
        case _:
            return Scale("")


def _byte_scale(size: Decimal) -> Scale:
    factors = UNITS[Dimension.BYTES]
    unit = next((unit for unit in _BYTE_UNITS if size >= factors[unit]), "B")
    return Scale(unit, factors[unit], decimals=0 if unit == "B" else None)


def estimate(verdict: Verdict) -> str:
    """The estimate with its unit."""
    return figure(verdict.estimate, Dimension(verdict.unit))


def figure(value: Decimal | None, dimension: Dimension) -> str:
    """A value in the dimension's base unit, with a unit that suits it."""
    if value is None:
        return ABSENT
    if dimension is Dimension.FLAG:
        return "yes" if value else "no"
    scale = scale_of(dimension, value)
    return scale.with_unit(scale.number(value))


def interval(verdict: Verdict) -> str:
    """The one-sided bounds, in the estimate's unit: `79.2 to 83.1 %`, or the one that there is; a census has none."""
    lower, upper = verdict.lower, verdict.upper
    known = [bound for bound in (upper, lower) if bound is not None]
    if not known:
        return ABSENT
    scale = scale_of(Dimension(verdict.unit), known[0] if verdict.estimate is None else verdict.estimate)
    low = None if lower is None else scale.number(lower, ROUND_FLOOR)
    high = None if upper is None else scale.number(upper, ROUND_CEILING)
    if low is None or high is None:
        return scale.with_unit(f"at least {low}" if low is not None else f"at most {high}")
    return scale.with_unit(f"{low} to {high}")


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


def counted(number: int, noun: str) -> str:
    """`1 budget`, `2 budgets`, `1,250 samples`."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def plain(text: str) -> str:
    """`text` on one line and harmless on a terminal: whatever is not printable becomes its escape."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
