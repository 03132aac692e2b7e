"""The whole flow: a spec becomes a plan, artifacts, evidence, verdicts and a signed report.

Each stage is one verb. What depends on the machine (clock, lane, store, key) enters here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from deployspec.build import build
from deployspec.build.ahead import Ahead
from deployspec.errors import DeploySpecError
from deployspec.handed_in import hold_against, merged, read_evidence
from deployspec.ir.artifact import sound
from deployspec.isolation import hide_memory
from deployspec.judge import LOOKS, baseline_findings, conclude, judge, timing_decided, waiver_findings
from deployspec.lanes.host import HostLane, this_machine
from deployspec.measure import Ledger, SampleStore, measure, measure_timing, measure_uses
from deployspec.preflight import build_context, read, read_spec, refuse_missing_extras
from deployspec.report.compose import Findings, built_targets, compose, judged_targets
from deployspec.report.consistency import contradictions
from deployspec.report.files import set_aside, write_report
from deployspec.report.provenance import told
from deployspec.report.remarks import remarks
from deployspec.report.statement import to_bytes
from deployspec.requests import Checked, CheckRequest, JudgeRequest, Watch
from deployspec.sources.identity import origins
from deployspec.trust import dsse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from deployspec.handed_in import Handed
    from deployspec.ir.artifact import StepResult
    from deployspec.ir.evidence import Measurement
    from deployspec.ir.plan import Plan
    from deployspec.ir.report import Report, TargetReport
    from deployspec.ir.spec import Spec, Target
    from deployspec.ir.verdict import Verdict
    from deployspec.lanes.program import Lane


def check(path: Path, request: CheckRequest, watch: Watch) -> Checked:
    """Spec to signed report. Raises DeploySpecError for whatever leaves nothing to report on."""
    hide_memory()
    _make_way(request)
    spec, plan = read(path, request.targets)
    handed = read_evidence(request.evidence, spec, request.trust, datetime.now(UTC))
    refuse_missing_extras(spec, plan)
    found = origins(spec)
    limit = request.memory_limit_bytes or this_machine().memory_bytes
    context = replace(build_context(spec, found), memory_limit_bytes=limit, hidden=request.hidden)
    hidden = (*request.hidden, request.store.root, *context.judged)
    with request.store.workspace() as scratch, HostLane(apart=True, hidden=hidden, scratch=scratch) as lane:
        progress = watch if request.reuse_latency_s else Ahead(watch, lane, plan)
        results = build(plan, request.store, context, jobs=request.jobs, progress=progress)
        made = {each.target: it for each in plan.routes if (it := sound(each.artifact, each.steps, results))}
        handed = hold_against(handed, made, spec, plan, results)
        measurements = merged(tuple(_measure(spec, plan, results, lane, request, watch, scratch)), handed)
    now = datetime.now(UTC)
    verdicts = tuple(_judge(spec, measurements, now))
    imports = tuple(each.record for each in handed)
    report = compose(
        Findings(
            spec=spec,
            targets=built_targets(spec, plan, results),
            measurements=measurements,
            verdicts=verdicts,
            result=conclude(verdicts, strict=request.strict, complete=len(made) == len(plan.routes)),
            remarks=remarks(spec, plan, results, measurements) + _findings(spec, handed, measurements, verdicts, now),
            machine=this_machine(),
            checked_at=now,
            imports=imports,
            plan=plan,
            origins=found,
            results=results,
        )
    )
    artifacts = [(target, made[target.name].artifact) for target in report.targets if target.name in made]
    return _signed(report, artifacts, request)


def judge_evidence(path: Path, request: JudgeRequest) -> Checked:
    """Spec and evidence to signed report, with nothing built or measured. Raises DeploySpecError."""
    _make_way(request)
    spec, now = read_spec(path, request.targets), datetime.now(UTC)
    handed = read_evidence(request.evidence, spec, request.trust, now)
    imports = tuple(each.record for each in handed)
    measurements = merged((), handed)
    verdicts, targets = tuple(_judge(spec, measurements, now)), judged_targets(spec, imports)
    report = compose(
        Findings(
            spec=spec,
            targets=targets,
            measurements=measurements,
            verdicts=verdicts,
            result=conclude(verdicts, strict=request.strict, complete=all(each.artifact for each in targets)),
            remarks=_findings(spec, handed, measurements, verdicts, now),
            machine=this_machine(),
            checked_at=now,
            imports=imports,
        )
    )
    return _signed(report, (), request)


def _make_way(request: JudgeRequest) -> None:
    """Set an earlier report aside, before anything can fail that it would then be taken for the result of."""
    if kept := set_aside(request.out):
        request.kept(kept)


def _findings(
    spec: Spec, handed: Sequence[Handed], found: Sequence[Measurement], verdicts: Sequence[Verdict], now: datetime
) -> tuple[str, ...]:
    """What is told of every report, whoever measured."""
    return (
        *told(((each.record, each.signed_as) for each in handed), spec),
        *baseline_findings(found, {target.name: target.rules for target in spec.targets}),
        *waiver_findings(spec.waivers, verdicts, now),
    )


def _measure(
    spec: Spec,
    plan: Plan,
    results: dict[str, StepResult],
    lane: Lane,
    request: CheckRequest,
    watch: Watch,
    scratch: Path,
) -> Iterator[Measurement]:
    yield from measure(spec, plan, results, lane)
    yield from measure_uses(plan, results, Ledger(request.store.root / "ledger"))
    samples = SampleStore(request.store.root / "samples")
    yield from measure_timing(spec, plan, results, lane, samples, _Clock(watch, request.reuse_latency_s), scratch)


@dataclass(frozen=True)
class _Clock:
    """Timing goes on look by look until the judge can decide every budget that it feeds."""

    watch: Watch
    reuse_s: int | None
    looks: Sequence[int] = LOOKS

    def decided(self, target: Target, found: Sequence[Measurement]) -> bool:
        return timing_decided(target.budgets, found, target.rules)

    def now(self) -> datetime:
        return datetime.now(UTC)

    def timing(self, target: Target) -> None:
        self.watch.timing(target)


def _judge(spec: Spec, measurements: Sequence[Measurement], at: datetime) -> Iterator[Verdict]:
    for target in spec.targets:
        yield from judge(target.name, target.budgets, measurements, target.rules, spec.waivers, at)


def _signed(report: Report, artifacts: Sequence[tuple[TargetReport, Path]], request: JudgeRequest) -> Checked:
    """Sign, then write the report and copies of the artifacts that it names.

    Raises DeploySpecError for one that would not be believed, such as one of evidence that does not fit together.
    """
    problems = contradictions(report)
    if problems:
        raise DeploySpecError(f"nobody would believe this report, as it contradicts itself: {'; '.join(problems[:5])}")
    envelope = dsse.Envelope(to_bytes(report))
    if request.key is not None:
        envelope = envelope.signed_by(request.key)
    return Checked(report=report, envelope=envelope, path=write_report(request.out, envelope.to_bytes(), artifacts))
