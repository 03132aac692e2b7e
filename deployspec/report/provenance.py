"""Where evidence comes from: what is said of files that others handed in, and what a report may not pretend of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deployspec.ir.device import MeasuredOn
from deployspec.ir.evidence import EvidenceClass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from deployspec.ir.evidence import Measurement
    from deployspec.ir.report import Import, Report, TargetReport
    from deployspec.ir.rules import Rules
    from deployspec.ir.spec import Spec

_STATED = frozenset(EvidenceClass(each.value) for each in MeasuredOn)
_ELSEWHERE = frozenset({EvidenceClass.DEVICE, EvidenceClass.EMULATOR, EvidenceClass.CLAIMED})
"""Classes that no lane of this version gives: whoever has such evidence was handed it."""


def told(imports: Iterable[tuple[Import, tuple[str, ...]]], spec: Spec) -> tuple[str, ...]:
    """A line for each run that was handed in: what it is, and who vouches for it.

    Beside each run stand the key ids in whose name its file is signed, which nobody has verified.
    """
    rules = {target.name: target.rules for target in spec.targets}
    return tuple(_line(each, signed_as, rules[each.target]) for each, signed_as in imports)


def _line(run: Import, signed_as: tuple[str, ...], rules: Rules) -> str:
    place = f" on {run.device.name}" if run.device else ""
    said = f"{run.target}: {run.stated.value} evidence{place} was handed in with '{run.file.name}'"
    if run.signers:
        return f"{said}, signed by {', '.join(run.signers)}"
    if rules.accept_claimed:
        return f'{said}, which no lab signed: it counts because the spec says accept = "claimed"'
    if signed_as:
        names = ", ".join(signed_as)
        whose = f"signed in the name of {names}, but by no key to which a trust file gives the role lab"
    else:
        whose = "unsigned (a lab signs it with `deployspec evidence --key`)"
    return f"{said}, {whose}: it is claimed, and decides nothing"


def pretences(report: Report) -> Iterator[str]:
    """Everything that the report says of its evidence's origin and that cannot be."""
    targets = {target.name: target for target in report.targets}
    for run in report.imports:
        if run.target not in targets:
            yield f"evidence was handed in for {run.target!r}, which is no target"
        else:
            yield from _run(run, targets[run.target])
    for each in report.measurements:
        runs = [run for run in report.imports if run.file.sha256 == each.source and run.target == each.target]
        rules = targets[each.target].rules if each.target in targets else None
        if not (_was_handed_in(each, runs, rules) if each.source else each.evidence not in _ELSEWHERE):
            yield f"the {each.evidence.value} evidence of {each.name!r} of target {each.target!r} comes from nowhere"
    yield from _judged_alone(report)


def _run(run: Import, target: TargetReport) -> Iterator[str]:
    if run.stated not in _STATED:
        yield f"evidence of target {run.target!r} was handed in as {run.stated.value!r}"
    if target.artifact is None or run.artifact.sha256 != target.artifact.sha256:
        yield f"evidence of target {run.target!r} is of another artifact"
    of_a_device = run.stated in (EvidenceClass.DEVICE, EvidenceClass.EMULATOR)
    if of_a_device and target.device and (not run.device or run.device.name != target.device):
        yield f"{run.stated.value} evidence of target {run.target!r} is not of its device {target.device!r}"


def _was_handed_in(measured: Measurement, runs: list[Import], rules: Rules | None) -> bool:
    """Whether a run of the file that it names gives evidence of its class: as stated when somebody vouches for it."""
    accepted = rules is not None and rules.accept_claimed
    for run in runs:
        classes = {run.stated, EvidenceClass.STATIC} if run.signers or accepted else {EvidenceClass.CLAIMED}
        if measured.evidence in classes:
            return True
    return False


def _judged_alone(report: Report) -> Iterator[str]:
    """A target that was not built rests on what was handed in, and on nothing else."""
    for target in report.targets:
        if target.steps or target.artifact is None:
            continue
        own = [each for each in report.measurements if each.target == target.name and not each.source]
        if own or all(run.target != target.name for run in report.imports):
            no_steps = f"the steps of target {target.name!r} do not say whether it was built"
            yield f"{no_steps}, and not all that is said of it was handed in"
