"""Ratios of time: each artifact beside its own baseline, in the same process, one figure a process."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from programs import deployspec
from projects import SPEC, write_project

if TYPE_CHECKING:
    from pathlib import Path

TARGETS = """\
[targets.server]
format = "torchscript"

[targets.phone]
format = "tflite"
passes = [{ pass = "quantize", scheme = "int8-dynamic" }]
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder: Path = tmp_path_factory.mktemp("reductions")
    spec = SPEC.split("[targets.server]")[0].replace('size = "< 1 MB"', 'latency_reduction = ">= 1 %"') + TARGETS
    project = write_project(folder, spec)
    ran = deployspec(
        "check", str(project.spec), "--out", str(folder / "out"), "--format", "json",
        DEPLOYSPEC_STORE=str(folder / "store"),
    )  # fmt: skip
    assert ran.code in (0, 1, 3), ran.said
    found: dict[str, Any] = json.loads(ran.out)
    return found


@pytest.mark.parametrize("target", ["server", "phone"])
def test_a_reduction_is_measured_in_every_process(report: dict[str, Any], target: str) -> None:
    (statistic,) = [
        each["statistic"] for each in report["measurements"]
        if (each["target"], each["name"]) == (target, "latency_reduction")
    ]  # fmt: skip
    assert statistic["kind"] == "processes", statistic
    values = [Decimal(value) for value in statistic["values"]]
    assert len(values) in (6, 12, 24)
    assert len(set(values)) > 1, "they were measured, each by itself"
    assert all(-10 < value < 1 for value in values)


def test_the_baseline_of_a_file_is_built_and_held_to_its_contract_too(report: dict[str, Any]) -> None:
    results = {each["id"]: each["result"] for each in report["steps"]}
    assert results["tflite.float32"] == results["tflite.float32@contract"] == "built"


def test_every_ratio_has_its_verdict(report: dict[str, Any]) -> None:
    verdicts = {each["target"]: each for each in report["verdicts"]}
    assert set(verdicts) == {"server", "phone"}
    assert {each["budget"] for each in verdicts.values()} == {"latency_reduction"}
    assert "not_measured" not in {each["verdict"] for each in verdicts.values()}
