"""One row of a view for each budget of a target: its verdict's numbers as people write them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deployspec.report import bars, figures
from deployspec.report.decisive import decisive
from deployspec.report.figures import ABSENT
from deployspec.report.reference import reference_figure
from deployspec.units import Dimension

if TYPE_CHECKING:
    from deployspec.ir.budget import Budget
    from deployspec.ir.report import Report, TargetReport
    from deployspec.ir.verdict import Verdict
    from deployspec.report.bars import Glyphs


@dataclass(frozen=True, kw_only=True)
class Row:
    """A verdict, the budget that it is on, and the figure of the reference (`-` where there is none)."""

    verdict: Verdict
    budget: Budget
    reference: str

    @property
    def limit(self) -> str:
        """The limit as the spec writes it."""
        return figures.limit(self.verdict)

    @property
    def estimate(self) -> str:
        """The estimate with its unit."""
        return figures.estimate(self.verdict)

    @property
    def interval(self) -> str:
        """The one-sided bounds."""
        return figures.interval(self.verdict)

    @property
    def support(self) -> str:
        """The number of samples or processes."""
        return figures.support(self.verdict)

    @property
    def evidence(self) -> str:
        """The class of the evidence."""
        return figures.evidence(self.verdict)

    @property
    def outcome(self) -> str:
        """The verdict in words."""
        return figures.outcome(self.verdict)

    def bar(self, width: int, glyphs: Glyphs = bars.UNICODE) -> str:
        """The picture of it, empty where there is nothing to draw."""
        return bars.bar(self.verdict, self.budget, width, glyphs)


def rows(report: Report, target: TargetReport) -> list[Row]:
    """One for each budget that was judged, in the spec's order."""
    verdicts = {each.budget: each for each in report.verdicts if each.target == target.name}
    judged = [(verdicts[budget.name], budget) for budget in target.budgets if budget.name in verdicts]
    return [Row(verdict=each, budget=budget, reference=_reference(report, each, budget)) for each, budget in judged]


def _reference(report: Report, verdict: Verdict, budget: Budget) -> str:
    value = reference_figure(budget, verdict.target, decisive(report.measurements, verdict))
    return ABSENT if value is None else figures.figure(value, Dimension(budget.dimension))
