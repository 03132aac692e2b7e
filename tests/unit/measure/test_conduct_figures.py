"""Which measurements a target gets for its budgets on conduct, and what is told where there is none."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from projects import write_project

from deployspec.ir import codec
from deployspec.ir.artifact import Done, Failed
from deployspec.ir.evidence import Check, Churn, EvidenceClass, NotMeasured, PairedOutcomes, Promise, Stability
from deployspec.measure.conduct import Tried, measure_conduct
from deployspec.parse import parse_spec
from deployspec.plan import make_plan

if TYPE_CHECKING:
    from pathlib import Path

    from deployspec.ir.artifact import StepResult
    from deployspec.ir.evidence import Measurement

SEEN = Stability(checks=(Check(promise=Promise.FINITE, calls=9),), inputs=("zeros",), batches=(1,))


@dataclass
class Lab:
    """A target's route with every step done; under noise the reference decides otherwise on the first sample, and the
    artifact on the last.
    """

    folder: Path
    budgets: str = 'stable = true\nchurn = "< 1 pp"'
    format: str = "torchscript"
    dtype: str = "float32"
    train: bool = False
    fields: dict[str, Any] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, list[int]] = field(default_factory=dict)
    """The rows that each file of the hygiene steps names."""

    def measured(self) -> list[Measurement]:
        project = write_project(self.folder / "project")
        project.edit(
            ('size = "< 1 MB"', self.budgets), ('"torchscript"', f'"{self.format}"'),
            ('shape = ["batch", 4]', f'shape = ["batch", 4]\ndtype = "{self.dtype}"'),
        )  # fmt: skip
        if self.train:
            project.edit(("[data]", '[data]\ntrain = "train.npz"'))
        spec = parse_spec(project.spec)
        plan = make_plan(spec)
        results: dict[str, StepResult] = {step.id: self._done(step.id) for step in plan.steps}
        results |= {step: Failed(step=step, reason=reason) for step, reason in self.failed.items()}
        assert set(results) == {step.id for step in plan.steps}
        route = replace(plan.routes[0], **self.fields)
        tried = Tried(
            spec=spec, plan=plan, results=results, target=spec.targets[0], route=route, evidence=EvidenceClass.HOST
        )
        return list(measure_conduct(tried))

    def _done(self, step: str) -> Done:
        outputs = self.folder / "results" / step / "outputs"
        outputs.mkdir(parents=True)
        decided = [0, 1, 2]
        if "~noise" in step:
            decided = [1, 1, 2] if step.startswith("reference") else [0, 1, 1]
        np.save(outputs / "0.npy", np.eye(3)[decided])
        for file, rows in self.left_out.items():
            np.save(outputs.parent / file, np.array(rows))
        runtime = f"r 1, {step.rpartition('.')[2]}"
        facts = {"runtime": runtime, "stability": codec.encode(SEEN), "samples": 3, "near": 1}
        return Done(step=step, folder=outputs.parent, sha256="0" * 64, cached=False, seconds=0, facts=facts)


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def told(found: list[Measurement]) -> list[tuple[str, str]]:
    return [(each.name, each.split) for each in found]


def test_each_budget_has_its_measurement(lab: Lab) -> None:
    stable, churn = lab.measured()
    assert (stable.name, stable.split, stable.statistic) == ("stable", "", SEEN)
    assert (churn.name, churn.split) == ("churn", "test")
    assert isinstance(churn.statistic, Churn)
    assert churn.statistic.outcomes == PairedOutcomes(both=1, broken=1, repaired=1, neither=0)
    assert {each.evidence for each in (stable, churn)} == {EvidenceClass.HOST}


def test_churn_is_also_counted_without_near_duplicates(lab: Lab) -> None:
    lab.budgets = 'churn = "< 1 pp"\nnear_duplicates = "< 50 %"'
    lab.train = True
    lab.left_out = {"leaked.npy": [0], "near.npy": [1]}
    plain, fewer = lab.measured()
    assert [each.variant for each in (plain, fewer)] == ["", "without near-duplicates"]
    assert isinstance(plain.statistic, Churn)
    assert isinstance(fewer.statistic, Churn)
    assert plain.statistic.outcomes == PairedOutcomes(both=1, broken=1, repaired=0, neither=0)
    assert fewer.statistic.outcomes == PairedOutcomes(both=0, broken=1, repaired=0, neither=0)


def test_without_such_a_budget_there_is_none(lab: Lab) -> None:
    lab.budgets = 'size = "< 1 MB"'
    assert lab.measured() == []


def test_an_evaluator_gives_one_for_each_of_its_arithmetics(lab: Lab) -> None:
    lab.format = "coreml"
    found = lab.measured()
    assert told(found) == [("stable", "")] * 3 + [("churn", "test")] * 3
    assert len({(each.name, each.runtime) for each in found}) == 6


def test_where_nothing_runs_the_format_the_reason_is_told(lab: Lab) -> None:
    lab.fields = {"runner": None, "watches": (), "noisy": ()}
    found = lab.measured()
    reason = NotMeasured(reason="no runtime on this machine executes the format")
    assert told(found) == [("stable", ""), ("churn", "test")]
    assert [each.statistic for each in found] == [reason, reason]


@pytest.mark.parametrize(
    ("failed", "name"),
    [
        ("torchscript.float32@cases", "stable"),
        ("torchscript.float32@test~noise", "churn"),
        ("reference@test~noise", "churn"),
    ],
)
def test_a_step_that_failed_leaves_its_reason(lab: Lab, failed: str, name: str) -> None:
    lab.failed = {failed: "no answer within 60 s"}
    statistics = {each.name: each.statistic for each in lab.measured()}
    assert statistics.pop(name) == NotMeasured(reason="no answer within 60 s")
    assert not any(isinstance(each, NotMeasured) for each in statistics.values())


def test_arithmetics_that_failed_are_told_apart(lab: Lab) -> None:
    lab.format = "coreml"
    lab.failed = {f"coreml.float32@cases.{mode}": "it hangs" for mode in ("declared", "fp64")}
    runtimes = [each.runtime for each in lab.measured() if each.name == "stable"]
    assert runtimes == ["declared", "fp64", "r 1, fp16acc"]


def test_noise_on_integers_is_no_small_change(lab: Lab) -> None:
    lab.dtype, lab.budgets = "int64", 'churn = "< 1 pp"'
    (churn,) = lab.measured()
    assert churn.statistic == NotMeasured(reason="no input is floating point, and an integer has no small change")
