"""Exact quantities: a comparator, a decimal number and a unit, as a spec writes them, and figures as people read them.

Numbers are `Decimal` from the text on, never a float, so that `< 20 MB` means 20,000,000 bytes
and not a rounding of it. Each dimension has one base unit, in which limits are kept.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Final, assert_never

if TYPE_CHECKING:
    from collections.abc import Iterable


class Comparator(StrEnum):
    """How a value must stand to a limit."""

    LT = "<"
    LE = "<="
    GT = ">"
    GE = ">="

    def holds(self, value: Decimal, limit: Decimal) -> bool:
        """Whether `value <comparator> limit`; equality passes `<=` and `>=` only."""
        match self:
            case Comparator.LT:
                return value < limit
            case Comparator.LE:
                return value <= limit
            case Comparator.GT:
                return value > limit
            case Comparator.GE:
                return value >= limit
            case _:
                assert_never(self)

    @property
    def allows_equality(self) -> bool:
        """True for `<=` and `>=`."""
        return self in (Comparator.LE, Comparator.GE)

    @property
    def bounds_above(self) -> bool:
        """True for `<` and `<=`: the limit is a ceiling."""
        return self in (Comparator.LT, Comparator.LE)


class Dimension(StrEnum):
    """What a limit measures; the value names the base unit that it is kept in."""

    BYTES = "B"
    TIME = "ms"
    ENERGY = "mJ"
    SHARE = "%"
    """A fraction of one, written in percent and kept as a fraction."""
    DROP = "pp"
    """A difference of two shares: `pp` absolute, `%` relative to the reference."""
    CHANGE = "pp of churn"
    """A difference of two shares for which only `pp` makes sense."""
    RISE = "number or %"
    """How much worse a score is than the reference's: bare in the score's own unit, `%` relative to it."""
    COUNT = "count"
    NUMBER = "number"
    FLAG = "flag"


UNITS: Final[dict[Dimension, dict[str, Decimal]]] = {
    Dimension.BYTES: {
        "B": Decimal(1),
        "kB": Decimal(10) ** 3,
        "KB": Decimal(10) ** 3,
        "MB": Decimal(10) ** 6,
        "GB": Decimal(10) ** 9,
        "KiB": Decimal(2) ** 10,
        "MiB": Decimal(2) ** 20,
        "GiB": Decimal(2) ** 30,
    },
    Dimension.TIME: {"us": Decimal("0.001"), "ms": Decimal(1), "s": Decimal(1000), "min": Decimal(60000)},
    Dimension.ENERGY: {"uJ": Decimal("0.001"), "mJ": Decimal(1), "J": Decimal(1000)},
    Dimension.SHARE: {"%": Decimal("0.01")},
    Dimension.DROP: {"pp": Decimal("0.01"), "%": Decimal("0.01")},
    Dimension.CHANGE: {"pp": Decimal("0.01")},
    Dimension.RISE: {"": Decimal(1), "%": Decimal("0.01")},
    Dimension.COUNT: {"": Decimal(1)},
    Dimension.NUMBER: {"": Decimal(1)},
    Dimension.FLAG: {"": Decimal(1)},
}
"""The factor from each legal unit to the base unit of its dimension."""

# The digits are bounded: an exponent or a thousand digits is never a budget, and Decimal would take both.
_BOUND = re.compile(
    r"(?P<comparator><=|>=|<|>)\s*(?P<number>-?\d{1,30}(?:\.\d{1,30})?)\s*(?P<unit>[A-Za-z%]*)", re.ASCII
)


class QuantityError(ValueError):
    """A limit that cannot be read; the text says what would be legal."""


@dataclass(frozen=True)
class Bound:
    """`comparator limit`: the limit in the base unit of its dimension, and the text it came from."""

    comparator: Comparator
    limit: Decimal
    relative: bool = False
    text: str = ""

    def holds(self, value: Decimal) -> bool:
        """Whether `value` (base unit) satisfies the bound."""
        return self.comparator.holds(value, self.limit)

    def loosens(self, other: Bound) -> bool:
        """Whether some value satisfies `self` and not `other`; both must point the same way."""
        if self.limit == other.limit:
            return self.comparator.allows_equality and not other.comparator.allows_equality
        return (self.limit > other.limit) is self.comparator.bounds_above


def parse_bound(text: str, dimension: Dimension) -> Bound:
    """Read `"< 20 MB"` as a bound of `dimension`.

    Raises QuantityError when the text is no bound, its unit is missing or belongs to another dimension.
    """
    units = UNITS[dimension]
    match = _BOUND.fullmatch(text.strip())
    if match is None:
        raise QuantityError(f"'{text}' is not a limit: write a comparator (< <= > >=), a number{_unit_hint(units)}")
    unit = match["unit"]
    if unit not in units:
        raise QuantityError(_unit_problem(match["comparator"], Decimal(match["number"]), unit, dimension))
    number = Decimal(match["number"]) * units[unit]
    if dimension is Dimension.COUNT and number != number.to_integral_value():
        raise QuantityError(f"'{text}' counts something: write a whole number")
    relative = dimension in (Dimension.DROP, Dimension.RISE) and unit == "%"
    return Bound(Comparator(match["comparator"]), number, relative, text.strip())


def _unit_problem(comparator: str, number: Decimal, unit: str, dimension: Dimension) -> str:
    """What is wrong with a unit, and the likeliest thing that was meant: another case, or a share as a fraction."""
    units = UNITS[dimension]
    if "" in units:
        return f"unit '{unit}' does not fit: write {' or '.join(each or 'a bare number' for each in units)}"
    legal = " or ".join(units)
    if unit:
        meant = next((each for each in units if each.casefold() == unit.casefold()), None)
        return f"unit '{unit}' does not fit: {f'perhaps you meant {meant!r}; ' if meant else ''}write {legal}"
    if dimension in (Dimension.SHARE, Dimension.DROP, Dimension.CHANGE) and 0 < abs(number) < 1:
        return f"the unit is missing: for {number} write {comparator} {written(number * 100)} {next(iter(units))}"
    return f"the unit is missing: write {legal}"


def _unit_hint(units: dict[str, Decimal]) -> str:
    named = [unit for unit in units if unit]
    return f" and a unit ({', '.join(named)})" if named else ""


_SHORT_MS: Final = Decimal("0.1")
_BYTE_UNITS: Final = ("GB", "MB", "kB", "B")


@dataclass(frozen=True)
class Scale:
    """A unit to show figures in: how many base units it has, and what to keep: so many digits, or so many decimals."""

    unit: str
    factor: Decimal = Decimal(1)
    digits: int = 3
    decimals: int | None = None

    def rounded(self, value: Decimal, rounding: str = ROUND_HALF_EVEN, apart: Iterable[Decimal] = ()) -> Decimal:
        """`value` (base units) in this unit.

        It keeps more digits where it would otherwise reach or pass 0, or a limit in `apart` that it does not equal.
        """
        if not value.is_finite():
            return value
        scaled = value / self.factor
        least = self.decimals
        if least is None:
            least = max(0, self.digits - 1 - scaled.adjusted()) if scaled else 0
        exact = max(least, -int(scaled.as_tuple().exponent))
        marks = [mark / self.factor for mark in (Decimal(0), *apart)]
        sides = list(map(scaled.compare, marks))
        tried = (scaled.quantize(Decimal(1).scaleb(-decimals), rounding) for decimals in range(least, exact + 1))
        return next(each for each in tried if list(map(each.compare, marks)) == sides)

    def number(self, value: Decimal, rounding: str = ROUND_HALF_EVEN, apart: Iterable[Decimal] = ()) -> str:
        """The same as text, its thousands apart, as a column of a table has it."""
        return f"{self.rounded(value, rounding, apart) + 0:,f}"  # + 0 turns -0.0 into 0.0

    def with_unit(self, number: str) -> str:
        """The number and its unit, a blank between them."""
        return f"{number} {self.unit}".rstrip()


def scale_of(dimension: Dimension, value: Decimal) -> Scale:
    """The scale that suits a value of this dimension."""
    match dimension:
        case Dimension.BYTES:
            return _byte_scale(abs(value))
        case Dimension.SHARE:
            return Scale("%", Decimal("0.01"), decimals=2)
        case Dimension.DROP | Dimension.CHANGE:
            return Scale("pp", Decimal("0.01"), decimals=2)
        case Dimension.TIME:
            return Scale("us", Decimal("0.001")) if 0 < abs(value) < _SHORT_MS else Scale("ms")
        case Dimension.ENERGY:
            return Scale("mJ")
        case Dimension.COUNT:
            return Scale("", decimals=0)
        case _:
            return Scale("", digits=4)


def _byte_scale(size: Decimal) -> Scale:
    factors = UNITS[Dimension.BYTES]
    unit = next((unit for unit in _BYTE_UNITS if size >= factors[unit]), "B")
    return Scale(unit, factors[unit], decimals=0 if unit == "B" else None)


def shown(value: Decimal, dimension: Dimension, apart: Iterable[Decimal] = ()) -> str:
    """A value in the dimension's base unit, in a unit that suits it, and never as a value of `apart` that it is not."""
    if dimension is Dimension.FLAG:
        return "yes" if value else "no"
    scale = scale_of(dimension, value)
    return scale.with_unit(scale.number(value, apart=apart))


def written(number: Decimal) -> str:
    """The number as a sentence has it, its thousands apart and without zeros at its end: `1,234.5`."""
    text = f"{number:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


_DURATION: Final = {"s": 1, "min": 60, "h": 3600, "d": 86400}
_LONGEST_D: Final = 36500
"""A hundred years: beyond it lie dates that no calendar library has."""


def parse_duration_s(text: str) -> int:
    """Read `"30 min"` or `"90 d"` (units s, min, h, d) as whole seconds. Raises QuantityError."""
    match = re.fullmatch(r"(\d{1,9})\s*(s|min|h|d)", text.strip(), re.ASCII)
    if match is None or int(match[1]) == 0:
        raise QuantityError(f"'{text}' is not a duration: write a whole number and a unit ({', '.join(_DURATION)})")
    seconds = int(match[1]) * _DURATION[match[2]]
    if seconds > _LONGEST_D * _DURATION["d"]:
        raise QuantityError(f"'{text}' is longer than {_LONGEST_D} d, the longest duration")
    return seconds


def parse_share(text: str) -> Decimal:
    """Read `"1 %"` as a fraction, above 0 and at most 1. Raises QuantityError."""
    match = re.fullmatch(r"(\d{1,3}(?:\.\d{1,30})?)\s*%", text.strip(), re.ASCII)
    share = Decimal(match[1]) / 100 if match else Decimal(0)
    if not 0 < share <= 1:
        raise QuantityError(f"'{text}' is not a share: write a number above 0 and up to 100, and %")
    return share


def parse_size_bytes(text: str) -> int:
    """Read `"8 GB"` as whole bytes. Raises QuantityError."""
    units = UNITS[Dimension.BYTES]
    match = re.fullmatch(r"(\d{1,15})\s*([A-Za-z]+)", text.strip())
    if match is None or match[2] not in units:
        raise QuantityError(f"'{text}' is not a size: write a whole number and a unit ({', '.join(units)})")
    return int(match[1]) * int(units[match[2]])
