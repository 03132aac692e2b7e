"""A spec without data: what needs none is measured all the same, and the contract is held with drawn inputs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from programs import deployspec
from projects import SPEC, write_project

if TYPE_CHECKING:
    from pathlib import Path

BUDGETS = """\
size = "< 1 MB"
size_reduction = ">= -100000 %"
latency_p50 = "< 1 s"
load_p50 = "< 10 s"
memory_peak = "< 1 GB"
"""


def test_size_time_and_memory_are_judged_without_data(tmp_path: Path) -> None:
    before, _, _ = SPEC.partition("[task]")
    _, _, after = SPEC.partition('[budgets]\nsize = "< 1 MB"\n')
    project = write_project(tmp_path / "project", f"{before}[budgets]\n{BUDGETS}{after}")
    ran = deployspec(
        "check", str(project.spec), "--out", str(tmp_path / "out"), "--format", "json",
        DEPLOYSPEC_STORE=str(tmp_path / "store"),
    )  # fmt: skip
    assert ran.code == 0, ran.said
    report = json.loads(ran.out)
    assert {each["budget"]: each["verdict"] for each in report["verdicts"]} == dict.fromkeys(
        [line.split()[0] for line in BUDGETS.splitlines()], "pass"
    )
    assert [each["id"] for each in report["steps"]] == [
        "reference", "torchscript.float32", "torchscript.float32@structure", "torchscript.float32@contract"
    ]  # fmt: skip
    (reduction,) = [each["statistic"] for each in report["measurements"] if each["name"] == "size_reduction"]
    assert reduction["before"] == "60", "4 x 3 weights and 3 biases of 4 bytes"
