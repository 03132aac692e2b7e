"""All that is measured of an artifact without a clock: from what the steps left in the store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deployspec.ir.artifact import Done, sound
from deployspec.ir.evidence import EvidenceClass, Measurement, NotMeasured
from deployspec.measure.conduct import Tried, measure_conduct
from deployspec.measure.difference import measure_difference
from deployspec.measure.hygiene.figures import measure_hygiene, ways_of_counting
from deployspec.measure.quality import QUALITY_FIGURES, Evaluated, measure_quality
from deployspec.measure.scores import Scored, measure_scores, score_figures
from deployspec.measure.size import measure_size
from deployspec.measure.structure import measure_structure, structure_of
from deployspec.measure.timing import FIGURES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from deployspec.ir.artifact import StepResult
    from deployspec.ir.plan import Plan, Route, Runner
    from deployspec.ir.spec import Spec, Target
    from deployspec.lanes.program import Lane


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
