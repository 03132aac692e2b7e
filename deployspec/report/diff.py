"""What changed from one report, or spec, to another: promises, verdicts, figures, evidence.

A regression is what a reviewer must not miss: a promise that was loosened or dropped, a verdict that got worse, weaker
evidence. A figure that got worse within its budget is told, with whether it is more than noise; a strict reader counts
it too.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol

from deployspec.ir.budget import BUDGETS, EvidenceKind
from deployspec.ir.evidence import Processes
from deployspec.ir.verdict import Outcome
from deployspec.report import figures
from deployspec.report.decisive import decisive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from decimal import Decimal

    from deployspec.ir.budget import Budget, BudgetKind
    from deployspec.ir.report import Digest, Report
    from deployspec.ir.rules import Rules
    from deployspec.ir.verdict import Verdict, Waiver


class Kind(StrEnum):
    """What changed, in the order in which it is told."""

    RESULT = "result"
    TARGET = "target"
    BUDGET = "budget"
    RULE = "rule of proof"
    WAIVER = "waiver"
    VERDICT = "verdict"
    EVIDENCE = "evidence"
    FIGURE = "figure"
    INPUT = "input"


class Sense(StrEnum):
    """Whether a change asks for less than before, for more, or for something else."""

    WORSE = "worse"
    BETTER = "better"
    OTHER = "other"


@dataclass(frozen=True, kw_only=True)
class Change:
    """One change. `target` is empty for what concerns all; `before` or `after` for what was not there.

    `beyond_noise` is told of figures: True where the intervals at the stated confidence lie apart (a census has no
    noise), False where they meet, None where there is no interval to tell by, or where the machine disturbed processes
    of either side. Figures of different evidence cannot be compared: their sense is OTHER, and `beyond_noise` None.
    """

    kind: Kind
    sense: Sense
    name: str
    before: str
    after: str
    target: str = ""
    beyond_noise: bool | None = None

    @property
    def is_regression(self) -> bool:
        """Whether it takes something from the promise or from its proof."""
        return self.sense is Sense.WORSE and self.kind is not Kind.FIGURE

    @property
    def is_worse_figure(self) -> bool:
        """Whether a figure got worse by more than noise."""
        return self.sense is Sense.WORSE and self.kind is Kind.FIGURE and self.beyond_noise is True

    def regresses(self, *, strict: bool) -> bool:
        """Whether it is a regression to its reader; a strict one counts a figure that got worse, too."""
        return self.is_regression or (strict and self.is_worse_figure)


class PromisedTarget(Protocol):
    """What a spec and a report tell alike of a target."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def format(self) -> str: ...  # noqa: D102
    @property
    def budgets(self) -> tuple[Budget, ...]: ...  # noqa: D102
    @property
    def rules(self) -> Rules: ...  # noqa: D102
    @property
    def device(self) -> str | None: ...  # noqa: D102


class Promised(Protocol):
    """What a spec and a report tell alike."""

    @property
    def targets(self) -> Sequence[PromisedTarget]: ...  # noqa: D102
    @property
    def waivers(self) -> tuple[Waiver, ...]: ...  # noqa: D102


def diff_promises(old: Promised, new: Promised) -> tuple[Change, ...]:
    """Targets, budgets, rules of proof and waivers, of two specs, two reports, or one of each."""
    return tuple(_in_order([*_targets(old, new), *_waivers(old.waivers, new.waivers)]))


def diff_reports(old: Report, new: Report) -> tuple[Change, ...]:
    """What two reports promise, and what they found."""
    found = [*_result(old, new), *diff_promises(old, new), *_findings(old, new), *_inputs(old, new)]
    return tuple(_in_order(found))


def _in_order(changes: Sequence[Change]) -> list[Change]:
    kinds = list(Kind)
    return sorted(changes, key=lambda each: kinds.index(each.kind))


def _result(old: Report, new: Report) -> Iterator[Change]:
    if old.result is not new.result:
        better = new.result.exit_code == 0
        worse = old.result.exit_code == 0
        sense = Sense.BETTER if better else Sense.WORSE if worse else Sense.OTHER
        yield Change(kind=Kind.RESULT, sense=sense, name="release", before=old.result.value, after=new.result.value)


def _targets(old: Promised, new: Promised) -> Iterator[Change]:
    before, after = ({each.name: each for each in side.targets} for side in (old, new))
    for name in (name for name in before if name not in after):
        yield Change(kind=Kind.TARGET, sense=Sense.WORSE, name=name, before=before[name].format, after="")
    for name in (name for name in after if name not in before):
        yield Change(kind=Kind.TARGET, sense=Sense.BETTER, name=name, before="", after=after[name].format)
    for name in (name for name in after if name in before):
        was, now = before[name], after[name]
        if was.format != now.format:
            yield Change(kind=Kind.TARGET, sense=Sense.OTHER, name=name, before=was.format, after=now.format)
        if (was.device or "") != (now.device or ""):
            sense = Sense.OTHER if was.device and now.device else Sense.BETTER if now.device else Sense.WORSE
            told = {"before": was.device or "any device", "after": now.device or "any device"}
            yield Change(kind=Kind.RULE, sense=sense, name="device", target=name, beyond_noise=None, **told)
        yield from _budgets(name, was.budgets, now.budgets)
        yield from _rules(name, was.rules, now.rules)


def _budgets(target: str, old: Sequence[Budget], new: Sequence[Budget]) -> Iterator[Change]:
    before, after = ({each.name: each for each in side} for side in (old, new))
    for name in dict.fromkeys([*before, *after]):
        was, now = before.get(name), after.get(name)
        if was != now:
            yield Change(
                kind=Kind.BUDGET, sense=_sense_of_budget(was, now), name=name, target=target,
                before=_limits(was), after=_limits(now),
            )  # fmt: skip


def _sense_of_budget(was: Budget | None, now: Budget | None) -> Sense:
    if was is None or now is None:
        return Sense.WORSE if now is None else Sense.BETTER
    if was.limit.relative != now.limit.relative:
        return Sense.OTHER
    if now.limit.loosens(was.limit) or _is_looser_within(was, now):
        return Sense.WORSE
    return Sense.BETTER if was.limit.loosens(now.limit) or _is_looser_within(now, was) else Sense.OTHER


def _is_looser_within(was: Budget, now: Budget) -> bool:
    """Whether the good band asks for less than it did; without one the limit alone is asked for."""
    if was.good is None:
        return False
    return now.good is None or now.good.loosens(was.good)


def _limits(budget: Budget | None) -> str:
    if budget is None:
        return ""
    return f"{budget.limit.text} (good {budget.good.text})" if budget.good else budget.limit.text


def _rules(target: str, was: Rules, now: Rules) -> Iterator[Change]:
    kinds = tuple(dict.fromkeys([*was.least, *now.least]))
    before, after = (_told_rules(side, kinds) for side in (was, now))
    looser = {
        "confidence": (now.confidence or 0) < (was.confidence or 0),
        "min_support": now.min_support < was.min_support,
        "accept": now.accept_claimed,
    } | {kind: not now.least_for(kind).reaches(was.least_for(kind)) for kind in kinds}
    for name in before:
        if before[name] != after[name]:
            sense = Sense.OTHER if name == "seed" else Sense.WORSE if looser[name] else Sense.BETTER
            told = {"before": before[name], "after": after[name]}
            yield Change(kind=Kind.RULE, sense=sense, name=name, target=target, beyond_noise=None, **told)


def _told_rules(rules: Rules, kinds: Sequence[str]) -> dict[str, str]:
    """Each rule as a spec writes it."""
    return {
        "confidence": "point" if rules.confidence is None else str(rules.confidence),
        "min_support": str(rules.min_support),
        "accept": "claimed" if rules.accept_claimed else "signed",
        "seed": str(rules.seed),
    } | {kind: rules.least_for(kind).value for kind in kinds}


def _waivers(old: Sequence[Waiver], new: Sequence[Waiver]) -> Iterator[Change]:
    before, after = ({(each.target, each.budget): each for each in side} for side in (old, new))
    for target, budget in dict.fromkeys([*before, *after]):
        was, now = before.get((target, budget)), after.get((target, budget))
        if was != now:
            longer = was is None or (now is not None and now.expires > was.expires)
            shorter = now is None or (was is not None and now.expires < was.expires)
            sense = Sense.WORSE if longer else Sense.BETTER if shorter else Sense.OTHER
            yield Change(
                kind=Kind.WAIVER, sense=sense, name=budget, target=target, before=_waiver(was), after=_waiver(now)
            )


def _waiver(waiver: Waiver | None) -> str:
    return "" if waiver is None else f"until {waiver.expires}, {waiver.approver}: {waiver.reason}"


_RANK: Final[Mapping[Outcome, int]] = {
    Outcome.PASS: 0,
    Outcome.WARN: 1,
    Outcome.WAIVED: 2,
    Outcome.INCONCLUSIVE: 3,
    Outcome.NOT_MEASURED: 3,
    Outcome.FAIL: 4,
}
"""How far an outcome is from a plain pass; what was not proven is alike, whatever kept it from being so."""


def _findings(old: Report, new: Report) -> Iterator[Change]:
    before = {(each.target, each.budget): each for each in old.verdicts}
    for now in new.verdicts:
        was = before.get((now.target, now.budget))
        if was is not None:
            quiet = not (_is_disturbed(old, was) or _is_disturbed(new, now))
            for change in (_verdict(was, now), _evidence(was, now), _figure(was, now, quiet=quiet)):
                yield from [change] if change is not None else []


def _verdict(was: Verdict, now: Verdict) -> Change | None:
    if (was.verdict, was.waived) == (now.verdict, now.waived):
        return None
    return Change(
        kind=Kind.VERDICT, sense=_sense(_RANK[now.verdict] - _RANK[was.verdict]), name=now.budget, target=now.target,
        before=figures.outcome(was), after=figures.outcome(now),
    )  # fmt: skip


def _evidence(was: Verdict, now: Verdict) -> Change | None:
    if was.evidence is None or now.evidence is None or was.evidence is now.evidence:
        return None
    sense = Sense.BETTER if now.evidence.reaches(was.evidence) else Sense.WORSE
    return Change(
        kind=Kind.EVIDENCE, sense=sense, name=now.budget, target=now.target,
        before=was.evidence.value, after=now.evidence.value,
    )  # fmt: skip


def _is_disturbed(report: Report, verdict: Verdict) -> bool:
    """Whether contention may have changed the figure: memory does not depend on who else computes."""
    row = _row(verdict)
    if row is None or row.kind is EvidenceKind.MEMORY:
        return False
    judged = (each.statistic for each in decisive(report.measurements, verdict) if each.name == row.measured_from)
    return any(isinstance(each, Processes) and any(each.contended[: verdict.n]) for each in judged)


def _row(verdict: Verdict) -> BudgetKind | None:
    return BUDGETS.get(verdict.budget.removeprefix("field.").partition(".")[0])


def _figure(was: Verdict, now: Verdict, *, quiet: bool) -> Change | None:
    if was.estimate is None or now.estimate is None or was.unit != now.unit or was.estimate == now.estimate:
        return None
    grew = now.estimate - was.estimate
    row = _row(now)
    wants_less = row.ceiling if row else now.comparator.startswith("<")
    alike = was.evidence is now.evidence
    return Change(
        kind=Kind.FIGURE, sense=_sense(grew if wants_less else -grew) if alike else Sense.OTHER,
        name=now.budget, target=now.target, before=_told(was), after=_told(now),
        beyond_noise=_beyond_noise(was, now) if alike and quiet else None,
    )  # fmt: skip


def _sense(worse_by: Decimal | int) -> Sense:
    return Sense.WORSE if worse_by > 0 else Sense.BETTER if worse_by < 0 else Sense.OTHER


def _told(verdict: Verdict) -> str:
    """The estimate, with its interval where it has one."""
    interval = figures.interval(verdict)
    return figures.estimate(verdict) + ("" if interval == figures.ABSENT else f" ({interval})")


def _beyond_noise(was: Verdict, now: Verdict) -> bool | None:
    if was.n is None and now.n is None:
        return True
    low, high = (was, now) if _estimate(was) < _estimate(now) else (now, was)
    if low.upper is None or high.lower is None:
        return None
    return low.upper < high.lower


def _estimate(verdict: Verdict) -> Decimal:
    assert verdict.estimate is not None
    return verdict.estimate


def _inputs(old: Report, new: Report) -> Iterator[Change]:
    """What the reports were made from and for, by digest."""
    sides: tuple[tuple[str, Callable[[Report], Sequence[Digest]]], ...] = (
        ("spec", lambda report: (report.spec,)),
        ("source", lambda report: report.sources),
        ("data", lambda report: report.data),
        ("policy", lambda report: report.policies),
    )
    for word, digests in sides:
        before, after = ({each.name: each.sha256 for each in digests(side)} for side in (old, new))
        for name in dict.fromkeys([*before, *after]):
            if before.get(name) != after.get(name):
                yield Change(
                    kind=Kind.INPUT, sense=Sense.OTHER, name=f"{word} {name}",
                    before=before.get(name, ""), after=after.get(name, ""),
                )  # fmt: skip
