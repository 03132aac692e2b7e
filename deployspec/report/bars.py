"""A budget drawn on one line: the limit, the side that is within it, the interval and the estimate.

    floor of 80 %, proven        ..|-----------==o=-
    ceiling of 2 pp, undecided   ---====o==+===.....

Each bar has a scale of its own, from the least to the largest of what it shows. What lies on one side of a limit is
never drawn on it or across it, however close it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from deployspec.ir.verdict import Outcome
from deployspec.units import Dimension

if TYPE_CHECKING:
    from decimal import Decimal

    from deployspec.ir.budget import Budget
    from deployspec.ir.verdict import Verdict


@dataclass(frozen=True, kw_only=True)
class Glyphs:
    """One character for each part of a bar."""

    estimate: str
    on_limit: str
    """The estimate where it is the limit itself."""
    interval: str
    limit: str
    crossed: str
    """A limit, or the limit of the good band, that the interval crosses."""
    good: str
    within: str
    beyond: str
    from_below: str
    """The end of an interval that is open on this side."""
    from_above: str

    @property
    def legend(self) -> str:
        """What they mean, on one line."""
        return (
            f"{self.estimate} estimate, {self.interval} interval, {self.limit} limit ({self.crossed} inside it), "
            f"{self.within} allowed, {self.good} good band"
        )


UNICODE: Final = Glyphs(
    estimate="●", on_limit="◆", interval="━", limit="│", crossed="┿", good="┆", within="─", beyond="·",
    from_below="◀", from_above="▶",
)  # fmt: skip

ASCII: Final = Glyphs(
    estimate="o", on_limit="#", interval="=", limit="|", crossed="+", good=":", within="-", beyond=".",
    from_below="<", from_above=">",
)  # fmt: skip


def bar(verdict: Verdict, budget: Budget, width: int, glyphs: Glyphs = UNICODE) -> str:
    """The bar in `width` characters, at least 5; empty for what has no place on a scale: yes or no, or no figure.

    An interval without a bound runs to that end of the bar; what proves nothing has none on either side.
    """
    estimate = verdict.estimate
    if estimate is None or not estimate.is_finite() or budget.dimension is Dimension.FLAG:
        return ""
    lower, upper = _finite(verdict.lower), _finite(verdict.upper)
    limit, good = budget.limit.limit, budget.good.limit if budget.good else None
    scale = _Scale([each for each in (limit, good, estimate, lower, upper) if each is not None], width)
    at_limit = scale.cell(limit)
    marks = [(good, at_good := scale.beside(good, [(limit, at_limit)]))] if good is not None else []
    marks.append((limit, at_limit))

    cells = [glyphs.within if (i < at_limit) is budget.ceiling else glyphs.beyond for i in range(width)]
    unbounded = Outcome.INCONCLUSIVE in (verdict.verdict, verdict.waived)
    if lower is not None or upper is not None or unbounded:
        first = 0 if lower is None else scale.beside(lower, marks)
        last = width - 1 if upper is None else scale.beside(upper, marks)
        cells[first : last + 1] = glyphs.interval * (last + 1 - first)
        cells[first] = glyphs.from_below if lower is None else cells[first]
        cells[last] = glyphs.from_above if upper is None else cells[last]
    if good is not None:
        cells[at_good] = glyphs.crossed if cells[at_good] == glyphs.interval else glyphs.good
    cells[at_limit] = glyphs.crossed if cells[at_limit] == glyphs.interval else glyphs.limit
    cells[scale.beside(estimate, marks)] = glyphs.on_limit if estimate == limit else glyphs.estimate
    return "".join(cells)


class _Scale:
    """From values to cells: the least of them in the second cell, the largest in the last but one."""

    def __init__(self, values: list[Decimal], width: int) -> None:
        self._low, self._width = min(values), width
        self._span = max(values) - self._low

    def cell(self, value: Decimal) -> int:
        """Where the value is; the middle where all values are the same."""
        if not self._span:
            return self._width // 2
        return 1 + round((value - self._low) / self._span * (self._width - 3))

    def beside(self, value: Decimal, marks: list[tuple[Decimal, int]]) -> int:
        """The same, but off the cell of a mark that it does not equal, on its side of it; the last mark weighs most."""
        cell = self.cell(value)
        for mark, at in marks:
            cell = min(cell, at - 1) if value < mark else max(cell, at + 1) if value > mark else at
        return cell


def _finite(bound: Decimal | None) -> Decimal | None:
    return bound if bound is not None and bound.is_finite() else None
