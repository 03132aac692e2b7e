"""What a report says beside its verdicts of the splits that they were taken on."""

from __future__ import annotations

from decimal import Decimal
from shutil import copy
from typing import TYPE_CHECKING

import pytest
from projects import write_project
from sample_reports import measured

from deployspec.ir.artifact import Done
from deployspec.ir.evidence import Processes
from deployspec.parse import parse_spec
from deployspec.plan import make_plan
from deployspec.report.remarks import remarks

if TYPE_CHECKING:
    from pathlib import Path

    from deployspec.ir.evidence import Measurement

SPLITS = 'train = "train.npz"\ncalibration = "calibration.npz"\n'


def found(folder: Path, budgets: str, *, splits: str = SPLITS) -> list[str]:
    """The remarks on near-duplicates, where each step of a check by these budgets was done."""
    project = write_project(folder)
    project.edit(('size = "< 1 MB"', budgets), ('test = "test.npz"', f'{splits}test = "test.npz"'))
    for split in ("train", "calibration", "field"):
        copy(folder / "test.npz", folder / f"{split}.npz")
    spec = parse_spec(project.spec)
    plan = make_plan(spec)
    results = {
        step.id: Done(step=step.id, folder=folder, sha256="", cached=False, seconds=1, facts={"out_of_range": 0})
        for step in plan.steps
    }
    return [each for each in remarks(spec, plan, results, ()) if "near-duplicates" in each]


ACCURACY, FIELD, SEARCH = 'accuracy = ">= 50 %"\n', 'field.agreement = ">= 50 %"\n', 'near_duplicates = "<= 1 %"\n'
TOLD = "near-duplicates among train, calibration were not looked for; a budget on near_duplicates does"


def marked(name: str, contended: int, target: str = "t") -> Measurement:
    """A figure of six processes, the first of them disturbed."""
    values = (Decimal(1),) * 6
    disturbed = tuple(number < contended for number in range(6))
    return measured(target, name, Processes(values=values, calls=100, contended=disturbed))


def test_of_a_targets_figures_the_one_that_was_disturbed_most_is_told(tmp_path: Path) -> None:
    project = write_project(tmp_path / "project")
    spec = parse_spec(project.spec)
    plan = make_plan(spec)
    facts = {"out_of_range": 0}
    results = {
        step.id: Done(step=step.id, folder=tmp_path, sha256="", cached=False, seconds=1, facts=facts)
        for step in plan.steps
    }
    figures = (marked("latency.p50", 1), marked("latency.p99", 5), marked("load", 2))
    untold = (marked("memory_peak", 6), marked("latency.max", 6), marked("latency.p50", 0, target="quiet"))
    told = [each for each in remarks(spec, plan, results, (*figures, *untold)) if "disturbed" in each]
    assert told == ["t: the machine disturbed 5 of 6 processes timed for latency_p99"]


@pytest.mark.parametrize(
    ("budgets", "splits", "told"),
    [
        (ACCURACY, SPLITS, [f"test: {TOLD}"]),
        (ACCURACY + FIELD, SPLITS + 'field = "field.npz"\n', [f"test: {TOLD}", f"field: {TOLD}"]),
        (ACCURACY + FIELD + SEARCH, SPLITS + 'field = "field.npz"\n', [f"field: {TOLD}"]),
        (ACCURACY + SEARCH, SPLITS, []),
        ('size = "< 1 MB"\nleakage = "<= 0 %"\n', SPLITS, []),
        ("stable = true\n", SPLITS, []),
        (ACCURACY, "", []),
        (ACCURACY, 'field = "field.npz"\n', []),
    ],
    ids=[
        "test",
        "both",
        "the other",
        "looked for",
        "no quality",
        "no samples",
        "no other split",
        "no split that is not judged",
    ],
)
def test_near_duplicates_that_nobody_looked_for_are_told(
    tmp_path: Path, budgets: str, splits: str, told: list[str]
) -> None:
    assert found(tmp_path, budgets, splits=splits) == told
