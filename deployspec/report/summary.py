"""What every view of a report says in the same words: released or not and why, who vouches for it, what was checked."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from deployspec.ir.verdict import Outcome, Result
from deployspec.report.figures import counted, plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deployspec.ir.report import Report, TargetReport
    from deployspec.ir.verdict import Verdict

_LISTED = 3


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
            return f"RELEASED{_part(report)}: {counted(len(report.verdicts), 'budget')} hold{_reservations(report)}"
        case Result.FAILED:
            return f"NOT RELEASED: {_failures(report)}"
        case Result.UNPROVEN:
            return f"NOT RELEASED: {_why(report, (Outcome.INCONCLUSIVE, Outcome.NOT_MEASURED), 'not proven')}"
        case _:
            assert_never(report.result)


def confidence(target: TargetReport) -> str:
    """How a target's budgets were judged, in words."""
    stated = target.rules.confidence
    if stated is None:
        return "judged by the bare estimates, without intervals"
    return f"bounds at {(stated * 100).normalize():f} % confidence, each one-sided"


def reasons(target: TargetReport, verdicts: Sequence[Verdict]) -> list[Verdict]:
    """The verdicts that need a word: all but plain passes, and what a target that was not built could not measure."""
    plain_ones = {Outcome.PASS} if target.artifact else {Outcome.PASS, Outcome.NOT_MEASURED}
    return [each for each in verdicts if each.verdict not in plain_ones]


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
        ("on", f"{machine.system} {machine.architecture}, {machine.processor}, {machine.cores} cores"),
    ]


def _part(report: Report) -> str:
    """Which targets it is about, where the spec names more."""
    if not report.left_out:
        return ""
    checked, left_out = ", ".join(each.name for each in report.targets), ", ".join(report.left_out)
    return plain(f" ({checked} only; {left_out} left out)")


def _reservations(report: Report) -> str:
    """What a release leans on besides proof."""
    outcomes = Counter(each.verdict for each in report.verdicts)
    told = [
        f"{outcomes[outcome]} {word}"
        for outcome, word in ((Outcome.WARN, "with a warning"), (Outcome.WAIVED, "only by a waiver"))
        if outcomes[outcome]
    ]
    return f", {' and '.join(told)}" if told else ""


def _failures(report: Report) -> str:
    if any(each.verdict is Outcome.FAIL for each in report.verdicts):
        return _why(report, (Outcome.FAIL,), "failed")
    return _why(report, (Outcome.WARN,), "warned, which a strict check refuses")


def _why(report: Report, outcomes: tuple[Outcome, ...], word: str) -> str:
    concerned = [f"{each.target} {each.budget}" for each in report.verdicts if each.verdict in outcomes]
    unbuilt = [f"{target.name} could not be built" for target in report.targets if target.artifact is None]
    listed = ", ".join(concerned[:_LISTED])
    more = f" and {len(concerned) - _LISTED} more" if len(concerned) > _LISTED else ""
    total = counted(len(report.verdicts), "budget")
    told = [f"{len(concerned)} of {total} {word}: {listed}{more}"] if concerned else []
    return plain("; ".join([*unbuilt, *told]))
