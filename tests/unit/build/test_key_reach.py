"""Whose code is in the keys of the steps that a spec can ask for: a figure's wording is in none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from projects import write_project

import deployspec
from deployspec.build.keys import code_files
from deployspec.ir.plan import Action, Step
from deployspec.parse import parse_spec
from deployspec.plan import make_plan
from deployspec.registry import Family, load, names

if TYPE_CHECKING:
    from collections.abc import Iterator

DATA = """\
train = "train.npz"
calibration = "calibration.npz"
field = "field.npz"

[metrics.wer]
source = "metrics.py:wer"
better = "lower"

[budgets]
stable = true
churn = "< 1 pp"
near_duplicates = "< 1 %"
drift_psi = "< 0.2"
wer_rise = "< 3 %"
"""


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> tuple[Step, ...]:
    """The plan of a spec with every split and a budget on every kind of figure that asks for steps of its own."""
    project = write_project(tmp_path_factory.mktemp("reach") / "project")
    project.write("metrics.py", "def wer(outputs, targets): ...\n")
    for split in ("train", "calibration", "field"):
        project.save(f"{split}.npz", x=np.zeros((8, 4), np.float32), y=np.zeros(8, int))
    project.edit(("\n[budgets]\n", DATA))
    return make_plan(parse_spec(project.spec)).steps


def lowered(step: Step) -> Iterator[Step]:
    """`step` as every lowering of every format and pass, its options naming all runners and inspectors."""
    targets = [load(Family.TARGETS, name)() for name in names(Family.TARGETS)]
    passes = [way for name in names(Family.PASSES) for way in load(Family.PASSES, name).ways(["int8"])]
    asked = [each for target in targets for each in (target.runner(), target.inspector().asks)]
    runners = [runner.script for runner in asked if runner]
    options = {"runners": runners, "inspectors": [target.inspector().function for target in targets]}
    for plugin in (*targets, *passes):
        yield from (replace(step, function=each.function, options=options) for each in plugin.lowerings())


def test_no_budget_is_in_the_key_of_any_step(steps: tuple[Step, ...]) -> None:
    home = Path(deployspec.__file__).parent
    assert {step.action for step in steps} == set(Action), "a kind of step is not looked at"
    told = {home / "ir" / "budget.py", home / "ir" / "spec.py", home / "units.py"}
    reaching = {step.function for step in (*steps, *lowered(steps[0])) if told & code_files(step)}
    assert reaching == set()


def test_what_a_step_is_told_of_the_model_is_in_its_key(steps: tuple[Step, ...]) -> None:
    converted = next(step for step in steps if step.action is Action.CONVERT)
    assert Path(deployspec.__file__).parent / "ir" / "model.py" in code_files(converted)


def test_our_code_that_a_plug_in_calls_is_in_its_key(
    steps: tuple[Step, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "reaching_plugin.py").write_text("from deployspec.formats.macs import count\nimport json\n")
    files = code_files(replace(steps[0], function="reaching_plugin:lower", options={}))
    assert Path(deployspec.__file__).parent / "formats" / "macs.py" in files
    assert not any(file.parent.name == "json" for file in files), "versions stand for what others wrote"


def test_a_plug_in_s_module_without_a_package_is_in_its_key(
    steps: tuple[Step, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    module = tmp_path / "undotted_plugin.py"
    module.write_text("x = 1\n")
    asks: list[dict[str, Any]] = [
        {"inspector": "undotted_plugin:inspect"},
        {"runner": {"script": "undotted_plugin"}},
        {"runner": {"script": "x", "needs": ["undotted_plugin"]}},
        {"runners": [{"function": "undotted_plugin:run"}]},
    ]
    assert [module in code_files(replace(steps[0], options=each)) for each in asks] == [True] * len(asks)
    assert module not in code_files(replace(steps[0], options={"method": "undotted_plugin"}))
