"""From evidence and budgets to verdicts, and from verdicts to the release."""

from __future__ import annotations

from dataclasses import replace
from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING

from deployspec.ir.budget import BudgetKind, Method
from deployspec.ir.evidence import (
    Churn,
    Classified,
    Count,
    Drift,
    EvidenceClass,
    Joint,
    Measurement,
    Multilabel,
    NotMeasured,
    Processes,
    Reduction,
    Scores,
    Share,
    Stability,
)
from deployspec.ir.verdict import Outcome, Result, Verdict
from deployspec.judge.census import judge_census
from deployspec.judge.choice import best_first, objection
from deployspec.judge.drift import judge_drift
from deployspec.judge.figure import Figure, Finding
from deployspec.judge.processes import judge_processes
from deployspec.judge.quality import judge_quality
from deployspec.judge.stability import judge_stability
from deployspec.judge.words import bound_text, limit_text, quantity, unit_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from deployspec.ir.budget import Budget
    from deployspec.ir.evidence import Rules, Statistic
    from deployspec.ir.verdict import Waiver


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
    kind = budget.row
    measured, *weaker = best_first(target, budget, measurements, rules) or [[]]
    if not measured:
        return _verdict(target, budget, Finding(Outcome.NOT_MEASURED, f"{budget.subject}: nothing measured it"), None)
    found = [_accepted(_find(budget, kind, each, rules), kind, each.evidence, rules) for each in measured]
    decided = _agreed(budget.subject, found, measured)
    beside = [text for (each, *_) in weaker if (text := _beside(each, budget, _find(budget, kind, each, rules)))]
    return _verdict(target, budget, replace(decided, reason="; ".join([decided.reason, *beside])), measured[0].evidence)


def _beside(measured: Measurement, budget: Budget, finding: Finding) -> str:
    """What weaker evidence says, for a reader: it decides nothing where there is better."""
    figure = finding.figure
    return f"{measured.evidence} evidence says {quantity(figure.estimate, budget)}" if figure else ""


def _agreed(name: str, found: Sequence[Finding], measured: Sequence[Measurement]) -> Finding:
    """The first finding, if every way of counting, in every arithmetic that the artifact was run in, agrees with it."""
    first = found[0]
    if all(each.outcome is first.outcome for each in found):
        return first
    runs = list(zip(found, measured, strict=True))
    plain = [(each, run) for each, run in runs if not run.variant]
    if any(each.outcome is not first.outcome for each, _ in plain):
        told = ", ".join(f"{run.runtime}: {each.outcome}" for each, run in plain)
        return replace(first, outcome=Outcome.INCONCLUSIVE, reason=f"precision-sensitive, needs a device ({told})")
    flips = {run.variant: each for each, run in runs if each.outcome is not first.outcome}
    told = ", ".join(f"{variant} {_outcome(name, each)}" for variant, each in flips.items())
    some = " and ".join(variant.removeprefix("without ") for variant in flips)
    reason = f"{name}: with {some} {_outcome(name, first)}, {told}: take the {some} out of the split"
    return replace(first, outcome=Outcome.INCONCLUSIVE, reason=reason)


def _outcome(name: str, finding: Finding) -> str:
    return f"{finding.outcome} ({finding.reason.removeprefix(f'{name}: ')})"


def _find(budget: Budget, kind: BudgetKind, measured: Measurement, rules: Rules) -> Finding:
    """What the method of this kind of budget says of the statistic."""
    statistic = measured.statistic
    if isinstance(statistic, NotMeasured):
        return Finding(Outcome.NOT_MEASURED, f"{budget.subject}: {statistic.reason}")
    reason = f"{budget.subject}: the evidence for '{kind.measured_from}' is of another kind than this budget needs"
    return _by_method(budget, kind.method, statistic, rules) or Finding(Outcome.NOT_MEASURED, reason)


def _by_method(budget: Budget, method: Method, statistic: Statistic, rules: Rules) -> Finding | None:
    """The finding; None where the method can do nothing with such a statistic."""
    match method, statistic:
        case Method.EXACT, (Count() | Reduction() | Share()):
            return judge_census(budget, statistic)
        case Method.EXACT, Stability():
            return judge_stability(budget, statistic)
        case Method.DRIFT, Drift():
            return judge_drift(budget, statistic, rules)
        case Method.PROCESSES, Processes(values=(_, *_)):
            return judge_processes(budget, statistic, rules)
        case (
            (Method.PROPORTION, Share() as counted)
            | (Method.PAIRED, Churn() as counted)
            | (Method.SCORES, Scores() as counted)
            | (
                (Method.PROPORTION | Method.PAIRED | Method.JACCARD | Method.RESAMPLED),
                (Classified() | Joint() | Multilabel()) as counted,
            )
        ):
            return judge_quality(budget, counted, rules)
        case _:
            return None


def _accepted(finding: Finding, kind: BudgetKind, evidence: EvidenceClass, rules: Rules) -> Finding:
    """The finding, or its figure without standing where the evidence is of too weak a class."""
    why = objection(kind, evidence, rules)
    if finding.figure is None or not why:
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
        estimate=_rounded(figure) if figure else None,
        lower=figure.lower if figure and bounded else None,
        upper=figure.upper if figure and bounded else None,
        good=bound_text(budget.good) if budget.good else "",
        n=figure.n if figure else None,
        evidence=evidence,
    )


def _rounded(figure: Figure) -> Decimal:
    """No more decimals than the bounds have: what is shown; the comparison itself used every digit."""
    value = figure.estimate
    exponent = value.as_tuple().exponent
    finer = isinstance(exponent, int) and exponent < figure.grid.adjusted()
    return value.quantize(figure.grid, ROUND_HALF_EVEN) if finer else value


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
