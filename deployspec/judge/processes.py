"""The median over processes, by order statistics; looks are fixed in advance.

Nothing is assumed about how latencies are distributed. The run is looked at after 6, 12 and 24 processes with
alpha/3 each (Bonferroni) and ends at the first look that decides; looking until it passes would be no test.
"""

from __future__ import annotations

from decimal import Decimal
from statistics import median
from typing import TYPE_CHECKING, Final

from deployspec.ir.budget import BUDGETS, EvidenceKind, Method
from deployspec.ir.evidence import Processes
from deployspec.ir.verdict import Outcome
from deployspec.judge.decide import alpha_of, decide, holds, settled
from deployspec.judge.figure import Figure, Finding, point
from deployspec.judge.ranks import rank_above
from deployspec.judge.words import quantity, sentence

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from deployspec.ir.budget import Budget
    from deployspec.ir.evidence import Measurement, Rules

LOOKS: Final = (6, 12, 24)
"""Numbers of processes at which a verdict may be taken."""

_MEDIAN: Final = 0.5
"""The share whose quantile is the median."""

_LEAST, _MOST = Decimal("-Infinity"), Decimal("Infinity")


def judge_processes(budget: Budget, statistic: Processes, rules: Rules) -> Finding:
    """The finding at the first look that decides, else at the last look that the processes reach.

    Processes beyond the last look are not used. Where the last look proves the opposite of the first that decides, the
    processes were not alike, and nothing is proven. There must be at least one.
    """
    *earlier, last = _looks(len(statistic.values), rules)
    at_last = _judge_at(last, budget, statistic, rules)
    for look in earlier:
        finding = _judge_at(look, budget, statistic, rules)
        if _is_final(finding, budget):
            return _unlike(finding, look, at_last) if _opposite(finding.outcome, at_last.outcome) else finding
    return at_last


def _opposite(one: Outcome, other: Outcome) -> bool:
    return Outcome.FAIL in (one, other) and not {one, other}.isdisjoint({Outcome.PASS, Outcome.WARN})


def _unlike(finding: Finding, look: int, at_last: Finding) -> Finding:
    told = f"{at_last.reason}; the first {look} alone prove the opposite ({finding.outcome.value})"
    return Finding(Outcome.INCONCLUSIVE, f"{told}: find out what changed meanwhile, and measure again", at_last.figure)


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


def needs_more(budget: Budget, statistic: Processes, rules: Rules) -> bool:
    """Whether another look could still change the finding: the measuring stage goes on while any budget says so."""
    return len(statistic.values) < LOOKS[-1] and not _is_final(judge_processes(budget, statistic, rules), budget)


def median_bounds(values: Sequence[Decimal], alpha: float | None) -> Figure:
    """The median of the values with its one-sided bounds, each erring at most alpha (None: the estimate alone)."""
    ordered = sorted(values)
    if alpha is None:
        return point(median(ordered), len(ordered))
    rank = rank_above(len(ordered), _MEDIAN, alpha)
    lower, upper = (None, None) if rank is None else (ordered[-rank], ordered[rank - 1])
    return Figure(estimate=median(ordered), lower=lower, upper=upper, n=len(ordered))


def _looks(n: int, rules: Rules) -> tuple[int, ...]:
    """The looks that n processes reach; n itself for bare estimates, or where it is short of the first look."""
    reached = tuple(look for look in LOOKS if look <= n)
    return reached if reached and rules.confidence is not None else (n,)


def _alpha_at(look: int, rules: Rules) -> float | None:
    """The error that each bound may have at this look: nothing before the first one."""
    alpha = alpha_of(rules)
    return alpha and (alpha / len(LOOKS) if look in LOOKS else 0.0)


def _judge_at(look: int, budget: Budget, statistic: Processes, rules: Rules) -> Finding:
    alpha = _alpha_at(look, rules)
    values = statistic.values[:look]
    figure = median_bounds(values, alpha)
    basis = f"{quantity(figure.estimate, budget)}, the median of {look} processes"
    if _could_flip(budget, statistic, figure, alpha):
        reason = sentence(budget, figure, Outcome.INCONCLUSIVE, basis, rules.confidence)
        return Finding(
            Outcome.INCONCLUSIVE,
            f"{reason}; {_contended(statistic, look)} could have flipped it, so measure on a quiet machine",
            figure,
        )
    outcome = decide(figure, budget)
    way_out = f"; {_way_out(budget, values, rules)}" if outcome is Outcome.INCONCLUSIVE else ""
    return Finding(outcome, sentence(budget, figure, outcome, basis, rules.confidence) + way_out, figure)


def _contended(statistic: Processes, look: int) -> str:
    """How many of the first `look` processes were disturbed, by their marks or by what they could have shown."""
    least = zip(statistic.values[:look], statistic.least, strict=False)
    count = sum(statistic.contended[:look]) or sum(value != quiet for value, quiet in least)
    return f"{count} of {look} processes {'was' if count == 1 else 'were'} contended and"


def _is_final(finding: Finding, budget: Budget) -> bool:
    inconclusive = finding.outcome is Outcome.INCONCLUSIVE
    return not inconclusive and finding.figure is not None and settled(finding.figure, budget)


def _could_flip(budget: Budget, statistic: Processes, figure: Figure, alpha: float | None) -> bool:
    """Whether what a quiet machine could have shown would have said otherwise of the limit."""
    told = holds(figure, budget.limit)
    return told is not None and any(
        holds(median_bounds(values, alpha), budget.limit) is not told
        for values in _on_a_quiet_machine(budget, statistic, figure.n or 0)
    )


def _on_a_quiet_machine(budget: Budget, statistic: Processes, look: int) -> Iterator[Sequence[Decimal]]:
    """The extremes of what the first `look` processes could have shown, had none been disturbed.

    A time can only have been too large: by as much as `least` says, else by any amount where its process is marked.
    What compares two measurements could have erred either way. What memory a process holds does not depend on who else
    computes.
    """
    if BUDGETS[budget.metric].kind is EvidenceKind.MEMORY:
        return
    if statistic.least:
        yield statistic.least[:look]
    elif any(statistic.contended[:look]):
        yield _replaced(statistic, look, _LEAST)
        if budget.row.compares:
            yield _replaced(statistic, look, _MOST)


def _replaced(statistic: Processes, look: int, extreme: Decimal) -> list[Decimal]:
    pairs = zip(statistic.values[:look], statistic.contended, strict=False)
    return [extreme if contended else value for value, contended in pairs]


def _way_out(budget: Budget, values: Sequence[Decimal], rules: Rules) -> str:
    """The next look that would decide, were further processes spread like these."""
    for look in LOOKS:
        if look > len(values) and _decides_at(look, budget, values, rules):
            return f"{look - len(values)} more processes like these would decide it"
    return f"no number of processes up to {LOOKS[-1]} would decide it at this spread"


def _decides_at(look: int, budget: Budget, values: Sequence[Decimal], rules: Rules) -> bool:
    ordered = sorted(values)
    spread = [ordered[index * len(ordered) // look] for index in range(look)]
    return holds(median_bounds(spread, _alpha_at(look, rules)), budget.limit) is not None
