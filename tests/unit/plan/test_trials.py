"""Budgets on conduct: they alone plan steps for it, which targets share as far as they can."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from projects import SPEC, Project, write_project

from deployspec.ir.plan import Action, Plan
from deployspec.parse import parse_spec
from deployspec.plan import make_plan

if TYPE_CHECKING:
    from pathlib import Path

TORCHSCRIPT = '[targets.server]\nformat = "torchscript"\n'
TFLITE = '[targets.phone]\nformat = "tflite"\n'
COREML = '[targets.ios]\nformat = "coreml"\n'
STABLE = "[targets.NAME.budgets]\nstable = true\n"
CHURN = '[targets.NAME.budgets]\nchurn = "< 1 pp"\n'
CALIBRATED = ('test = "test.npz"', 'calibration = "calibration.npz"\ntest = "test.npz"')


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = write_project(tmp_path / "project")
    for split in ("calibration", "field"):
        made.save(f"{split}.npz", x=np.zeros((8, 4), np.float32))
    return made


def plan_of(project: Project, *targets: str, **changes: tuple[str, str]) -> Plan:
    project.spec.write_text(SPEC.split("[targets.server]")[0] + "".join(targets))
    project.edit(*changes.values())
    return make_plan(parse_spec(project.spec))


def with_budget(target: str, budget: str) -> str:
    return target + budget.replace("NAME", target.partition(".")[2].partition("]")[0])


def test_without_such_a_budget_nothing_of_it_is_planned(project: Project) -> None:
    plan = plan_of(project, TORCHSCRIPT, TFLITE)
    assert not [step.id for step in plan.steps if step.action is Action.DERIVE]
    assert plan.noisy_references == ()
    assert [route.beside for route in plan.routes] == [(), ()]


def test_stability_is_asked_of_the_target_whose_budget_wants_it(project: Project) -> None:
    plan = plan_of(project, with_budget(TORCHSCRIPT, STABLE), TFLITE)
    steps = plan.by_id()
    server, phone = plan.routes
    assert server.watches == ("torchscript.float32@cases",)
    assert phone.watches == ()
    assert steps["torchscript.float32@cases"].takes == (
        ("artifact", "torchscript.float32"), ("data", "data.cases"), ("reference", "reference@cases"),
    )  # fmt: skip
    assert steps["reference@cases"].takes == (("model", "model"), ("data", "data.cases"))
    assert not set(server.watches) & set(server.steps), "an artifact that fails it is built all the same"


def test_targets_share_the_cases_and_the_references_answers(project: Project) -> None:
    plan = plan_of(project, with_budget(TORCHSCRIPT, STABLE), with_budget(TFLITE, STABLE))
    ids = [step.id for step in plan.steps if "cases" in step.id]
    assert sorted(ids) == [
        "data.cases", "reference@cases", "tflite.float32@cases", "torchscript.float32@cases",
    ]  # fmt: skip


def test_every_arithmetic_of_an_evaluator_is_asked(project: Project) -> None:
    plan = plan_of(project, with_budget(COREML, STABLE))
    modes = [plan.by_id()[step].options["mode"] for step in plan.routes[0].watches]
    assert modes == ["declared", "fp64", "fp16acc"]


def test_cases_come_from_the_declared_range_or_else_from_a_split(project: Project) -> None:
    declared = ('shape = ["batch", 4]', 'shape = ["batch", 4]\nrange = [-1, 1]')
    target = with_budget(TORCHSCRIPT, STABLE)
    assert plan_of(project, target).by_id()["data.cases"].takes == (("test", "data.test"),)
    assert plan_of(project, target, range=declared).by_id()["data.cases"].takes == ()
    for changes in ({"data": CALIBRATED}, {"data": CALIBRATED, "range": declared}):
        plan = plan_of(project, target, **changes)
        assert plan.by_id()["data.cases"].takes == (("calibration", "data.calibration"),)


def test_stability_needs_no_data_at_all(project: Project) -> None:
    plan = plan_of(project, with_budget(TORCHSCRIPT, STABLE), data=('[data]\ntest = "test.npz"\n', ""))
    assert plan.routes[0].watches == ("torchscript.float32@cases",)
    assert plan.by_id()["data.cases"].takes == ()


def test_noise_is_added_to_the_split_of_the_budget_once_for_all(project: Project) -> None:
    plan = plan_of(project, with_budget(TORCHSCRIPT, CHURN), with_budget(TFLITE, CHURN))
    assert plan.noisy_references == (("test", "reference@test~noise"),)
    assert [route.noisy for route in plan.routes] == [
        (("test", "torchscript.float32@test~noise"),), (("test", "tflite.float32@test~noise"),),
    ]  # fmt: skip
    steps = plan.by_id()
    assert steps["data.test~noise"].takes == (("data", "data.test"),)
    assert steps["data.test~noise"].options == {"noise": "0.01"}
    assert dict(steps["reference@test~noise"].takes)["data"] == "data.test~noise"
    assert dict(steps["tflite.float32@test~noise"].takes)["data"] == "data.test~noise"


def test_every_arithmetic_of_an_evaluator_is_run_with_noise(project: Project) -> None:
    plan = plan_of(project, with_budget(COREML, CHURN))
    modes = [plan.by_id()[step].options["mode"] for _, step in plan.routes[0].noisy]
    assert modes == ["declared", "fp64", "fp16acc"]


def test_a_budget_on_the_field_split_asks_for_that_one(project: Project) -> None:
    on_field = CHURN.replace("churn", "field.churn")
    field = ('test = "test.npz"', 'test = "test.npz"\nfield = "field.npz"')
    plan = plan_of(project, with_budget(TORCHSCRIPT, on_field), data=field)
    assert plan.noisy_references == (("field", "reference@field~noise"),)


def test_the_spec_sets_how_much_noise(project: Project) -> None:
    more = ("[budgets]", '[evidence]\nchurn_noise = "2.5 %"\n\n[budgets]')
    plan = plan_of(project, with_budget(TORCHSCRIPT, CHURN), noise=more)
    assert plan.by_id()["data.test~noise"].options == {"noise": "0.025"}


def test_integers_alone_leave_nothing_to_add_noise_to(project: Project) -> None:
    tokens = ('shape = ["batch", 4]', 'shape = ["batch", 4]\ndtype = "int64"')
    plan = plan_of(project, with_budget(TORCHSCRIPT, CHURN), dtype=tokens)
    assert plan.noisy_references == plan.routes[0].noisy == ()


def test_every_step_comes_after_what_it_takes(project: Project) -> None:
    both = STABLE + 'churn = "< 1 pp"\n'
    plan = plan_of(project, with_budget(TORCHSCRIPT, both), with_budget(COREML, both), data=CALIBRATED)
    seen: set[str] = set()
    for step in plan.steps:
        assert {source for _, source in step.takes if source in plan.by_id()} <= seen
        seen.add(step.id)
