"""A figure with its one-sided bounds, in exact decimals."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from deployspec.ir.verdict import Outcome

GRID: Final = Decimal("0.000001")
"""Bounds of shares and drops lie on this grid: always rounded outward, so that rounding never proves anything."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """An estimate, and what the evidence can vouch for.

    `lower` and `upper` are one-sided bounds, each at the stated confidence; None where the evidence gives none.
    A census, or a figure judged as a point, is its own bound on both sides (`bounded` is False).
    `n` counts the samples or processes that it rests on, None for a census. `grid` is what the bounds were rounded to.
    """

    estimate: Decimal
    lower: Decimal | None
    upper: Decimal | None
    n: int | None = None
    bounded: bool = True
    grid: Decimal = GRID


@dataclass(frozen=True)
class Finding:
    """What a method says of one budget: the outcome, why, and the figure if there is one."""

    outcome: Outcome
    reason: str
    figure: Figure | None = None


def point(value: Decimal, n: int | None = None) -> Figure:
    """A value that stands for itself."""
    return Figure(estimate=value, lower=value, upper=value, n=n, bounded=False)


def ratio(part: int | Decimal, whole: int | Decimal) -> Decimal:
    """`part / whole` to 28 significant digits."""
    return Decimal(part) / Decimal(whole)


def floor(value: float | Decimal, grid: Decimal = GRID) -> Decimal:
    """`value` rounded down to the grid."""
    return Decimal(value).quantize(grid, ROUND_FLOOR)


def ceiling(value: float | Decimal, grid: Decimal = GRID) -> Decimal:
    """`value` rounded up to the grid."""
    return Decimal(value).quantize(grid, ROUND_CEILING)
