"""What others put into their CI: the action's script runs, and the hook finds specs and policies."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from sample_reports import envelope, failing, passing

ROOT = Path(__file__).parents[3]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
STEPS = ACTION["runs"]["steps"]
(CHECK,) = (step for step in STEPS if step.get("id") == "check")

STANDS_IN = """#!/bin/sh
echo "$@" >> "$CALLS"
if [ "$1" = check ]; then
  test -z "${KEY:-}" || exit 99
  for word in "$@"; do case "$word" in *.pem) stat -c "mode %a" "$word" >> "$CALLS";; esac; done
  mkdir -p "$OUT" && cp "$RESULT" "$OUT/report.dsse.json"
  exit "$CODE"
fi
exec "$PYTHON" -m deployspec "$@"
"""
"""A `deployspec` whose check takes no time: it writes a report that is there, and exits as told."""


def run(folder: Path, code: int = 0, **inputs: str) -> tuple[int, dict[str, str], str]:
    """Exit code, outputs and summary of the step, with the calls that it made in `calls`."""
    program = folder / "bin" / "deployspec"
    program.parent.mkdir(exist_ok=True)
    program.write_text(STANDS_IN)
    program.chmod(0o755)
    report = folder / "made.json"
    report.write_bytes(envelope(passing() if code == 0 else failing()))
    given = {"SPEC": str(ROOT / "specs" / "digits.toml"), "OUT": str(folder / "out"), "STRICT": "false"}
    environment = os.environ | dict.fromkeys(CHECK["env"], "") | given | inputs
    environment |= {
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "CALLS": str(folder / "calls"),
        "CODE": str(code),
        "RESULT": str(report),
        "PYTHON": sys.executable,
        "GITHUB_OUTPUT": str(folder / "outputs"),
        "GITHUB_STEP_SUMMARY": str(folder / "summary"),
    }
    ran = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", CHECK["run"]],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    outputs = dict(line.split("=", 1) for line in (folder / "outputs").read_text().splitlines())
    summary = (folder / "summary").read_text() if (folder / "summary").exists() else ""
    return ran.returncode, outputs, summary + ran.stdout


def test_a_release_says_so_everywhere(tmp_path: Path) -> None:
    code, outputs, said = run(tmp_path, TARGETS="android server", STRICT="true")
    assert (code, outputs["exit-code"]) == (0, "0")
    assert outputs["report"] == f"{tmp_path}/out/report.dsse.json"
    assert "## RELEASED" in said
    assert "::notice title=deployspec::RELEASED" in said
    assert (tmp_path / "out" / "junit.xml").read_text().startswith("<testsuites ")
    assert "--target android --target server --strict" in (tmp_path / "calls").read_text()


@pytest.mark.parametrize("code", [1, 3, 4])
def test_the_jobs_exit_code_is_that_of_the_check(tmp_path: Path, code: int) -> None:
    got, outputs, said = run(tmp_path, code)
    assert (got, outputs["exit-code"]) == (code, str(code))
    assert "::error title=android recall.rare" in said


def test_a_spec_with_a_fault_is_annotated_and_not_checked(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("deployspec = 9")
    code, outputs, said = run(tmp_path, SPEC="bad.toml")
    assert (code, outputs) == (2, {"exit-code": "2"})
    assert "::error file=bad.toml" in said
    assert "check" not in (tmp_path / "calls").read_text()


def test_the_key_reaches_the_signer_as_a_file_that_is_gone_afterwards(tmp_path: Path) -> None:
    code, _, _ = run(tmp_path, KEY="-----BEGIN", TMPDIR=str(tmp_path))
    assert code == 0
    (path,) = re.findall(r"--key (\S+)", (tmp_path / "calls").read_text())
    assert not Path(path).parent.exists()
    assert "mode 600\n" in (tmp_path / "calls").read_text()


def test_a_regression_fails_a_job_whose_budgets_all_hold(tmp_path: Path) -> None:
    report = passing()
    promised_more = replace(report, targets=(*report.targets, replace(report.targets[0], name="watch")))
    (tmp_path / "old.json").write_bytes(envelope(promised_more))
    code, outputs, said = run(tmp_path, BASELINE=str(tmp_path / "old.json"))
    assert (code, outputs["exit-code"]) == (1, "1")
    assert "1 regression" in said


def test_a_baseline_that_is_not_there_is_said_before_anything_is_checked(tmp_path: Path) -> None:
    code, outputs, said = run(tmp_path, BASELINE=str(tmp_path / "released"))
    assert (code, outputs) == (2, {"exit-code": "2"})
    assert "there is no baseline" in said
    assert "worse than" not in said
    assert not (tmp_path / "calls").exists()


def test_a_baseline_that_cannot_be_read_is_not_called_better(tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text("{}")
    code, _, said = run(tmp_path, BASELINE=str(tmp_path / "old.json"))
    assert code == 2
    assert "cannot be compared with" in said


def test_nothing_that_a_stranger_writes_becomes_code() -> None:
    """Inputs reach a script by its environment: `${{ }}` in a script would be text of it."""
    assert [step["name"] for step in STEPS if "${{" in step.get("run", "")] == []


def test_every_input_is_used_and_there() -> None:
    used = set(re.findall(r"inputs\.([\w-]+)", (ROOT / "action.yml").read_text()))
    assert used == set(ACTION["inputs"])


def test_the_hook_finds_specs_and_policies() -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    for path in ("deployspec.toml", "a/deployspec.toml", "specs/x.toml", "policy.toml", "release/trust.toml"):
        assert re.search(hook["files"], path)
    for path in ("pyproject.toml", "network-policy.toml"):
        assert not re.search(hook["files"], path)
    assert hook["entry"] == "deployspec validate"
