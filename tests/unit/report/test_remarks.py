"""What a report says beside its verdicts of the splits that they were taken on."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from shutil import copy
from typing import TYPE_CHECKING

import pytest
from projects import write_project
from sample_reports import measured

from deployspec.ir.artifact import Done, Failed
from deployspec.ir.evidence import Count, Processes
from deployspec.parse import parse_spec
from deployspec.plan import make_plan
from deployspec.report.remarks import remarks

if TYPE_CHECKING:
    from pathlib import Path

    from deployspec.ir.artifact import StepResult
    from deployspec.ir.evidence import Measurement
    from deployspec.ir.plan import Plan
    from deployspec.ir.spec import Spec

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


def checked(folder: Path, *changes: tuple[str, str]) -> tuple[Spec, Plan, dict[str, StepResult]]:
    """A spec and its plan, of which each step was done."""
    project = write_project(folder / "project")
    copy(project.folder / "test.npz", project.folder / "train.npz")
    project.edit(*changes)
    spec = parse_spec(project.spec)
    plan = make_plan(spec)
    facts = {"out_of_range": 0}
    return spec, plan, {
        step.id: Done(step=step.id, folder=folder, sha256="", cached=False, seconds=1, facts=facts)
        for step in plan.steps
    }  # fmt: skip


def test_of_a_targets_figures_the_one_that_was_disturbed_most_is_told(tmp_path: Path) -> None:
    figures = (marked("latency.p50", 1), marked("latency.p99", 5), marked("load", 2))
    untold = (marked("memory_peak", 6), marked("latency.max", 6), marked("latency.p50", 0, target="quiet"))
    told = [each for each in remarks(*checked(tmp_path), (*figures, *untold)) if "disturbed" in each]
    assert told == ["t: the machine disturbed 5 of 6 processes timed for latency_p99"]


@pytest.mark.parametrize(
    ("budgets", "told"),
    [
        ('latency_p95 = "< 5 ms"', "server: the machine disturbed 2 of 6 processes timed for latency_p95"),
        (
            'latency_p50 = "< 5 ms"\nlatency_p95 = "< 5 ms"',
            "server: the machine disturbed 3 of 6 processes timed for latency_p50",
        ),
        ('load_p50 = "< 5 ms"', "server: the machine disturbed 6 of 6 processes timed for load_p50"),
        ('size = "< 1 MB"', "server: the machine disturbed 6 of 6 processes timed for load_p50"),
        ('first_call_p50 = "< 5 ms"', None),
    ],
    ids=["one", "the worst of two", "load", "no timing", "a quiet one"],
)
def test_what_the_machine_disturbed_is_told_of_a_figure_that_the_spec_limits(
    tmp_path: Path, budgets: str, told: str | None
) -> None:
    figures = [
        marked(name, contended, target="server")
        for name, contended in {"latency.p50": 3, "latency.p95": 2, "load": 6, "first_call": 0}.items()
    ]
    found = remarks(*checked(tmp_path, ('size = "< 1 MB"', budgets)), figures)
    assert [each for each in found if "disturbed" in each] == ([told] if told else [])


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


def test_steps_that_failed_are_told_and_not_those_that_waited_for_them(tmp_path: Path) -> None:
    spec, plan, results = checked(tmp_path)
    results["data.test"] = Failed(step="data.test", reason="no y")
    results["reference@test"] = Failed(step="reference@test", reason="it needs it", blocked_by="data.test")
    assert remarks(spec, plan, results, ())[0] == "step 'data.test' failed: no y"
    assert not any("reference@test" in each for each in remarks(spec, plan, results, ()))


def test_values_outside_the_declared_range_are_told_of_a_split_that_is_only_compared_too(tmp_path: Path) -> None:
    spec, plan, results = checked(tmp_path, ('test = "test.npz"', 'train = "train.npz"\ntest = "test.npz"'))
    assert "data.train" not in results
    train = results["digests.train"]
    assert isinstance(train, Done)
    results["digests.train"] = replace(train, facts={"out_of_range": 3, "samples": 60})
    told = [each for each in remarks(spec, plan, results, ()) if "outside" in each]
    assert told == ["data.train: 3 of 60 samples have values outside the declared range"]


@pytest.mark.parametrize(("uses", "told"), [(2, False), (3, True)])
def test_a_split_that_has_judged_others_before_is_told(tmp_path: Path, uses: int, told: bool) -> None:
    count = Count(value=Decimal(uses))
    figures = [replace(measured(target, "split_uses", count), split="test") for target in ("a", "b")]
    found = [each for each in remarks(*checked(tmp_path), figures) if "judged" in each]
    assert [each.split(";")[0] for each in found] == (
        ["test: this split has judged 3 candidates so far, 2 of them now"] if told else []
    )


def test_contention_is_told_of_energy_too(tmp_path: Path) -> None:
    told = [each for each in remarks(*checked(tmp_path), [marked("energy", 4)]) if "disturbed" in each]
    assert told == ["t: the machine disturbed 4 of 6 processes timed for energy"]
