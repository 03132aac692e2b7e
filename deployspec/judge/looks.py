"""Whether timing may stop: the one question that the measuring stage asks of the judge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deployspec.ir.budget import Method
from deployspec.ir.evidence import Processes
from deployspec.judge.processes import needs_more

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deployspec.ir.budget import Budget
    from deployspec.ir.evidence import Measurement, Rules


def timing_decided(budgets: Sequence[Budget], found: Sequence[Measurement], rules: Rules) -> bool:
    """Whether the processes in `found`, one target's, decide every budget that rests on processes, or never will."""
    statistics = {each.name: each.statistic for each in found}
    for budget in budgets:
        kind = budget.row
        if kind.method is not Method.PROCESSES:
            continue
        statistic = statistics.get(kind.measured_from)
        if isinstance(statistic, Processes) and statistic.values and needs_more(budget, statistic, rules):
            return False
    return True
