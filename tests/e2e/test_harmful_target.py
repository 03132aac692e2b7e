"""Artifacts that are not what was lowered, and converters that fail: refused by their step, each with its reason.

One run checks a target for every harm, made by a plug-in that is found through its entry point.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from projects import SPEC, Project, register_harmful_target, write_project

if TYPE_CHECKING:
    from collections.abc import Mapping

REASONS = {
    "truncated": ("harmful.truncated@test", "it could not be run in a fresh process: BadZipFile: "),
    "emptied": ("harmful.emptied@test", "it could not be run in a fresh process: BadZipFile: "),
    "other-weights": ("harmful.other-weights@test", "reloaded from its bytes, it differs by "),
    "nan-weights": ("harmful.nan-weights@test", "output 'scores' has NaN or Inf once the artifact is reloaded"),
    "doubled": ("harmful.doubled@test", "reloaded, it gives 2 outputs where 1 were made"),
    "optimized": ("harmful.optimized@test", "it could not be run in a fresh process: RuntimeError: "),
    "raises": ("harmful.raises", "NotImplementedError: no kernel for aten::linear"),
    "killed": ("harmful.killed", "its worker was killed by SIGKILL (the system may have run out of memory)"),
}
"""For each harm the step that fails and the beginning of its reason."""


def target(harm: str) -> str:
    return f'[targets.{harm}]\nformat = "harmful"\nharm = "{harm}"\n'


@dataclass(frozen=True)
class Run:
    """A program that has ended."""

    code: int
    report: dict[str, Any]
    said: list[str]

    def target(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = next(each for each in self.report["targets"] if each["name"] == name)
        return found


def check(project: Project, environment: Mapping[str, str]) -> Run:
    command = [sys.executable, "-m", "deployspec", "check", "spec.toml", "--out", "out", "--format", "json"]
    ran = subprocess.run(command, cwd=project.folder, env=environment, capture_output=True, text=True, check=False)
    assert ran.stdout, ran.stderr
    return Run(ran.returncode, json.loads(ran.stdout), ran.stderr.splitlines())


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    targets = "".join(map(target, ["none", *REASONS]))
    return write_project(tmp_path_factory.mktemp("harmful"), SPEC.split("[targets.server]")[0] + targets)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return register_harmful_target(tmp_path_factory.mktemp("site")) | {
        "DEPLOYSPEC_STORE": str(tmp_path_factory.mktemp("empty") / "store")
    }


@pytest.fixture(scope="module")
def harmed(project: Project, environment: dict[str, str]) -> Run:
    return check(project, environment)


def test_a_build_step_that_fails_is_exit_4(harmed: Run) -> None:
    assert harmed.code == 4


@pytest.mark.parametrize("harm", REASONS)
def test_a_harmed_artifact_is_refused_with_its_reason(harmed: Run, harm: str) -> None:
    step, reason = REASONS[harm]
    (failed,) = [each for each in harmed.report["steps"] if each["id"] == step]
    assert failed["result"] == "failed"
    assert failed["reason"].startswith(reason)
    assert harmed.target(harm).get("artifact") is None, "it does not ship"
    assert step in harmed.target(harm)["failure"]


@pytest.mark.parametrize("harm", REASONS)
def test_the_log_of_a_failed_step_is_named_and_tells_more(harmed: Run, harm: str) -> None:
    step, _ = REASONS[harm]
    (line,) = [line for line in harmed.said if line.startswith(f"failed   {step}  ")]
    log = Path(line.rpartition("(log: ")[2].removesuffix(")"))
    assert log.is_file()
    if harm in ("raises", "killed"):
        assert f"lowering with {harm}" in log.read_text()


def test_a_target_beside_them_is_made_all_the_same(harmed: Run) -> None:
    assert harmed.target("none")["failure"] == ""
    assert harmed.target("none")["artifact"]["name"] == "tiny.ts.pt"
    verdicts = {each["target"]: each["verdict"] for each in harmed.report["verdicts"]}
    assert verdicts == dict.fromkeys(REASONS, "not_measured") | {"none": "pass"}


def test_once_it_is_mended_the_next_run_goes_on_from_there(
    harmed: Run, project: Project, environment: dict[str, str]
) -> None:
    before = project.spec.read_text()
    project.spec.write_text(before.split("[targets.truncated]")[0])
    try:
        mended = check(project, environment)
    finally:
        project.spec.write_text(before)
    assert mended.code == 0
    assert {line.split()[0] for line in mended.said if line.split()[0] != "time"} <= {"cached", "report:"}
