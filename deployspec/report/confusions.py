"""For a budget on decisions that does not hold: which samples it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from deployspec.ir.evidence import Classified
from deployspec.ir.verdict import Outcome
from deployspec.report.decisive import decisive

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from deployspec.ir.budget import Budget
    from deployspec.ir.report import Report, TargetReport
    from deployspec.ir.verdict import Verdict

_LISTED: Final = 3

_MISSES: Final = frozenset({"recall", "recall_drop", "f1"})
_ALARMS: Final = frozenset({"precision", "precision_drop", "f1"})
_OVERALL: Final = frozenset({"accuracy", "accuracy_drop"})

Mistake = tuple[int, str, str]
"""How often samples of one class were called another: the number, the class, what it was called."""


def confusions(report: Report, target: TargetReport) -> tuple[str, ...]:
    """A line for each class, and one for all, whose budgets do not hold:

    `class '3': 4 of 45 missed, called '8' (3x), '5' (1x)`. Told once, whichever budgets ask for it; the name of
    a split that is not the test split stands ahead.
    """
    verdicts = {each.budget: each for each in report.verdicts if each.target == target.name}
    lines: dict[str, None] = {}
    for budget in target.budgets:
        verdict = verdicts.get(budget.name)
        table = _table(report, budget.split, verdict) if verdict and _is_refused(verdict) else None
        if table is not None:
            of = "" if budget.split == "test" else f"{budget.split}: "
            lines |= dict.fromkeys(f"{of}{line}" for line in _lines(table, budget))
    return tuple(lines)


def _is_refused(verdict: Verdict) -> bool:
    return (verdict.waived or verdict.verdict) in (Outcome.FAIL, Outcome.INCONCLUSIVE)


def _table(report: Report, split: str, verdict: Verdict) -> Classified | None:
    found = decisive(report.measurements, verdict)
    tables = (each.statistic for each in found if (each.name, each.split) == ("quality", split))
    return next((table for table in tables if isinstance(table, Classified)), None)


def _lines(table: Classified, budget: Budget) -> Iterator[str]:
    mistakes, metric, label = _mistakes(table), budget.metric, budget.label
    if (metric in _OVERALL or budget.row.over_classes) and mistakes:
        pairs = [(n, f"'{of}' called '{called}'") for n, of, called in mistakes]
        yield f"most often confused: {_listed(pairs)}"
    missed = [(n, f"'{called}'") for n, of, called in mistakes if of == label]
    if metric in _MISSES and missed:
        yield f"class '{label}': {_sum(missed)} of {table.support(str(label))} missed, called {_listed(missed)}"
    alarms = [(n, f"'{of}'") for n, of, called in mistakes if called == label]
    if metric in _ALARMS and alarms:
        predicted = table.support(str(label)) - _sum(missed) + _sum(alarms)
        yield f"class '{label}': {_sum(alarms)} of {predicted} predictions wrong, in truth {_listed(alarms)}"


def _mistakes(table: Classified) -> list[Mistake]:
    """All of them, the most frequent first."""
    found = [
        (count, table.labels[i], table.labels[j])
        for i, row in enumerate(table.confusion)
        for j, count in enumerate(row)
        if count and i != j
    ]
    return sorted(found, key=lambda each: -each[0])


def _sum(counts: Sequence[tuple[int, str]]) -> int:
    return sum(n for n, _ in counts)


def _listed(counts: Sequence[tuple[int, str]]) -> str:
    """`'8' (3x), '5' (1x)`; of many the most frequent."""
    told = [f"{name} ({n}x)" for n, name in counts[:_LISTED]]
    more = [f"others ({_sum(counts[_LISTED:])}x)"] if len(counts) > _LISTED else []
    return ", ".join(told + more)
