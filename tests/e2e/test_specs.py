"""Every spec of `specs/` as it stands: what it promises, holds."""

from __future__ import annotations

import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deployspec.ir.evidence import Count, EvidenceClass
from deployspec.verify import read_unverified

if TYPE_CHECKING:
    from deployspec.ir.report import Report

SPECS = Path(__file__).parents[2] / "specs"


def check(name: str, folder: Path) -> tuple[int, Report]:
    """Exit code and report of a check."""
    environment = os.environ | {"DEPLOYSPEC_STORE": str(folder / "store")}
    command = [sys.executable, "-m", "deployspec", "check", str(SPECS / name), "--out", str(folder / "out")]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode in (0, 1, 3), ran.stderr
    _, report = read_unverified((folder / "out" / "report.dsse.json").read_bytes())
    return ran.returncode, report


def sizes(report: Report) -> dict[str, Decimal]:
    return {
        each.target: each.statistic.value
        for each in report.measurements
        if each.name == "size" and isinstance(each.statistic, Count)
    }


def test_the_digits_are_released_to_five_formats_as_float_and_int8(tmp_path: Path) -> None:
    code, report = check("digits-all.toml", tmp_path)
    assert code == 0
    assert len(report.targets) == 10
    assert {each.evidence for each in report.verdicts if each.target == "ios" and each.budget != "size"} == {
        EvidenceClass.REFERENCE
    }


def test_an_evaluator_is_no_device(tmp_path: Path) -> None:
    text = (SPECS / "digits-all.toml").read_text().replace("[budgets]", '[evidence]\nquality = "device"\n\n[budgets]')
    strict = SPECS / f".strict-{os.getpid()}.toml"
    strict.write_text(text)
    environment = os.environ | {"DEPLOYSPEC_STORE": str(tmp_path / "store")}
    command = [
        sys.executable,
        "-m",
        "deployspec",
        "check",
        str(strict),
        "--target",
        "ios",
        "--out",
        str(tmp_path / "out"),
    ]
    try:
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    finally:
        strict.unlink()
    assert ran.returncode == 3, ran.stderr
    said = "the evidence is of class 'reference', the spec requires 'device'; the weaker figure: accuracy: 882 of 898"
    assert said in " ".join(ran.stdout.split())


def test_keras_is_released_without_torch(tmp_path: Path) -> None:
    code, report = check("keras-digits.toml", tmp_path)
    assert code == 0
    assert not [name for name, _ in report.tools if name in ("litert-torch", "torchao", "executorch")]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_pitch_is_released(tmp_path: Path) -> None:
    code, report = check("pitch.toml", tmp_path)
    assert code == 0
    assert sizes(report)["android-small"] < Decimal("0.55") * sizes(report)["android"]


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_a_net_of_real_size_is_made_into_every_format(tmp_path: Path) -> None:
    _, report = check("efficientnet.toml", tmp_path)
    assert [target.name for target in report.targets if target.artifact is None] == []
    bytes_of = sizes(report)
    for name in ("embedded", "android", "ios"):
        assert Decimal("0.2") < bytes_of[f"{name}-int8"] / bytes_of[name] < Decimal("0.33")
