"""Artifacts to evidence: one module per kind, all of it as statistics that a reader can judge again."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Protocol

from deployspec.digests import sha256_json
from deployspec.ir.artifact import Done, sound
from deployspec.ir.evidence import LEAST_CALLS, EvidenceClass, Measurement, NotMeasured
from deployspec.measure.conduct import Tried, measure_conduct
from deployspec.measure.difference import measure_difference
from deployspec.measure.hygiene.figures import measure_hygiene, ways_of_counting
from deployspec.measure.ledger import Ledger, measure_uses
from deployspec.measure.quality import QUALITY_FIGURES, Evaluated, measure_quality
from deployspec.measure.samples import SampleStore
from deployspec.measure.scores import Scored, measure_scores, score_figures
from deployspec.measure.size import measure_size
from deployspec.measure.structure import measure_structure, structure_of
from deployspec.measure.timing import FIGURES, Timed, measurements, time_artifact
from deployspec.sources.identity import origins

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from deployspec.ir.artifact import StepResult
    from deployspec.ir.plan import Plan, Route, Runner
    from deployspec.ir.spec import Spec, Target
    from deployspec.lanes.program import Lane

__all__ = ["Clock", "Ledger", "SampleStore", "measure", "measure_timing", "measure_uses", "untimed"]

DEFAULT_CALLS = 100


class Clock(Protocol):
    """How timing proceeds: which looks, when they suffice, and how old samples may be to be used again."""

    @property
    def looks(self) -> Sequence[int]:
        """Numbers of processes at which to ask."""

    @property
    def reuse_s(self) -> int | None:
        """The age up to which kept samples are used again, None for never."""

    def decided(self, target: Target, found: Sequence[Measurement]) -> bool:
        """Whether these measurements decide every timing budget of the target."""

    def timing(self, target: Target) -> None:
        """Told before a target is timed."""


@dataclass(frozen=True)
class Made:
    """A target whose every step is done."""

    target: Target
    route: Route
    artifact: Done

    def evidence(self, lane: Lane) -> EvidenceClass:
        """The class of what running the artifact on `lane` gives."""
        runner = self.route.runner
        return runner.evidence if runner and runner.evidence else lane.evidence


def made(spec: Spec, plan: Plan, results: Mapping[str, StepResult]) -> list[Made]:
    """The targets whose artifact was built and held its contract."""
    found = []
    for target, route in zip(spec.targets, plan.routes, strict=True):
        artifact = sound(route.artifact, route.steps, results)
        if artifact:
            found.append(Made(target, route, artifact))
    return found


def measure(spec: Spec, plan: Plan, results: Mapping[str, StepResult], lane: Lane) -> list[Measurement]:
    """Size, structure, hygiene and quality of every target that was made, from what the steps left in the store."""
    references = {split: results[step] for split, step in plan.references}
    ran = [each for each in references.values() if isinstance(each, Done)]
    reference_bytes = ran[0].facts["weight_bytes"] if ran else None
    found: list[Measurement] = []
    for each in made(spec, plan, results):
        name = each.target.name
        found += measure_size(name, each.artifact.artifact, reference_bytes)
        inspected = results[each.route.structure]
        assert isinstance(inspected, Done), "a target is made when all its steps are done"
        found += measure_structure(name, structure_of(inspected))
        found += measure_hygiene(plan, results, name)
        if each.route.runner is None:
            found += _not_run(each, [split for split, _ in plan.references if split])
        elif each.route.runner.is_evaluator:
            found += _not_timed(each)
        evidence = each.evidence(lane)
        found += measure_conduct(
            Tried(spec=spec, plan=plan, results=results, target=each.target, route=each.route, evidence=evidence)
        )
        for split, step in each.route.evaluations:
            data, reference, outputs = results[f"data.{split}"], references[split], results[step]
            if isinstance(data, Done) and isinstance(reference, Done) and isinstance(outputs, Done):
                for counting in ways_of_counting(plan, results, split):
                    runs = Evaluated(split=split, data=data, reference=reference, artifact=outputs, counting=counting)
                    found += measure_quality(spec, name, runs, evidence)
                    found += measure_scores(spec, each.target, runs, evidence, _scored(each.route, step, results))
                found.append(measure_difference(name, split, reference, outputs, evidence))
    return found


def _scored(route: Route, evaluation: str, results: Mapping[str, StepResult]) -> dict[str, Scored]:
    """What the steps left that scored this run, and the reference's, by metric."""
    scores = (each for each in route.scores if each.evaluation == evaluation)
    return {each.metric: (results[each.reference], results[each.artifact]) for each in scores}


def measure_timing(
    spec: Spec, plan: Plan, results: Mapping[str, StepResult], lane: Lane, store: SampleStore, clock: Clock
) -> list[Measurement]:
    """Latency, load time and peak memory of every target that was made, one after the other."""
    found: list[Measurement] = []
    for each in made(spec, plan, results):
        if each.route.runner is None or each.route.runner.is_evaluator:
            continue
        timed = _timed(spec, plan, each, each.route.runner, results)
        machine = lane.machine()
        reused = store.newest(timed, machine, clock.reuse_s, datetime.now(UTC)) if clock.reuse_s else None
        if reused is not None:
            note = f"reused: measured at {reused.measured_at}"
            found += [dataclasses.replace(one, note=note) for one in measurements(timed, lane, reused)]
            continue
        clock.timing(each.target)
        samples, fresh = time_artifact(timed, lane, clock.looks, partial(clock.decided, each.target))
        found += fresh
        if samples is not None:
            store.keep(timed, machine, samples)
    return found


def _not_run(each: Made, splits: Sequence[str]) -> list[Measurement]:
    """Why there is no figure that takes running the artifact."""
    reason = untimed(each.route.format, each.route.runner)
    on_splits = [(split, name) for split in splits for name in (*QUALITY_FIGURES, *score_figures(each.target, split))]
    wanted = [*(("", name) for name in FIGURES), *on_splits]
    return _absent(each, reason, wanted)


def _not_timed(each: Made) -> list[Measurement]:
    """Why there is no time of an artifact that only an evaluator runs."""
    return _absent(each, untimed(each.route.format, each.route.runner), [("", name) for name in FIGURES])


def untimed(format: str, runner: Runner | None) -> str:
    """Why nothing of this format is timed here; empty where it is."""
    if runner is None:
        return f"no runtime on this machine executes {format}"
    told = f"only a device tells: what runs {format} here is an evaluator, whose time says nothing"
    return told if runner.is_evaluator else ""


def _absent(each: Made, reason: str, wanted: Sequence[tuple[str, str]]) -> list[Measurement]:
    statistic = NotMeasured(reason=reason)
    return [
        Measurement(target=each.target.name, name=name, statistic=statistic, evidence=EvidenceClass.HOST, split=split)
        for split, name in wanted
    ]


def _timed(spec: Spec, plan: Plan, each: Made, runner: Runner, results: Mapping[str, StepResult]) -> Timed:
    baseline, options = _baseline(spec, plan, each.route, results)
    limited = {budget.metric for budget in each.target.budgets}
    return Timed(
        target=each.target.name,
        lowered=each.artifact.folder,
        runner=runner,
        artifact=each.artifact.artifact,
        digest=_what_is_timed(spec, each, results),
        calls=_calls(each.target),
        time_limit_s=each.target.time_limit_s,
        baseline=baseline,
        baseline_options=options,
        sustained_s=each.target.sustained_s if "sustained_slowdown" in limited else 0,
        energy="energy" in limited,
    )


def _what_is_timed(spec: Spec, each: Made, results: Mapping[str, StepResult]) -> str:
    """One digest of the artifact with its probe, and of the baseline."""
    baseline = results.get(each.route.baseline or "")
    other = baseline.sha256 if isinstance(baseline, Done) else ""
    if each.route.baseline == "model":
        other = origins(spec)["model"].sha256
    return sha256_json([each.artifact.sha256, other])


def _baseline(
    spec: Spec, plan: Plan, route: Route, results: Mapping[str, StepResult]
) -> tuple[Path | None, dict[str, object] | None]:
    """The file (or, for the eager source, the folder) that a ratio compares with, and how it is loaded.

    None for a file that was not made, or did not hold its contract wherever it was run.
    """
    from deployspec.contract import call

    if route.baseline is None:
        return None, None
    if route.baseline == "model":
        return spec.folder, {"source": spec.model.source, "weights": spec.model.weights}
    runs = (step.id for step in plan.steps if ("artifact", route.baseline) in step.takes)
    made = sound(route.baseline, runs, results)
    return (made.artifact, call(made.folder)["options"]) if made else (None, None)


def _calls(target: Target) -> int:
    """Enough warm calls in each process for every percentile that a budget names."""
    wanted = {f"latency.{budget.metric.removeprefix('latency_')}" for budget in target.budgets}
    return max([DEFAULT_CALLS, *(LEAST_CALLS[name] for name in wanted if name in LEAST_CALLS)])
