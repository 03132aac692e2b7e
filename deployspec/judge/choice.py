"""Which evidence decides a budget, where there is more than one kind: the best class that counts, all of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from deployspec.ir.budget import BudgetKind, EvidenceKind
from deployspec.ir.evidence import EvidenceClass, Measurement, NotMeasured

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deployspec.ir.budget import Budget
    from deployspec.ir.evidence import Rules

_NEEDS_HARDWARE: Final = (EvidenceKind.LATENCY, EvidenceKind.MEMORY, EvidenceKind.ENERGY)


def best_first(
    target: str, budget: Budget, measurements: Sequence[Measurement], rules: Rules
) -> list[list[Measurement]]:
    """Everything that measures the budget, class by class; within one, the plain way of counting first.

    A class with a figure comes before one with none, a class that counts before one that does not, the better before
    the weaker. So a figure that nobody could take never hides one that somebody took.
    """
    kind = budget.row
    by_class: dict[EvidenceClass, list[Measurement]] = {}
    for each in measurements:
        of_split = each.split == budget.split or not kind.needs_split
        if of_split and (each.target, each.name) == (target, kind.measured_from):
            by_class.setdefault(each.evidence, []).append(each)

    def worth(evidence: EvidenceClass) -> tuple[bool, bool, int]:
        absent = all(isinstance(each.statistic, NotMeasured) for each in by_class[evidence])
        return absent, bool(objection(kind, evidence, rules)), list(EvidenceClass).index(evidence)

    return [sorted(by_class[each], key=lambda one: bool(one.variant)) for each in sorted(by_class, key=worth)]


def objection(kind: BudgetKind, evidence: EvidenceClass, rules: Rules) -> str:
    """Why evidence of this class does not count for this kind of budget; empty when it does."""
    least = rules.least_for(kind.kind.value)
    if evidence is EvidenceClass.EMULATOR and kind.kind in _NEEDS_HARDWARE:
        return f"an emulator says nothing about {kind.kind.value}"
    if not evidence.reaches(least):
        return f"the evidence is of class '{evidence.value}', the spec requires '{least.value}'"
    return ""
