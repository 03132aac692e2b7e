"""The plan: what targets have in common is one step, what differs has a number, and nothing is left unchecked."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from projects import SPEC, Project, write_project

from deployspec.ir.plan import Action, Plan
from deployspec.ir.tolerance import TOLERANCES
from deployspec.parse import parse_spec
from deployspec.plan import make_plan
from deployspec.sources.identity import origins

SPECS = Path(__file__).parents[3] / "specs"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = write_project(tmp_path / "project")
    made.save("calibration.npz", x=np.zeros((8, 4), np.float32))
    return made


def plan_of(project: Project, targets: str, data: str = 'test = "test.npz"') -> Plan:
    """The plan of the small project with other targets and other splits."""
    head, _ = SPEC.split("[targets.server]")
    project.spec.write_text(head.replace('test = "test.npz"', data) + targets)
    return make_plan(parse_spec(project.spec))


BOTH = 'calibration = "calibration.npz"\ntest = "test.npz"'
FLOAT = '[targets.a]\nformat = "tflite"\n'
HALF = '[targets.b]\nformat = "tflite"\npasses = [{ pass = "quantize", scheme = "float16" }]\n'
INT8 = '[targets.c]\nformat = "tflite"\npasses = [{ pass = "quantize", scheme = "int8" }]\n'


def test_equal_work_is_one_step_that_names_its_targets(project: Project) -> None:
    plan = plan_of(project, FLOAT + FLOAT.replace(".a", ".z"))
    assert [step.id for step in plan.steps] == [
        "data.test", "reference@test", "tflite.float32", "tflite.float32@structure", "tflite.float32@test"
    ]  # fmt: skip
    assert plan.by_id()["tflite.float32"].targets == ("a", "z")
    assert plan.routes[0].steps == plan.routes[1].steps


def test_a_longer_route_shares_its_beginning_and_checks_it_too(project: Project) -> None:
    plan = plan_of(project, FLOAT + HALF)
    a, b = plan.routes
    assert a.steps == ("tflite.float32", "tflite.float32@structure", "tflite.float32@test")
    assert b.steps == (
        "tflite.float32", "tflite.float16", "tflite.float16@structure", "tflite.float32@contract", "tflite.float16@test"
    )  # fmt: skip
    assert plan.by_id()["tflite.float32"].targets == ("a", "b")
    assert plan.by_id()["tflite.float16"].takes == (("input", "tflite.float32"),)


@pytest.mark.parametrize(("first", "second"), [(1, 2), (2, 1)])
def test_shared_work_may_take_as_long_as_the_most_patient_target_allows(
    project: Project, first: int, second: int
) -> None:
    plan = plan_of(project, f'{FLOAT}time_limit = "{first} min"\n{HALF}time_limit = "{second} min"\n')
    assert plan.by_id()["tflite.float32"].time_limit_s == 120


def test_work_that_differs_in_an_option_has_a_number(project: Project) -> None:
    plan = plan_of(project, FLOAT + FLOAT.replace(".a", ".b") + 'layout = "nhwc"\n')
    steps = plan.by_id()
    assert [route.artifact for route in plan.routes] == ["tflite.float32", "tflite.float32-2"]
    assert steps["tflite.float32"].options == {"layout": "nchw"}
    assert steps["tflite.float32-2"].options == {"layout": "nhwc"}
    assert steps["tflite.float32-2@test"].takes == (("artifact", "tflite.float32-2"), ("data", "data.test"))


def test_static_quantization_takes_the_calibration_split_and_others_probe_with_it(project: Project) -> None:
    plan = plan_of(project, FLOAT + INT8, BOTH)
    steps = plan.by_id()
    assert steps["tflite.int8"].takes == (("input", "tflite.float32"), ("calibration", "data.calibration"))
    assert steps["tflite.float32"].takes == (("model", "model"), ("calibration", "data.calibration"))
    assert steps["data.calibration"].action is Action.PREPARE


def test_the_bytes_of_every_artifact_are_inspected(project: Project) -> None:
    plan = plan_of(project, FLOAT + HALF)
    for route in plan.routes:
        step = plan.by_id()[route.structure]
        assert (step.action, step.takes) == (Action.INSPECT, (("artifact", route.artifact),))
        assert step.options["inspector"] == "deployspec.formats.tflite:inspect"
        assert step.options["runner"]["script"] == "deployspec.runners.tflite_delegate"


def test_of_a_split_that_no_step_reads_nothing_is_kept_but_digests(project: Project) -> None:
    project.save("train.npz", x=np.ones((3, 4), np.float32))
    plan = plan_of(project, FLOAT, 'train = "train.npz"\ntest = "test.npz"')
    assert "data.train" not in plan.by_id()


def test_each_judged_split_is_run_by_the_reference_and_by_every_artifact(project: Project) -> None:
    project.save("field.npz", x=np.ones((3, 4), np.float32), y=np.zeros(3, int))
    plan = plan_of(project, FLOAT, 'test = "test.npz"\nfield = "field.npz"')
    assert plan.references == (("test", "reference@test"), ("field", "reference@field"))
    (route,) = plan.routes
    assert route.evaluations == (("test", "tflite.float32@test"), ("field", "tflite.float32@field"))
    assert plan.by_id()["tflite.float32@field"].takes == (("artifact", "tflite.float32"), ("data", "data.field"))


def test_without_any_data_every_lowering_still_holds_its_contract(project: Project) -> None:
    text = SPEC.replace('[data]\ntest = "test.npz"\n', "").split("[targets.server]")[0]
    project.spec.write_text(text + HALF)
    plan = make_plan(parse_spec(project.spec))
    assert plan.references == ()
    assert plan.routes[0].evaluations == ()
    checks = [step.takes for step in plan.steps if step.action is Action.EVALUATE]
    assert checks == [(("artifact", "tflite.float32"),), (("artifact", "tflite.float16"),)]


def test_without_any_data_the_reference_is_weighed_where_a_budget_needs_its_bytes(project: Project) -> None:
    text = SPEC.replace('[data]\ntest = "test.npz"\n', "")
    project.spec.write_text(text.replace('size = "< 1 MB"', 'size_reduction = ">= 1 %"'))
    plan = make_plan(parse_spec(project.spec))
    assert plan.references == (("", "reference"),)
    assert plan.by_id()["reference"].takes == (("model", "model"),)


def test_a_pair_of_files_keeps_both_names(project: Project) -> None:
    np.save(project.folder / "x.npy", np.zeros((2, 4), np.float32))
    np.save(project.folder / "y.npy", np.zeros(2, int))
    plan = plan_of(project, FLOAT, 'test = ["x.npy", "y.npy"]')
    assert plan.by_id()["data.test"].options["value"] == ["x.npy", "y.npy"]


REDUCTION = '[targets.{}.budgets]\nlatency_reduction = ">= 10 %"\n'


def test_a_reduction_compares_with_the_float32_artifact_of_the_same_format(project: Project) -> None:
    plan = plan_of(project, INT8 + REDUCTION.format("c"), BOTH)
    assert plan.routes[0].baseline == "tflite.float32"
    assert "tflite.float32@contract" in plan.by_id(), "a baseline that does not hold its contract is none"


def test_a_baseline_that_is_no_step_on_the_way_is_checked_too(project: Project) -> None:
    plan = plan_of(project, INT8.replace("tflite", "executorch") + REDUCTION.format("c"), BOTH)
    assert plan.routes[0].baseline == "executorch.float32"
    assert "executorch.float32" not in plan.routes[0].steps
    assert plan.by_id()["executorch.float32@contract"].takes[0] == ("artifact", "executorch.float32")


def test_where_the_runner_runs_the_source_it_is_the_baseline(project: Project) -> None:
    plan = plan_of(project, '[targets.s]\nformat = "torchscript"\n' + REDUCTION.format("s"))
    assert plan.routes[0].baseline == "model"
    assert [step.id for step in plan.steps if step.action is Action.CONVERT] == ["torchscript.float32"]


def test_without_such_a_budget_there_is_no_baseline(project: Project) -> None:
    plan = plan_of(project, INT8.replace("tflite", "executorch"), BOTH)
    assert plan.routes[0].baseline is None
    assert "executorch.float32" not in plan.by_id()


def test_a_pass_may_state_what_its_artifact_is_held_to(project: Project) -> None:
    stated = INT8.replace('"int8"', '"int8", tolerance = 0.25').replace(".c", ".d")
    plan = plan_of(project, INT8 + stated, BOTH)
    held = [dict(route.evaluations)["test"] for route in plan.routes]
    assert [plan.by_id()[step].options["tolerance"] for step in held] == [TOLERANCES["int8"], 0.25]
    looser = "its int8 pass was allowed 0.25 of the output's spread, 0.1 is usual"
    assert [route.loosened for route in plan.routes] == [(), (looser,)]
    assert looser in plan.routes[1].notes
    assert plan.routes[0].artifact == plan.routes[1].artifact, "it is made once, and judged by both"


@pytest.mark.parametrize("stated", [0.01, TOLERANCES["int8"]])
def test_a_tolerance_that_is_no_looser_is_not_remarked_on(project: Project, stated: float) -> None:
    plan = plan_of(project, INT8.replace('"int8"', f'"int8", tolerance = {stated}'), BOTH)
    assert plan.routes[0].loosened == ()


METRICS = """
[metrics.wer]
source = "metrics.py:wer"
better = "lower"
[metrics.idle]
source = "metrics.py:wer"
better = "higher"
[budgets]
size = "< 1 MB"
"""


def test_a_metric_of_the_specs_own_is_run_where_a_budget_names_it_on_its_split(project: Project) -> None:
    project.write("metrics.py", "def wer(outputs, targets): ...\n")
    project.save("field.npz", x=np.zeros((8, 4), np.float32), y=np.zeros(8, int))
    head = SPEC.replace('test = "test.npz"', 'test = "test.npz"\nfield = "field.npz"').partition("[budgets]\n")[0]
    asked = '[targets.a.budgets]\nwer_rise = "< 3 %"\n'
    project.spec.write_text(
        head
        + METRICS
        + FLOAT
        + asked
        + FLOAT.replace(".a", ".b")
        + FLOAT.replace(".a", ".c")
        + asked.replace(".a", ".c")
    )
    spec = parse_spec(project.spec)
    plan = make_plan(spec)
    scored = [step for step in plan.steps if step.action is Action.SCORE]
    assert [step.id for step in scored] == ["reference@test.wer", "tflite.float32@test.wer"]
    assert scored[1].takes == (
        ("outputs", "tflite.float32@test"),
        ("data", "data.test"),
        ("metric", "hook:metrics.py:wer"),
    )
    assert scored[1].targets == ("a", "c")
    assert scored[1].id not in plan.routes[0].steps, "where it fails, the artifact stands"
    a, b, c = plan.routes
    assert a.scores == c.scores
    assert b.scores == ()
    assert (a.scores[0].metric, a.scores[0].evaluation) == ("wer", "tflite.float32@test")
    assert plan.by_id()["data.test"].options["labelled"] is True
    assert plan.by_id()["data.field"].options["labelled"] is False
    assert "hook:metrics.py:wer" in origins(spec)


def test_every_step_comes_after_what_it_takes(project: Project) -> None:
    seen = {"model"}
    for step in plan_of(project, INT8 + REDUCTION.format("c") + FLOAT + HALF, BOTH).steps:
        assert {source for _, source in step.takes if not source.startswith("data:")} <= seen
        seen.add(step.id)


def test_a_plan_of_a_thousand_targets_is_made_in_a_moment(project: Project) -> None:
    schemes = ("", 'passes = [{ pass = "quantize", scheme = "float16" }]\n')
    targets = "".join(f'[targets.t{i}]\nformat = "tflite"\n{schemes[i % 2]}' for i in range(1000))
    head = SPEC.split("[targets.server]")[0]
    project.spec.write_text(head + targets)
    spec = parse_spec(project.spec)
    begun = time.process_time()
    plan = make_plan(spec)
    seconds = time.process_time() - begun
    assert len(plan.routes) == 1000
    assert len(plan.steps) == 9, "two artifacts, however many targets want them"
    assert len(plan.by_id()["tflite.float32"].targets) == 1000
    assert seconds < 2


PLAN_QUIETLY = """
import sys
from pathlib import Path
from deployspec.parse import parse_spec
from deployspec.plan import make_plan
make_plan(parse_spec(Path(sys.argv[1])))
heavy = {"torch", "tensorflow", "torchao", "litert_torch", "ai_edge_litert", "ai_edge_quantizer", "numpy", "keras"}
print(sorted(heavy & set(sys.modules)))
"""


def test_planning_imports_no_framework() -> None:
    command = [sys.executable, "-c", PLAN_QUIETLY, str(SPECS / "digits.toml")]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


def test_a_judged_split_is_looked_for_in_every_other_one_of_which_no_more_than_digests_is_kept(
    project: Project,
) -> None:
    project.save("train.npz", x=np.ones((3, 4), np.float32))
    data = 'train = "train.npz"\n' + BOTH
    steps = plan_of(project, FLOAT + INT8, data).by_id()
    look = steps["hygiene.test"]
    assert (look.action, look.targets, look.options) == (Action.EXAMINE, (), {"split": "test"})
    assert look.takes == (("data", "data.test"), ("train", "digests.train"), ("calibration", "data.calibration"))
    assert steps["digests.train"].options["digests_only"] is True
    assert "data.train" not in steps


def test_a_split_alone_is_not_looked_for(project: Project) -> None:
    plan = plan_of(project, FLOAT)
    assert (plan.hygiene, plan.near_duplicates, plan.drift) == ((), (), None)
    assert not any(step.action is Action.EXAMINE for step in plan.steps)


def test_likeness_is_looked_for_where_a_budget_asks_and_drift_where_there_is_a_field_split(project: Project) -> None:
    project.save("train.npz", x=np.ones((3, 4), np.float32))
    project.save("field.npz", x=np.ones((3, 4), np.float32), y=np.zeros(3, int))
    data = 'train = "train.npz"\ntest = "test.npz"\nfield = "field.npz"'
    plan = plan_of(project, FLOAT + '[targets.a.budgets]\nnear_duplicates = "< 1 %"\n', data)
    steps = plan.by_id()
    assert plan.near_duplicates == (("test", "near_duplicates.test"),)
    assert steps["near_duplicates.test"].takes == (("data", "data.test"), ("train", "data.train"))
    assert steps["near_duplicates.test"].toolchain.extra == "hygiene"
    assert plan.hygiene == (("test", "hygiene.test"), ("field", "hygiene.field"))
    assert steps["hygiene.field"].takes == (("data", "data.field"), ("train", "data.train"), ("test", "data.test"))
    assert steps[plan.drift or ""].takes == (("test", "data.test"), ("field", "data.field"))
