"""What every view of a report says in the same words: released or not and why, who vouches for it, what was checked."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, assert_never

from deployspec.ir.verdict import Outcome, Result
from deployspec.report import figures
from deployspec.report.figures import plain
from deployspec.wording import counted, some

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deployspec.ir.evidence import Machine
    from deployspec.ir.report import Import, Report, TargetReport
    from deployspec.ir.verdict import Verdict

_LISTED: Final = 3

_WORDS: Final = {
    Outcome.FAIL: "failed",
    Outcome.WARN: "warned, which a strict check refuses",
    Outcome.INCONCLUSIVE: "inconclusive",
    Outcome.NOT_MEASURED: "not measured",
}
"""What may keep a report from being released, the weightiest first."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Who signed a report, as key ids, and whether whoever shows it has verified that."""

    signers: tuple[str, ...] = ()
    verified: bool = False

    @property
    def line(self) -> str:
        """One sentence for a reader."""
        if not self.signers:
            return "UNSIGNED: anyone could have written this report"
        names = plain(", ".join(self.signers))
        return f"signed by {names}" if self.verified else f"not verified; it claims to be signed by {names}"


def headline(report: Report) -> str:
    """Released or not, and why, in one sentence."""
    match report.result:
        case Result.PASSED:
            held = sum(each.verdict is not Outcome.WAIVED for each in report.verdicts)
            hold = f"{counted(held, 'budget')} {'holds' if held == 1 else 'hold'}"
            return f"RELEASED{_part(report)}: {hold}{_reservations(report)}"
        case Result.FAILED | Result.UNPROVEN:
            return plain(f"NOT RELEASED: {'; '.join([*_unbuilt(report), *_refused(report)])}")
        case _:
            assert_never(report.result)


def confidence(target: TargetReport) -> str:
    """How a target's budgets were judged, in words."""
    stated = target.rules.confidence
    if stated is None:
        return "judged by the bare estimates, without intervals"
    return f"bounds at {(stated * 100).normalize():f} % confidence, each one-sided"


def overview(report: Report) -> list[tuple[str, str, str]]:
    """For a report of several targets: each one's name, its format, and how many budgets came to what."""
    rows = []
    for target in report.targets:
        told = tally([each for each in report.verdicts if each.target == target.name])
        rows.append((target.name, target.format, told if target.artifact else "not built"))
    return rows if len(rows) > 1 else []


def tally(verdicts: Sequence[Verdict]) -> str:
    """How many budgets came to what: `4 pass, 1 fail`."""
    outcomes = Counter(each.verdict for each in verdicts)
    return ", ".join(f"{outcomes[each]} {each.value.replace('_', ' ')}" for each in Outcome if outcomes[each])


@dataclass(frozen=True, kw_only=True)
class Reason:
    """Why budgets did not plainly pass: their names, and the sentence that they share."""

    outcome: Outcome
    said: str
    """The outcome in words: `not measured`, `waived (fail)`."""
    budgets: str
    why: str

    def __str__(self) -> str:
        return f"{self.said} {self.budgets}: {self.why}"


def reasons(target: TargetReport, verdicts: Sequence[Verdict]) -> list[Reason]:
    """One reason per verdict other than a pass; of a target that was not built, not for what is not measured.

    Budgets that could not be measured for the same reason are grouped.
    """
    subjects = {budget.name: f"{budget.subject}: " for budget in target.budgets}
    plain_ones = {Outcome.PASS} if target.artifact else {Outcome.PASS, Outcome.NOT_MEASURED}
    alike: dict[tuple[Outcome, str], list[Verdict]] = {}
    for each in verdicts:
        if each.verdict not in plain_ones:
            why = each.reason.removeprefix(subjects.get(each.budget, ""))
            same = why if each.verdict is Outcome.NOT_MEASURED else each.budget
            alike.setdefault((each.verdict, same), []).append(each)
    return [_reason(why, group) for (_, why), group in alike.items()]


def weightiest_first(report: Report, told: Sequence[Reason]) -> list[Reason]:
    """Reasons in the headline's order, what does not keep the report from being released last."""
    order = [*_refusing(report), *Outcome]
    return sorted(told, key=lambda each: order.index(each.outcome))


def _reason(why: str, group: Sequence[Verdict]) -> Reason:
    first = group[0]
    return Reason(
        outcome=first.verdict,
        said=figures.outcome(first),
        budgets=some([each.budget for each in group], _LISTED),
        why=first.reason if len(group) == 1 else why,
    )


def waiver_lines(report: Report) -> list[str]:
    """Every waiver that the spec holds, used or not."""
    return [
        f"{each.target} {each.budget}: {each.reason} ({each.approver}, until the end of {each.expires}, UTC)"
        for each in report.waivers
    ]


def facts(report: Report) -> list[tuple[str, str]]:
    """What was checked and when, for the head of a view."""
    machine = report.machine
    until = f"valid until {report.expires_at}" if report.expires_at else "does not expire"
    return [
        ("model", f"{report.model} {report.model_version}"),
        ("spec", f"{report.spec.name} sha256:{report.spec.sha256}"),
        ("checked", f"{report.checked_at}, {until}"),
        (
            "on" if report.steps else "judged on",
            f"{machine.system} {machine.architecture}, {machine.processor}, {machine.cores} cores",
        ),
        *([("models opened", isolation(machine))] if report.steps else []),
        *([("measured elsewhere", elsewhere(report))] if report.imports else []),
    ]


def elsewhere(report: Report) -> str:
    """Where others say that they measured, each place once: `device pixel-8 (Pixel 8, Android 15)`, or the class."""
    return ", ".join(dict.fromkeys(map(_place, report.imports)))


def _place(run: Import) -> str:
    if run.device is None:
        return run.stated.value
    told = ", ".join(filter(None, (run.device.model, run.device.system, run.device.processor)))
    return f"{run.stated.value} {run.device.name}" + (f" ({told})" if told else "")


def isolation(machine: Machine) -> str:
    """What kept the processes that opened models apart."""
    kept = " and ".join(machine.isolation)
    return f"in processes kept apart by {kept}" if kept else "UNISOLATED: with the rights of whoever checked"


def _part(report: Report) -> str:
    """Which targets it is about, where the spec names more."""
    if not report.left_out:
        return ""
    checked, left_out = ", ".join(each.name for each in report.targets), ", ".join(report.left_out)
    return plain(f" ({checked} only; {left_out} left out)")


def _reservations(report: Report) -> str:
    """What a release leans on besides proof."""
    outcomes = Counter(each.verdict for each in report.verdicts)
    waived = outcomes[Outcome.WAIVED]
    told = [(outcomes[Outcome.WARN], "with a warning"), (waived, "is waived" if waived == 1 else "are waived")]
    return "".join(f", {number} {word}" for number, word in told if number)


def _unbuilt(report: Report) -> list[str]:
    absent = [target for target in report.targets if target.artifact is None]
    return [f"{each.name} {'could not be built' if each.steps else 'was measured by nobody'}" for each in absent]


def _refused(report: Report) -> list[str]:
    """How many budgets ended in each outcome that forbids the release, and the first of them: one phrase, or none."""
    unbuilt = {target.name for target in report.targets if target.artifact is None}
    by_outcome: dict[Outcome, list[str]] = {outcome: [] for outcome in _refusing(report)}
    for each in report.verdicts:
        follows = each.verdict is Outcome.NOT_MEASURED and each.target in unbuilt  # said already, of the target
        if each.verdict in by_outcome and not follows:
            by_outcome[each.verdict].append(f"{each.target} {each.budget}")
    told = [(len(names), _WORDS[outcome]) for outcome, names in by_outcome.items() if names]
    if not told:
        return []
    (first, word), *others = told
    counts = [f"{first} of {counted(len(report.verdicts), 'budget')} {word}", *(f"{n} {word}" for n, word in others)]
    names = [name for group in by_outcome.values() for name in group]
    return [f"{', '.join(counts)}: {some(names, _LISTED)}"]


def _refusing(report: Report) -> list[Outcome]:
    """The outcomes that count against this report; a warning does where it alone made the report fail."""
    failed = any(each.verdict is Outcome.FAIL for each in report.verdicts)
    strict = report.result is Result.FAILED and not failed
    return [outcome for outcome in _WORDS if strict or outcome is not Outcome.WARN]
