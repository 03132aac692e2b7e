"""Everything that a run found, as one report."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from deployspec import __version__
from deployspec.digests import sha256_path
from deployspec.errors import DigestMismatch
from deployspec.ir.artifact import Done, Failed, sound
from deployspec.ir.evidence import score
from deployspec.ir.plan import Plan
from deployspec.ir.report import (
    Contract,
    Deviation,
    Digest,
    Import,
    Report,
    StepRecord,
    TargetReport,
    write_time,
)
from deployspec.sources.identity import installed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from deployspec.ir.artifact import StepResult
    from deployspec.ir.evidence import Machine, Measurement
    from deployspec.ir.plan import Route, Step
    from deployspec.ir.spec import Spec, Target
    from deployspec.ir.verdict import Result, Verdict
    from deployspec.sources.identity import Origin

NOTHING_BUILT: Final = Plan(steps=(), routes=())


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What the stages before the report gave; without a plan nothing was built, and others' evidence was judged."""

    spec: Spec
    targets: tuple[TargetReport, ...]
    measurements: tuple[Measurement, ...]
    verdicts: tuple[Verdict, ...]
    result: Result
    remarks: tuple[str, ...]
    machine: Machine
    checked_at: datetime
    imports: tuple[Import, ...] = ()
    plan: Plan = NOTHING_BUILT
    origins: Mapping[str, Origin] = field(default_factory=dict)
    results: Mapping[str, StepResult] = field(default_factory=dict)


def compose(found: Findings) -> Report:
    """The report of a run."""
    spec = found.spec
    expires = found.checked_at + timedelta(seconds=spec.valid_s) if spec.valid_s else None
    return Report(
        result=found.result,
        model=spec.model.name,
        model_version=spec.model.version,
        spec=Digest(name=spec.path.name, sha256=spec.sha256),
        sources=tuple(Digest(name=name, sha256=digest) for name, digest in _sources(found.origins).items()),
        data=tuple(_data(found)),
        policies=tuple(Digest(name=use.name, sha256=use.sha256) for use in spec.policies),
        targets=found.targets,
        measurements=found.measurements,
        verdicts=found.verdicts,
        waivers=spec.waivers,
        steps=tuple(_step(step, found.results[step.id]) for step in found.plan.steps),
        tools=_tools(found.plan, found.origins),
        machine=found.machine,
        findings=found.remarks,
        checked_at=write_time(found.checked_at),
        expires_at=write_time(expires) if expires else "",
        left_out=spec.left_out,
        imports=found.imports,
    )


def built_targets(spec: Spec, plan: Plan, results: Mapping[str, StepResult]) -> tuple[TargetReport, ...]:
    """The targets as they were built. The artifacts' digests are taken from their bytes in the store, now.

    Raises DigestMismatch when these are no longer what was run.
    """
    pairs = zip(spec.targets, plan.routes, strict=True)
    return tuple(_built(target, route, results) for target, route in pairs)


def judged_targets(spec: Spec, imports: Sequence[Import]) -> tuple[TargetReport, ...]:
    """The targets with the artifacts that evidence names: nothing was built."""
    named = {each.target: each for each in imports}
    return tuple(_judged(each, named.get(each.name)) for each in spec.targets)


def _sources(origins: Mapping[str, Origin]) -> dict[str, str]:
    """The model's files, its weights first, then those of the hooks, each once."""
    model = origins["model"].files if "model" in origins else ()
    hooks = (origin.files for origin in origins.values() if origin.id.startswith("hook:"))
    return dict(model) | {name: digest for files in hooks for name, digest in files}


def _data(found: Findings) -> Iterator[Digest]:
    """The files of each split; of one that code yields also what it yielded, prepared, where a step kept that."""
    for origin in found.origins.values():
        kind, _, split = origin.id.partition(":")
        if kind != "data":
            continue
        yield from (Digest(name=f"{split}: {name}", sha256=digest) for name, digest in origin.files)
        yielded = found.results.get(f"data.{split}")
        if origin.entry and isinstance(yielded, Done):
            yield Digest(name=f"{split}: {origin.entry}", sha256=yielded.sha256)


def _built(target: Target, route: Route, results: Mapping[str, StepResult]) -> TargetReport:
    made = sound(route.artifact, route.steps, results)
    return replace(
        _promised(target),
        steps=route.steps,
        artifact=_digest(made) if made else None,
        folder=made is not None and made.artifact.is_dir(),
        failure="; ".join(f"{each.step}: {each.reason}" for each in _failures(route, results)),
    )


def _judged(target: Target, run: Import | None) -> TargetReport:
    if run is None:
        return replace(_promised(target), failure="nothing is built here, and no evidence was handed in for it")
    return replace(_promised(target), artifact=run.artifact, folder=run.folder)


def _promised(target: Target) -> TargetReport:
    """What the spec says of it, before anything is known of its artifact."""
    return TargetReport(
        name=target.name,
        format=target.format,
        budgets=target.budgets,
        rules=target.rules,
        steps=(),
        device=target.device or "",
    )


def _failures(route: Route, results: Mapping[str, StepResult]) -> list[Failed]:
    """The steps of a route that failed, in order, without those that only waited for another."""
    failed = [result for step in route.steps if isinstance(result := results[step], Failed)]
    return [each for each in failed if each.blocked_by is None] or failed


def _digest(made: Done) -> Digest:
    """The artifact's digest, which must still be that of the bytes that were run. Raises DigestMismatch."""
    if sha256_path(made.folder) != made.sha256:
        raise DigestMismatch(f"what step '{made.step}' made was changed while it was judged: check again")
    return Digest(name=made.artifact.name, sha256=sha256_path(made.artifact))


def _step(step: Step, result: StepResult) -> StepRecord:
    record = StepRecord(
        id=step.id,
        takes=tuple(source for _, source in step.takes),
        gives=step.gives,
        result="failed",
        contract=_contract(step, result),
    )
    if isinstance(result, Failed):
        return replace(record, reason=result.reason)
    return replace(record, result="cached" if result.cached else "built", seconds=f"{result.seconds:.3f}")


def _contract(step: Step, result: StepResult) -> Contract | None:
    """What the step held its artifact to, and how far from that it was; None where it holds none."""
    tolerance = step.options.get("tolerance", math.inf)
    if tolerance == math.inf:
        return None
    found = () if isinstance(result, Failed) else result.facts["contract"]
    return Contract(tolerance=score(tolerance), found=tuple(map(_deviation, found)))


def _deviation(found: Mapping[str, Any]) -> Deviation:
    agreement = found["agreement"]
    return Deviation(
        batch=found["batch"],
        difference=score(found["difference"]),
        rms=score(found["rms"]),
        agreement=None if agreement is None else score(agreement),
    )


def _tools(plan: Plan, origins: Mapping[str, Origin]) -> tuple[tuple[str, str], ...]:
    """This program and every distribution that a step ran on, or the project's code imports, with versions."""
    names = {name for step in plan.steps for name in step.toolchain.distributions}
    versions = {name: version or "" for name, version in map(installed, names)}
    for origin in origins.values():
        versions |= dict(origin.distributions)
    return (("deployspec", __version__), *sorted(versions.items()))
