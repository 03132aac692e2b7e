"""The pass `prune` in specs and plans: what it asks for, that targets share it, and what its code depends on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from projects import NET, SPEC, Project, write_project

from deployspec.errors import SpecFaults
from deployspec.ir.artifact import Done
from deployspec.ir.plan import KERAS_MODEL, TORCH_MODULE, Plan, Step
from deployspec.parse import parse_spec
from deployspec.passes.prune import Prune
from deployspec.plan import make_plan
from deployspec.preflight import foreseen_steps
from deployspec.report.compose import _sources
from deployspec.report.remarks import remarks
from deployspec.sources.identity import origins

if TYPE_CHECKING:
    from pathlib import Path

HOOK = "\n\ndef finetune(model, train):\n    return model\n"
FINETUNED = '[{ pass = "prune", sparsity = 0.5, finetune = "net.py:finetune" }]'
PLAIN = '[{ pass = "prune", sparsity = 0.5 }]'
PRUNED = f"{TORCH_MODULE}.pruned"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = write_project(tmp_path / "project", SPEC.replace("[data]\n", '[data]\ntrain = "train.npz"\n'))
    made.write("net.py", NET + HOOK)
    made.save("train.npz", x=np.ones((3, 4), np.float32), y=np.arange(3))
    return made


def targets(project: Project, **passes: str) -> Plan:
    """The plan of tflite targets, each with its passes."""
    head, _ = project.spec.read_text().split("[targets.")
    tables = (f'[targets.{name}]\nformat = "tflite"\npasses = {text}\n' for name, text in passes.items())
    project.spec.write_text(head + "".join(tables))
    return make_plan(parse_spec(project.spec))


def pruning(plan: Plan) -> list[Step]:
    return [step for step in plan.steps if step.gives == TORCH_MODULE]


def test_targets_with_equal_options_share_one_pruned_model(project: Project) -> None:
    quantized = FINETUNED.replace("}]", '}, { pass = "quantize", scheme = "float16" }]')
    plan = targets(project, a=FINETUNED, b=FINETUNED, c=quantized)
    (step,) = pruning(plan)
    assert step.targets == ("a", "b", "c")
    assert plan.routes[0].steps[:2] == (PRUNED, "tflite.float32")
    assert plan.routes[2].steps[:3] == (PRUNED, "tflite.float32", "tflite.float16")


@pytest.mark.parametrize(
    "other", [PLAIN.replace("0.5", "0.6"), FINETUNED, PLAIN.replace("0.5", '0.5, method = "structured"')]
)
def test_another_option_is_another_model(project: Project, other: str) -> None:
    plan = targets(project, a=PLAIN, b=other)
    assert [step.id for step in pruning(plan)] == [PRUNED, f"{PRUNED}-2"]
    assert plan.by_id()["tflite.float32-2"].takes == (("model", "model"), ("input", f"{PRUNED}-2"))


def test_a_finetuned_model_takes_the_training_split_and_the_hook_besides(project: Project) -> None:
    (step,) = pruning(targets(project, a=FINETUNED))
    assert step.takes == (("model", "model"), ("train", "data.train"), ("finetune", "hook:net.py:finetune"))


def test_a_pruned_model_alone_takes_no_data(project: Project) -> None:
    (step,) = pruning(targets(project, a=PLAIN))
    assert step.takes == (("model", "model"),)


def test_the_hook_is_an_origin_with_all_that_it_imports(project: Project) -> None:
    project.write("tune.py", "import numpy, recipe\n" + HOOK)
    project.write("recipe.py", "RATE = 0.1\n")
    targets(project, a=FINETUNED.replace("net.py", "tune.py"))
    found = origins(parse_spec(project.spec))
    hook = found["hook:tune.py:finetune"]
    assert [name for name, _ in hook.files] == ["tune.py", "recipe.py"]
    assert [name for name, _ in hook.distributions] == ["numpy"]
    assert list(_sources(found)) == ["net.py", "tune.py", "recipe.py"]


def test_editing_what_the_hook_imports_is_another_origin(project: Project) -> None:
    project.write("tune.py", "import recipe\n" + HOOK)
    project.write("recipe.py", "RATE = 0.1\n")
    targets(project, a=FINETUNED.replace("net.py", "tune.py"))
    before = origins(parse_spec(project.spec))
    project.write("recipe.py", "RATE = 0.2\n")
    after = origins(parse_spec(project.spec))
    assert after["hook:tune.py:finetune"].sha256 != before["hook:tune.py:finetune"].sha256
    assert after["model"] == before["model"]


def test_structured_pruning_takes_torch_modules_and_magnitude_also_keras_models() -> None:
    forms = {
        method: [edge.takes for edge in Prune(method=method, sparsity=0.5).lowerings()]
        for method in ("structured", "magnitude")
    }
    assert forms == {"structured": [(TORCH_MODULE,)], "magnitude": [(TORCH_MODULE,), (KERAS_MODEL,)]}


def test_the_plan_warns_of_channels_taken_out_without_finetuning(project: Project) -> None:
    bare = PLAIN.replace("0.5", '0.5, method = "structured"')
    plan = targets(project, a=bare, b=FINETUNED.replace("0.5", '0.5, method = "structured"'), c=PLAIN)
    warned = [any("accuracy right after structured pruning" in note for note in route.notes) for route in plan.routes]
    assert warned == [True, False, False]


def test_the_report_tells_what_pruning_did_and_what_it_mostly_costs(project: Project, tmp_path: Path) -> None:
    plan = targets(project, a=PLAIN.replace("0.5", '0.5, method = "structured"'))
    told = {"out_of_range": 0, "remarks": ["channels 8 → 4, parameters 99 → 33"]}
    results = {
        step.id: Done(step=step.id, folder=tmp_path, sha256="", cached=False, seconds=0, facts=told)
        for step in plan.steps
    }
    found = remarks(parse_spec(project.spec), plan, results, ())
    assert f"{PRUNED}: channels 8 → 4, parameters 99 → 33" in found
    assert any(line.startswith("a: accuracy right after structured pruning") for line in found)


@pytest.mark.parametrize("sparsity", ["0", "1", "-0.5", "1.5", "0.0", "1.0"])
def test_a_share_of_nothing_or_of_all_is_a_fault(project: Project, sparsity: str) -> None:
    with pytest.raises(SpecFaults) as raised:
        targets(project, a=PLAIN.replace("0.5", sparsity))
    assert [fault.path for fault in raised.value.faults] == [("targets", "a", "passes", 0, "sparsity")]


@pytest.mark.parametrize("sparsity", ["0.001", "0.999"])
def test_any_share_between_is_none(project: Project, sparsity: str) -> None:
    (step,) = pruning(targets(project, a=PLAIN.replace("0.5", sparsity)))
    assert step.options["sparsity"] == float(sparsity)


def test_a_plan_with_a_hook_can_look_into_the_store(project: Project, tmp_path: Path) -> None:
    from deployspec.build import Due, Store

    plan = targets(project, a=FINETUNED)
    ahead = foreseen_steps(parse_spec(project.spec), plan, Store(tmp_path / "store"))
    assert ahead == {step.id: Due(step=step.id) for step in plan.steps}
