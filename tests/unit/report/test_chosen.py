"""What a report tells of the choices that its figures rest on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from projects import write_project

from deployspec.ir.artifact import Failed
from deployspec.parse import parse_spec
from deployspec.plan import make_plan
from deployspec.report.chosen import chosen
from deployspec.report.remarks import remarks

if TYPE_CHECKING:
    from pathlib import Path

VALUES = ('kind = "classification"\nlabels = ["low", "middle", "high"]', 'kind = "regression"\ntolerance = 0.06')
THREE = 'kind = "classification"\nlabels = ["low", "middle", "high"]'
TWO = 'kind = "binary"\nlabels = ["no", "yes"]\npositive = "yes"\nthreshold = '
SIZE, SHAPE, FORMAT = 'size = "< 1 MB"', 'shape = ["batch", 4]', 'format = "torchscript"'
NARROW = (SHAPE, f"{SHAPE}\nrange = [-1e-30, 1e-30]")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ((), []),
        (((SIZE, 'agreement = ">= 98 %"'),), []),
        (
            (VALUES, (SIZE, 'agreement = ">= 98 %"')),
            ["task: values agree that differ by at most 6 % of the reference's spread, usual is 1 %"],
        ),
        ((VALUES,), []),
        (((THREE, TWO + "0.9"),), ["task: a class is decided for at a probability of 0.9, usual is 0.5"]),
        (((THREE, TWO + "0.5"),), []),
        (
            ((FORMAT, f'{FORMAT}\nsustained = "1 s"'), (SIZE, 'sustained_slowdown = "< 10 %"')),
            ["server: a sustained run lasts 1 s, usual are 120"],
        ),
        (((FORMAT, f'{FORMAT}\nsustained = "1 s"'),), []),
        (
            (NARROW, (SIZE, 'stable = true\nchurn = "< 5 pp"')),
            ["input 'x': no sample of churn and stable leaves the declared range, -1e-30 to 1e-30"],
        ),
        ((NARROW,), []),
    ],
    ids=[
        "nothing",
        "classes",
        "tolerance",
        "no agreement",
        "threshold",
        "the usual threshold",
        "sustained",
        "no sustained run",
        "range",
        "nothing drawn",
    ],
)
def test_a_choice_is_told_where_a_figure_rests_on_it(
    tmp_path: Path, changes: tuple[tuple[str, str], ...], told: list[str]
) -> None:
    project = write_project(tmp_path)
    project.edit(*changes)
    assert list(chosen(parse_spec(project.spec))) == told


def test_it_is_among_the_remarks_of_a_check(tmp_path: Path) -> None:
    project = write_project(tmp_path)
    project.edit((THREE, TWO + "0.9"))
    spec = parse_spec(project.spec)
    plan = make_plan(spec)
    failed = {step.id: Failed(step=step.id, reason="no disk") for step in plan.steps}
    assert set(chosen(spec)) < set(remarks(spec, plan, failed, ()))
