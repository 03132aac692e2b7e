"""What is not installed is said before anything runs, at the place in the spec that needs it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from projects import write_project

from deployspec.errors import SpecFaults
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
