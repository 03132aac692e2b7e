"""Data that proves less than it seems to: found, shown, left out of the figures, and judged where a budget asks."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import pytest
from programs import deployspec
from projects import NET, write_project

from deployspec.ir.evidence import Classified
from deployspec.report.consistency import contradictions
from deployspec.verify import read_unverified

if TYPE_CHECKING:
    from pathlib import Path

    from programs import Ran
    from projects import Project

    from deployspec.ir.report import Report

BUDGETS = """\
[budgets]
accuracy = ">= 1 %"
agreement = ">= 90 %"
leakage = "<= 0 %"
"""


def check(project: Project) -> tuple[Ran, Report]:
    out = project.folder / "out"
    ran = deployspec("check", str(project.spec), "--out", str(out), DEPLOYSPEC_STORE=str(project.folder / "store"))
    assert ran.code in (0, 1, 3), ran.said
    return ran, read_unverified((out / "report.dsse.json").read_bytes())[1]


@pytest.fixture
def shared(tmp_path: Path) -> Project:
    """Twelve of the sixty test samples stand in the training split too."""
    project = write_project(tmp_path)
    project.edit(
        ('[budgets]\nsize = "< 1 MB"\n', BUDGETS), ('test = "test.npz"', 'train = "train.npz"\ntest = "test.npz"')
    )
    test = np.load(project.folder / "test.npz")["x"]
    own = np.random.default_rng(1).standard_normal((100, 4), np.float32)
    project.save("train.npz", x=np.concatenate([own, test[20:32]]))
    return project


def test_shared_samples_are_shown_and_left_out_and_the_budget_on_them_fails(shared: Project) -> None:
    ran, report = check(shared)
    assert ran.code == 1
    found = {each.budget: each for each in report.verdicts}
    assert (found["leakage"].verdict, found["leakage"].estimate) == ("fail", Decimal("0.2"))
    assert found["leakage"].reason == "leakage: 12 of 60, the ceiling is 0 %"
    assert (found["agreement"].verdict, found["agreement"].n) == ("pass", 48)
    (table,) = [each.statistic for each in report.measurements if each.name == "quality"]
    assert isinstance(table, Classified)
    assert (table.n, table.excluded) == (48, 12)
    told = "hygiene.test: 12 of 60 samples also stand in train (12), and no quality figure counts them: "
    assert told + "test:20 ↔ train:100, test:21 ↔ train:101, " in " ".join(ran.out.split())


EVERYTHING = """\
[budgets]
agreement = ">= 95 %"
leakage = "<= 0 %"
near_duplicates = "< 1 %"
drift_psi = "< 0.2"
split_uses = "<= 1"
"""


def test_likeness_drift_and_use_of_the_data_are_judged(tmp_path: Path) -> None:
    """Of sixty test samples ten have a likeness in the training split; the field's second feature has moved."""
    project = write_project(tmp_path)
    data = '[data]\ntrain = "train.npz"\nfield = "field.npz"\n'
    project.edit(('[budgets]\nsize = "< 1 MB"\n', EVERYTHING), ("[data]\n", data))
    generator, test = np.random.default_rng(1), np.load(project.folder / "test.npz")["x"]
    own = generator.standard_normal((100, 4), np.float32)
    project.save("train.npz", x=np.concatenate([own, test[30:40] * np.float32(1.0001)]))
    moved = np.array([0, 1.5, 0, 0], np.float32)
    project.save("field.npz", x=generator.standard_normal((300, 4), np.float32) + moved, y=np.zeros(300, np.int64))

    ran, report = check(project)
    found = {each.budget: each for each in report.verdicts}
    assert ran.code == 1
    assert {name: each.verdict.value for name, each in found.items()} == {
        "agreement": "inconclusive",
        "leakage": "pass",
        "near_duplicates": "fail",
        "drift_psi": "fail",
        "split_uses": "pass",
    }
    assert found["near_duplicates"].reason == "near duplicates: 10 of 60, the ceiling is 1 %"
    assert ", without near-duplicates inconclusive (50 of 50" in found["agreement"].reason
    assert "in 'x[1]', where 60 and 300 samples have an index of" in found["drift_psi"].reason
    told = " ".join(ran.out.split())
    assert "10 of 60 samples have a near-duplicate in train, the closest first: test:" in told
    assert "drift.field: the inputs differ from those of the test split in x[1] (PSI " in told
    assert contradictions(report) == ()

    project.write("net.py", NET.replace("manual_seed(0)", "manual_seed(1)"))
    for candidates in (2, 2):
        ran, report = check(project)
        uses = next(each for each in report.verdicts if each.budget == "split_uses")
        assert (uses.verdict, uses.estimate) == ("fail", candidates)
        assert "test: this split has judged 2 candidates so far, 1 of them now" in " ".join(ran.out.split())
