"""One target timed after the other, look by look, or its kept samples used again."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

from deployspec.contract import probe_files
from deployspec.digests import sha256_json
from deployspec.disk import explained
from deployspec.ir.artifact import Done, sound
from deployspec.ir.evidence import LEAST_CALLS
from deployspec.measure.artifacts import made
from deployspec.measure.inputs import files_of, write_some
from deployspec.measure.timing import Timed, measurements, time_artifact
from deployspec.sources.identity import origins

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from deployspec.ir.artifact import StepResult
    from deployspec.ir.evidence import Measurement
    from deployspec.ir.plan import Plan, Route, Runner
    from deployspec.ir.spec import Spec, Target
    from deployspec.lanes.program import Lane
    from deployspec.measure.artifacts import Made
    from deployspec.measure.samples import SampleStore

DEFAULT_CALLS = 100


class Clock(Protocol):
    """How timing proceeds: which looks, when they suffice, and how old samples may be to be used again."""

    @property
    def looks(self) -> Sequence[int]:
        """Numbers of processes at which to ask."""

    @property
    def reuse_s(self) -> int | None:
        """The age up to which kept samples are used again, None for never."""

    def now(self) -> datetime:
        """The moment at which samples are as old as they are."""

    def decided(self, target: Target, found: Sequence[Measurement]) -> bool:
        """Whether these measurements decide every timing budget of the target."""

    def timing(self, target: Target) -> None:
        """Told before a target is timed."""


def measure_timing(
    spec: Spec,
    plan: Plan,
    results: Mapping[str, StepResult],
    lane: Lane,
    store: SampleStore,
    clock: Clock,
    scratch: Path,
) -> list[Measurement]:
    """Latency, load time and peak memory of every target that was made, one after the other.

    The samples that they are called with are written to `scratch`.
    """
    found: list[Measurement] = []
    called = _called(plan, results, scratch)
    for each in made(spec, plan, results):
        if each.route.runner is None or each.route.runner.is_evaluator:
            continue
        timed = _timed(spec, plan, each, each.route.runner, called, results)
        machine = lane.machine()
        reused = store.newest(timed, machine, clock.reuse_s, clock.now()) if clock.reuse_s else None
        if reused is not None:
            note = f"reused: measured at {reused.measured_at}"
            found += [dataclasses.replace(one, note=note) for one in measurements(timed, lane, reused)]
            continue
        store.prepare()
        clock.timing(each.target)
        samples, fresh = time_artifact(timed, lane, clock.looks, partial(clock.decided, each.target))
        found += fresh
        if samples is not None:
            store.keep(timed, machine, samples)
    return found


@dataclass(frozen=True)
class _Called:
    """Some samples of a prepared split, and that one's digest."""

    files: Sequence[Path]
    split_sha256: str


def _called(plan: Plan, results: Mapping[str, StepResult], scratch: Path) -> _Called | None:
    """Some samples of the first judged split, which no conversion saw; None without such a split."""
    split = next((split for split, _ in plan.references if split), None)
    prepared = results[f"data.{split}"] if split else None
    if not isinstance(prepared, Done):
        return None
    folder = scratch / "called"
    with explained("write", scratch):
        write_some(prepared.folder, folder)
    return _Called(files_of(folder), prepared.sha256)


def _timed(
    spec: Spec, plan: Plan, each: Made, runner: Runner, called: _Called | None, results: Mapping[str, StepResult]
) -> Timed:
    baseline, options = _baseline(spec, plan, each.route, results)
    limited = {budget.metric for budget in each.target.budgets}
    return Timed(
        target=each.target.name,
        lowered=each.artifact.folder,
        runner=runner,
        artifact=each.artifact.artifact,
        digest=_what_is_timed(spec, each, called, results),
        calls=_calls(each.target),
        time_limit_s=each.target.time_limit_s,
        inputs=called.files if called else probe_files(each.artifact.folder, "input"),
        baseline=baseline,
        baseline_options=options,
        sustained_s=each.target.sustained_s if "sustained_slowdown" in limited else 0,
        energy="energy" in limited,
    )


def _what_is_timed(spec: Spec, each: Made, called: _Called | None, results: Mapping[str, StepResult]) -> str:
    """One digest of the artifact with its probe, of the split whose samples it is called with, and of the baseline."""
    baseline = results.get(each.route.baseline or "")
    other = baseline.sha256 if isinstance(baseline, Done) else ""
    if each.route.baseline == "model":
        other = origins(spec)["model"].sha256
    return sha256_json([each.artifact.sha256, called.split_sha256 if called else "", other])


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
