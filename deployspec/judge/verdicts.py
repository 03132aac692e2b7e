"""From evidence and budgets to verdicts, and from verdicts to the release."""

from __future__ import annotations

from dataclasses import replace
from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING

from deployspec.ir.budget import BUDGETS, BudgetKind, EvidenceKind, Method
from deployspec.ir.evidence import (
    Classified,
    Count,
    EvidenceClass,
    Measurement,
    NotMeasured,
    Processes,
    Reduction,
    Share,
)
from deployspec.ir.verdict import Outcome, Result, Verdict
from deployspec.judge.exact import judge_census
from deployspec.judge.figure import GRID, Finding
from deployspec.judge.order import judge_processes
from deployspec.judge.quality import judge_quality
from deployspec.judge.words import bound_text, limit_text, subject, unit_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from deployspec.ir.budget import Budget
    from deployspec.ir.evidence import Rules
    from deployspec.ir.verdict import Waiver

_BEST_FIRST = list(EvidenceClass)


def judge(
    target: str,
    budgets: Sequence[Budget],
    measurements: Sequence[Measurement],
    rules: Rules,
    waivers: Sequence[Waiver],
    at: datetime,
) -> tuple[Verdict, ...]:
    """One verdict per budget, in order. Pure: the same evidence gives the same verdicts.

    `measurements` may hold other targets' too. `at` is the moment at which waivers must still hold.
    """
    return tuple(_waived(_judge_one(target, budget, measurements, rules), waivers, at) for budget in budgets)


def conclude(verdicts: Sequence[Verdict], *, strict: bool = False, complete: bool = True) -> Result:
    """What the verdicts together mean: a failure outweighs what is unproven; `strict` counts a warning as a failure.

    `complete` is False where a target was not built: a waiver excuses a budget, it does not stand for an artifact.
    """
    outcomes = {each.verdict for each in verdicts}
    if Outcome.FAIL in outcomes or (strict and Outcome.WARN in outcomes):
        return Result.FAILED
    released = complete and bool(outcomes) and all(each.releases for each in outcomes)
    return Result.PASSED if released else Result.UNPROVEN


def _judge_one(target: str, budget: Budget, measurements: Sequence[Measurement], rules: Rules) -> Verdict:
    kind = BUDGETS.get(budget.metric)  # None: a metric of the spec's own
    measured = _pick(target, budget, kind, measurements) if kind else []
    if kind is None or not measured:
        why = "nothing measured it" if budget.measured else "not measured in this version"
        return _verdict(target, budget, Finding(Outcome.NOT_MEASURED, f"{subject(budget)}: {why}"), None)
    found = [_accepted(_find(budget, kind, each, rules), kind, each.evidence, rules) for each in measured]
    return _verdict(target, budget, _agreed(found, measured), measured[0].evidence)


def _agreed(found: Sequence[Finding], measured: Sequence[Measurement]) -> Finding:
    """The first finding, if every arithmetic that the artifact was run in leads to the same outcome."""
    first = found[0]
    if all(each.outcome is first.outcome for each in found):
        return first
    told = ", ".join(f"{run.runtime}: {each.outcome}" for each, run in zip(found, measured, strict=True))
    return replace(first, outcome=Outcome.INCONCLUSIVE, reason=f"precision-sensitive, needs a device ({told})")


def _pick(target: str, budget: Budget, kind: BudgetKind, measurements: Sequence[Measurement]) -> list[Measurement]:
    """The measurements that decide the budget: those of the best class."""
    found = [
        each
        for each in measurements
        if (each.target, each.name) == (target, kind.measured_from)
        and (each.split == budget.split or not kind.needs_split)
    ]
    best = min((_BEST_FIRST.index(each.evidence) for each in found), default=0)
    return [each for each in found if _BEST_FIRST.index(each.evidence) == best]


def _find(budget: Budget, kind: BudgetKind, measured: Measurement, rules: Rules) -> Finding:
    """What the method of this kind of budget says of the statistic."""
    match kind.method, measured.statistic:
        case _, NotMeasured(reason=reason):
            return Finding(Outcome.NOT_MEASURED, f"{subject(budget)}: {reason}")
        case Method.EXACT, (Count() | Reduction() | Share()) as statistic:
            return judge_census(budget, statistic)
        case Method.PROCESSES, Processes(values=(_, *_)) as statistic:
            return judge_processes(budget, statistic, rules)
        case Method.PROPORTION, Share() as statistic:
            return judge_quality(budget, statistic, rules)
        case ((Method.PROPORTION | Method.PAIRED | Method.JACCARD | Method.RESAMPLED), Classified() as statistic):
            return judge_quality(budget, statistic, rules)
        case _, statistic:
            reason = f"{subject(budget)}: the evidence is no basis for it ({type(statistic).__name__})"
            return Finding(Outcome.NOT_MEASURED, reason)


def _accepted(finding: Finding, kind: BudgetKind, evidence: EvidenceClass, rules: Rules) -> Finding:
    """The finding, or its figure without standing where the evidence is of too weak a class."""
    if finding.figure is None:
        return finding
    default = EvidenceClass.STATIC if kind.kind is EvidenceKind.STATIC else EvidenceClass.HOST
    least = rules.least.get(kind.kind.value, default)
    needs_hardware = kind.kind in (EvidenceKind.LATENCY, EvidenceKind.MEMORY, EvidenceKind.ENERGY)
    if evidence is EvidenceClass.EMULATOR and needs_hardware:
        why = f"an emulator says nothing of {kind.kind.value}"
    elif not evidence.reaches(least):
        why = f"the evidence is of class '{evidence.value}', asked for is '{least.value}'"
    else:
        return finding
    return replace(finding, outcome=Outcome.NOT_MEASURED, reason=f"{why}; the weaker figure: {finding.reason}")


def _verdict(target: str, budget: Budget, finding: Finding, evidence: EvidenceClass | None) -> Verdict:
    figure = finding.figure
    bounded = figure is not None and figure.bounded
    return Verdict(
        target=target,
        budget=budget.name,
        verdict=finding.outcome,
        comparator=budget.limit.comparator.value,
        limit=limit_text(budget.limit),
        unit=unit_of(budget).value,
        reason=finding.reason,
        estimate=_rounded(figure.estimate) if figure else None,
        lower=figure.lower if figure and bounded else None,
        upper=figure.upper if figure and bounded else None,
        good=bound_text(budget.good) if budget.good else "",
        n=figure.n if figure else None,
        evidence=evidence,
    )


def _rounded(value: Decimal) -> Decimal:
    """At most six decimals: what is shown; the comparison itself used every digit."""
    exponent = value.as_tuple().exponent
    return value.quantize(GRID, ROUND_HALF_EVEN) if isinstance(exponent, int) and exponent < -6 else value


def _waived(verdict: Verdict, waivers: Sequence[Waiver], at: datetime) -> Verdict:
    if verdict.verdict.releases or not any(_covers(each, verdict) and each.holds_at(at) for each in waivers):
        return verdict
    return replace(verdict, verdict=Outcome.WAIVED, waived=verdict.verdict)


def _covers(waiver: Waiver, verdict: Verdict) -> bool:
    return (waiver.target, waiver.budget) == (verdict.target, verdict.budget)


def waiver_findings(waivers: Sequence[Waiver], verdicts: Sequence[Verdict], at: datetime) -> tuple[str, ...]:
    """A line for each waiver that has expired, or that covers nothing, as all it names releases by itself."""
    return tuple(text for each in waivers if (text := _waiver_finding(each, verdicts, at)))


def _waiver_finding(waiver: Waiver, verdicts: Sequence[Verdict], at: datetime) -> str:
    name = f"the waiver of {waiver.budget} on {waiver.target}, by {waiver.approver},"
    if not waiver.holds_at(at):
        return f"{name} expired after {waiver.expires.isoformat()} and counts as absent"
    if not any(each.verdict is Outcome.WAIVED and _covers(waiver, each) for each in verdicts):
        return f"{name} is unused: there is nothing to waive"
    return ""
