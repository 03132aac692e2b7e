"""Artifacts that keep the contract on ordinary samples and misbehave elsewhere: built, run, and not released.

One run checks a target for every trouble, made by a plug-in that is found through its entry point.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from projects import SPEC, register_harmful_target, write_project

if TYPE_CHECKING:
    from pathlib import Path

REASONS = {
    "hot": "it answers with NaN or Inf in 4 of 32 calls, first: x all 1: NaN or Inf; the reference does not",
    "forgetful": "it answers otherwise when it is asked again in 16 of 16 calls, first: x all -1: another answer the",
    "moody": "it answers otherwise in another process in 8 of 8 calls, first: x all -1: another answer in another",
    "picky": "it does not answer in 4 of 32 calls, first: zeros: ValueError: nothing; the reference does not",
    "fragile": "it does not answer in 2 of 8 calls, first: denormals: killed by SIGSEGV; the reference does not",
    "crowded": "it answers in another shape or dtype in 12 of ",
    "wide": "it answers in another shape or dtype in 4 of 32 calls, first: zeros: float64[1, 3] where float32[1, 3] is",
}
"""For each trouble the beginning of what is said of it."""


@dataclass(frozen=True)
class Run:
    """A program that has ended."""

    code: int
    report: dict[str, Any]

    def verdict(self, target: str, budget: str) -> dict[str, Any]:
        found = [each for each in self.report["verdicts"] if (each["target"], each["budget"]) == (target, budget)]
        (verdict,) = found
        return dict(verdict)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    budgets = 'stable = true\nchurn = "< 20 pp"'
    head = SPEC.split("[targets.server]")[0].replace('size = "< 1 MB"', budgets)
    batches = {"crowded": "batch_max = 4\n"}
    targets = "".join(
        f'[targets.{trouble}]\nformat = "unsteady"\ntrouble = "{trouble}"\n{batches.get(trouble, "")}'
        for trouble in ("none", "nervous", *REASONS)
    )
    project = write_project(tmp_path_factory.mktemp("unsteady") / "project", head + targets)
    project.edit(
        ('shape = ["batch", 4]', 'shape = ["batch", 4]\nrange = [-1, 1]'),
        ('test = "test.npz"', 'calibration = "calibration.npz"\ntest = "test.npz"'),
    )
    whole = np.random.default_rng(0).integers(-63, 64, (120, 4)).astype(np.float32) / 64
    project.save("calibration.npz", x=whole[:60])
    project.save("test.npz", x=whole[60:], y=np.arange(60) % 3)
    store = tmp_path_factory.mktemp("empty") / "store"
    environment = register_harmful_target(tmp_path_factory.mktemp("site")) | {"DEPLOYSPEC_STORE": str(store)}
    return check(project.folder, environment)


def check(folder: Path, environment: dict[str, str]) -> Run:
    command = [sys.executable, "-m", "deployspec", "check", "spec.toml", "--out", "out", "--format", "json"]
    ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert ran.stdout, ran.stderr
    return Run(ran.returncode, json.loads(ran.stdout))


def test_a_failed_budget_is_exit_1_and_every_artifact_is_there(run: Run) -> None:
    assert run.code == 1
    assert {each["name"] for each in run.report["targets"] if each["artifact"]} == {"none", "nervous", *REASONS}
    assert not [step for step in run.report["steps"] if step["result"] == "failed"], "a crash is no dead program"


@pytest.mark.parametrize("trouble", REASONS)
def test_an_unsteady_artifact_fails_and_the_reason_tells_where(run: Run, trouble: str) -> None:
    found = run.verdict(trouble, "stable")
    assert found["verdict"] == "fail"
    assert found["reason"].startswith(f"stable: {REASONS[trouble]}")


@pytest.mark.parametrize("trouble", REASONS)
def test_a_broken_promise_is_a_finding(run: Run, trouble: str) -> None:
    lines = [line for line in run.report["findings"] if line.startswith(f"unsteady.{trouble}@cases: broke ")]
    assert len(lines) == 1


def test_a_steady_one_beside_them_passes(run: Run) -> None:
    for target in ("none", "nervous"):
        assert run.verdict(target, "stable")["verdict"] == "pass"
    assert run.verdict("none", "churn")["verdict"] == "pass"


def test_one_that_decides_otherwise_under_noise_fails(run: Run) -> None:
    found = run.verdict("nervous", "churn")
    assert found["verdict"] == "fail"
    assert float(found["estimate"]) > 0.5


def test_the_largest_difference_stands_beside_the_agreement(run: Run) -> None:
    figures = {(each["target"], each["name"]): each["statistic"] for each in run.report["measurements"]}
    assert float(figures["none", "difference"]["value"]) < 1e-6
    assert 1e-6 < float(figures["forgetful", "difference"]["value"]) < 1e-2
