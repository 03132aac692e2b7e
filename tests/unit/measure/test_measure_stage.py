"""The stage: what was made is measured, what was not is left out, and a baseline must be sound to compare with."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from bench_lane import Bench, line, ratio
from projects import SPEC, write_project

from deployspec.contract import record
from deployspec.errors import StoreError
from deployspec.ir import codec
from deployspec.ir.artifact import Done, Failed, Job
from deployspec.ir.evidence import EvidenceClass, NotMeasured, Scores
from deployspec.ir.structure import End, Structure
from deployspec.lanes.program import ProgramFailed
from deployspec.measure import SampleStore, measure, measure_timing
from deployspec.measure.own_metric import SCORES_FILE
from deployspec.parse import parse_spec
from deployspec.plan import make_plan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deployspec.ir.artifact import StepResult
    from deployspec.ir.evidence import Measurement
    from deployspec.ir.plan import Plan
    from deployspec.ir.spec import Spec, Target
    from deployspec.lanes.program import Program

TARGETS = """\
[targets.small]
format = "tflite"
passes = [{ pass = "quantize", scheme = "int8-dynamic" }]

[targets.small.budgets]
latency_reduction = ">= 1 %"

[targets.server]
format = "torchscript"
"""


STRUCTURE = Structure(
    inputs=(End(name="x"),), outputs=(End(name="output"),), operators=(("linear", 1),), parameters=15,
    kernel_elements=12, kernel_zeros=3, weight_bytes=(("float32", 60),), macs=12,
)  # fmt: skip


@dataclass
class Once:
    """A clock that is content with its first look, and remembers what was timed."""

    reuse_s: int | None = None
    looks: Sequence[int] = (6, 12)
    timed: list[str] = field(default_factory=list)

    def decided(self, target: Target, found: Sequence[Measurement]) -> bool:
        return True

    def now(self) -> datetime:
        return datetime.now(UTC)

    def timing(self, target: Target) -> None:
        self.timed.append(target.name)


@dataclass
class Stage:
    """A spec and its plan, whose every step has a result."""

    spec: Spec
    plan: Plan
    folder: Path
    results: dict[str, StepResult] = field(default_factory=dict)
    clock: Once = field(default_factory=Once)

    def fill(self) -> None:
        for step in self.plan.steps:
            self.results[step.id] = self._done(step.id)

    def fail(self, step: str) -> None:
        self.results[step] = Failed(step=step, reason="it differs")

    def _done(self, step: str) -> Done:
        out = self.folder / step
        outputs = out / "outputs"
        outputs.mkdir(parents=True)
        np.save(out / "0.npy", np.arange(24.0).reshape(6, 4))
        np.save(out / "y.npy", np.arange(6) % 3)
        np.save(outputs / "0.npy", np.eye(3)[np.arange(6) % 3])
        job = Job(inputs={}, out=out, options={}, model=self.spec.model)
        record(job, [np.ones((1, 4))], [np.ones((1, 3))], options={"of": step})
        (job.artifact / "tiny.bin").write_bytes(b"x" * 100)
        facts: dict[str, Any] = {"runtime": "r 1", "weight_bytes": 400, "labelled": True, "samples": 6}
        facts["structure"] = codec.encode(STRUCTURE)
        return Done(step=step, folder=out, sha256=step, cached=False, seconds=0, facts=facts)

    def measured(self) -> set[tuple[str, str]]:
        """Target and name of every figure that is not about time."""
        return {(each.target, each.name) for each in measure(self.spec, self.plan, self.results, Bench())}

    def timed(self, lane: Bench | None = None) -> list[Measurement]:
        store = SampleStore(self.folder / "samples")
        scratch = Path(tempfile.mkdtemp(dir=self.folder))
        lane = lane or Bench(line(), RATIO)
        return measure_timing(self.spec, self.plan, self.results, lane, store, self.clock, scratch)


RATIO = ratio((50, 100))


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    project = write_project(tmp_path / "project", SPEC.split("[targets.server]")[0] + TARGETS)
    spec = parse_spec(project.spec)
    made = Stage(spec, make_plan(spec), tmp_path / "steps")
    made.fill()
    return made


def test_every_target_that_was_made_is_measured(stage: Stage) -> None:
    read = {"parameters", "macs", "sparsity", "operators", "weights.float32"}
    names = {"size", "size_compressed", "size_reduction", "quality", "agreement", "difference"} | read
    assert stage.measured() == {(target, name) for target in ("small", "server") for name in names}


@pytest.mark.parametrize(
    "step",
    [*(f"tflite.int8-dynamic{which}" for which in ("", "@test", "@structure")), "tflite.float32@contract"],
)
def test_a_target_of_which_any_step_failed_has_no_figures(stage: Stage, step: str) -> None:
    stage.fail(step)
    assert {target for target, _ in stage.measured()} == {"server"}
    assert {each.target for each in stage.timed()} == {"server"}
    assert stage.clock.timed == ["server"]


def reductions(found: Sequence[Measurement]) -> list[str]:
    return [each.target for each in found if each.name == "latency_reduction"]


def without_runtime(stage: Stage) -> None:
    """As for a format that nothing here executes."""
    small, server = stage.plan.routes
    silent = replace(small, runner=None, evaluations=())
    stage.plan = replace(stage.plan, routes=(silent, server))


def test_what_nothing_executes_is_read_and_every_other_figure_has_its_reason(stage: Stage) -> None:
    without_runtime(stage)
    found = [each for each in measure(stage.spec, stage.plan, stage.results, Bench()) if each.target == "small"]
    absent = {(each.name, each.split) for each in found if isinstance(each.statistic, NotMeasured)}
    assert {("quality", "test"), ("agreement", "test"), ("latency.p95", ""), ("memory_peak", "")} <= absent
    assert {each.statistic.reason for each in found if isinstance(each.statistic, NotMeasured)} == {
        "no runtime on this machine executes tflite"
    }
    assert {"size", "parameters", "macs", "sparsity", "operators"} <= {each.name for each in found}
    assert {each.target for each in stage.timed()} == {"server"}


def evaluated(stage: Stage) -> None:
    """As for a format that an evaluator stands for, in two arithmetics."""
    small, server = stage.plan.routes
    assert small.runner is not None
    runner = replace(small.runner, evidence=EvidenceClass.REFERENCE, modes=("declared", "fp64"))
    step = "tflite.int8-dynamic@test"
    declared = stage.results[step]
    assert isinstance(declared, Done)
    stage.results[f"{step}.fp64"] = replace(declared, facts=declared.facts | {"runtime": "r 1, fp64"})
    small = replace(small, runner=runner, evaluations=(("test", step), ("test", f"{step}.fp64")))
    stage.plan = replace(stage.plan, routes=(small, server))


def test_an_evaluator_gives_quality_of_its_class_in_each_arithmetic_and_no_time(stage: Stage) -> None:
    evaluated(stage)
    found = [each for each in measure(stage.spec, stage.plan, stage.results, Bench()) if each.target == "small"]
    quality = [each for each in found if each.name == "quality"]
    assert [(each.evidence, each.runtime) for each in quality] == [
        (EvidenceClass.REFERENCE, "r 1"),
        (EvidenceClass.REFERENCE, "r 1, fp64"),
    ]
    (p95,) = (each.statistic for each in found if each.name == "latency.p95")
    assert p95 == NotMeasured(
        reason="only a device tells: what runs tflite here is an evaluator, whose time says nothing"
    )
    assert {each.target for each in stage.timed()} == {"server"}


def test_a_reduction_compares_with_the_baseline_as_its_own_lowering_says(stage: Stage) -> None:
    lane = Bench(line(), RATIO)
    assert reductions(stage.timed(lane)) == ["small"]
    small, server = lane.programs
    assert small.job["options"] == {"of": "tflite.int8-dynamic"}
    assert small.job["baseline_options"] == {"of": "tflite.float32"}
    assert small.files["baseline"] == stage.folder / "tflite.float32" / "artifact" / "tiny.bin"
    assert "baseline" not in server.job


class Seeing(Bench):
    """A lane that keeps the samples which it was given to call with, while they are there."""

    def run(self, program: Program) -> list[dict[str, Any]]:
        self.seen = {name: np.load(path) for name, path in program.files.items() if path.suffix == ".npy"}
        return super().run(program)


def test_what_is_timed_is_called_with_samples_of_the_judged_split_and_sees_no_label(stage: Stage) -> None:
    stage.timed(lane := Seeing(line(), RATIO))
    (samples,) = lane.seen.values()
    prepared = np.load(stage.folder / "data.test" / "0.npy")
    assert samples.tolist() != prepared.tolist()
    assert sorted(samples.tolist()) == prepared.tolist()
    assert all(task["inputs"] == list(lane.seen) for task in lane.programs[0].job["tasks"])


def test_without_a_judged_split_it_is_called_with_its_probe(tmp_path: Path) -> None:
    text = (SPEC.split("[targets.server]")[0] + TARGETS).replace('[data]\ntest = "test.npz"\n', "")
    spec = parse_spec(write_project(tmp_path / "project", text).spec)
    stage = Stage(spec, make_plan(spec), tmp_path / "steps")
    stage.fill()
    stage.timed(lane := Seeing(line(), RATIO))
    assert [each.tolist() for each in lane.seen.values()] == [[[1, 1, 1, 1]]]


def test_samples_of_another_split_are_not_used_again(stage: Stage) -> None:
    stage.timed()
    stage.clock = Once(reuse_s=3600)
    changed = stage.results["data.test"]
    assert isinstance(changed, Done)
    stage.results["data.test"] = replace(changed, sha256="other")
    stage.timed()
    assert stage.clock.timed == ["small", "server"]


OWN = """\
[metrics.wer]
source = "metrics.py:wer"
better = "lower"

[budgets]
wer_rise = "< 3 %"
field.wer_rise = "< 3 %"

[targets.server]
format = "torchscript"
"""


def test_a_split_has_the_scores_that_were_taken_on_it(tmp_path: Path) -> None:
    head = SPEC.replace("[data]", '[data]\nfield = "field.npz"').partition("[budgets]")[0]
    project = write_project(tmp_path / "project", head + OWN)
    project.write("metrics.py", "def wer(outputs, targets): ...\n")
    project.save("field.npz", x=np.zeros((6, 4), np.float32), y=np.zeros(6, int))
    spec = parse_spec(project.spec)
    stage = Stage(spec, replace(make_plan(spec), hygiene=(), drift=None), tmp_path / "steps")
    stage.fill()
    for split, value in (("test", 1), ("field", 2)):
        for step in (f"reference@{split}.wer", f"torchscript.float32@{split}.wer"):
            np.save(stage.folder / step / SCORES_FILE, np.full(6, value))
    found = {each.split: each.statistic for each in measure(spec, stage.plan, stage.results, Bench())
             if each.name == "metrics.wer"}  # fmt: skip
    assert {split: set(each.artifact) for split, each in found.items() if isinstance(each, Scores)} == {
        "test": {1},
        "field": {2},
    }


TWO = """\
[targets.static]
format = "executorch"
passes = [{ pass = "quantize", scheme = "int8" }]

[targets.static.budgets]
latency_reduction = ">= 1 %"
"""


@pytest.mark.parametrize("step", ["executorch.float32", "executorch.float32@contract"])
def test_a_baseline_that_was_not_made_or_does_not_hold_is_none(tmp_path: Path, step: str) -> None:
    text = SPEC.replace("[data]", '[data]\ncalibration = "calibration.npz"').split("[targets.server]")[0] + TWO
    project = write_project(tmp_path / "project", text)
    project.save("calibration.npz", x=np.zeros((4, 4), np.float32))
    spec = parse_spec(project.spec)
    stage = Stage(spec, make_plan(spec), tmp_path / "steps")
    stage.fill()
    assert reductions(stage.timed()) == ["static"]
    stage.fail(step)
    found = stage.timed()
    assert reductions(found) == []
    assert {each.target for each in found} == {"static"}, "its latency by itself is measured all the same"


class Broken(Bench):
    """A lane on which nothing runs."""

    def run(self, program: Program) -> list[dict[str, Any]]:
        self.programs.append(program)
        raise ProgramFailed("crashed")


def test_sustained_runs_and_energy_are_taken_of_the_targets_that_limit_them(tmp_path: Path) -> None:
    wanted = 'sustained = "45 s"\nbudgets.sustained_slowdown = "< 10 %"\nbudgets.energy = "< 5 mJ"\n'
    targets = TARGETS.split("[targets.small.budgets]")[0] + wanted + "[targets.server]\nformat = 'torchscript'\n"
    spec = parse_spec(write_project(tmp_path / "project", SPEC.split("[targets.server]")[0] + targets).spec)
    stage = Stage(spec, make_plan(spec), tmp_path / "steps")
    stage.fill()
    found = stage.timed(lane := Broken())
    assert [[task["task"] for task in program.job["tasks"]] for program in lane.programs] == [
        ["time", "sustain", "energy"],
        ["time"],
    ]
    assert lane.programs[0].job["tasks"][1]["seconds"] == 45
    limited = {each.target for each in found if each.name in ("sustained_slowdown", "energy")}
    assert limited == {"small"}


def test_a_store_that_cannot_keep_samples_is_said_before_anything_is_timed(stage: Stage) -> None:
    (stage.folder / "samples").touch()
    lane = Bench(line(), RATIO)
    with pytest.raises(StoreError, match=r"cannot write in the store .*samples: File exists"):
        stage.timed(lane)
    assert not lane.programs


def test_kept_samples_are_used_again_and_said(stage: Stage) -> None:
    first = stage.timed()
    assert {each.note for each in first} == {""}
    stage.clock = Once(reuse_s=3600)
    lane = Bench()
    again = stage.timed(lane)
    assert lane.programs == stage.clock.timed == []
    assert {each.note for each in again} == {f"reused: measured at {each.measured_at}" for each in first}
    assert [each.statistic for each in again] == [each.statistic for each in first]


def test_without_being_asked_latency_is_measured_afresh(stage: Stage) -> None:
    stage.timed()
    lane = Bench(line(), RATIO)
    stage.timed(lane)
    assert len(lane.programs) == 2


@pytest.mark.parametrize("baseline", ["tflite.float32", "model"])
def test_samples_of_another_baseline_are_not_used_again(stage: Stage, baseline: str) -> None:
    small, server = stage.plan.routes
    stage.plan = replace(stage.plan, routes=(replace(small, baseline=baseline), server))
    stage.timed()
    stage.clock = Once(reuse_s=3600)
    before = stage.results["tflite.float32"]
    assert isinstance(before, Done)
    if baseline == "model":
        (stage.spec.folder / "net.py").write_text("def build(): ...\n")
    else:
        stage.results["tflite.float32"] = replace(before, sha256="another")
    stage.timed()
    assert stage.clock.timed == ["small"], "the other target has none"
