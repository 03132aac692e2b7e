"""What is not installed is said before anything runs, at the place in the spec that needs it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from projects import write_project

from deployspec.errors import SpecFaults
from deployspec.ir.plan import Toolchain
from deployspec.parse import parse_spec
from deployspec.plan import make_plan
from deployspec.preflight import refuse_missing_extras

if TYPE_CHECKING:
    from pathlib import Path


def test_a_budget_on_likeness_names_the_extra_that_searches(tmp_path: Path) -> None:
    project = write_project(tmp_path)
    asked = '[budgets]\nnear_duplicates = "< 1 %"\n'
    project.edit(("[budgets]\n", asked), ("[data]\n", '[data]\ntrain = "train.npz"\n'))
    spec = parse_spec(project.spec)
    plan = make_plan(spec)
    refuse_missing_extras(spec, plan)
    absent = [
        replace(step, toolchain=replace(step.toolchain, distributions=("no-such-distribution",)))
        if step.id == "near_duplicates.test"
        else step
        for step in plan.steps
    ]
    with pytest.raises(SpecFaults) as refused:
        refuse_missing_extras(spec, replace(plan, steps=tuple(absent)))
    (fault,) = refused.value.faults
    assert (fault.code, fault.path) == ("missing-extra", ("budgets", "near_duplicates"))
    assert fault.message == "'near_duplicates' needs the extra 'hygiene', which is not installed"
    assert fault.help == "pip install 'deployspec[hygiene]'"


def test_a_format_whose_toolchain_has_no_extra_names_what_is_not_installed(tmp_path: Path) -> None:
    spec = parse_spec(write_project(tmp_path).spec)
    plan = make_plan(spec)
    tools = Toolchain(name="odd", distributions=("no-such-thing", "nor-this"))
    with pytest.raises(SpecFaults) as refused:
        refuse_missing_extras(spec, replace(plan, steps=tuple(replace(step, toolchain=tools) for step in plan.steps)))
    (fault,) = refused.value.faults
    assert str(refused.value) == f"1 fault in the spec: {fault.message}"
    assert fault.message == "format 'torchscript' needs no-such-thing and nor-this, which are not installed"
    assert fault.help == "pip install no-such-thing nor-this"
