"""What a bad spec gets, to the letter: each folder of `spec_faults/` is one kind of fault.

A folder holds spec.toml (and what it names) and stderr.txt. `pytest tests/golden --update-golden` rewrites the latter.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from deployspec.cli import group

CASES = sorted(path.parent for path in (Path(__file__).parent / "spec_faults").glob("*/spec.toml"))


@pytest.fixture
def here(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the case, so that its own folder is the project."""
    folder = tmp_path / "case"
    shutil.copytree(request.param, folder, symlinks=True)
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("here", CASES, ids=lambda case: case.name, indirect=True)
def test_a_bad_spec_gets_exactly_this(here: Path, request: pytest.FixtureRequest, update_golden: bool) -> None:
    outcome = CliRunner().invoke(group, ["validate", "spec.toml"])
    assert outcome.exit_code == 2
    assert outcome.stdout == ""
    expected = CASES[[case.name for case in CASES].index(request.node.callspec.id)] / "stderr.txt"
    if update_golden:
        expected.write_text(outcome.stderr)
    assert outcome.stderr == expected.read_text()


@pytest.mark.parametrize("here", [case for case in CASES if case.name == "everything-at-once"], indirect=True)
def test_the_program_says_the_same(here: Path) -> None:
    command = [sys.executable, "-c", "from deployspec.cli import main; main()", "validate", "spec.toml"]
    ran = subprocess.run(command, cwd=here, capture_output=True, text=True, check=False)
    expected = next(case for case in CASES if case.name == "everything-at-once") / "stderr.txt"
    assert (ran.returncode, ran.stdout, ran.stderr) == (2, "", expected.read_text())


def test_the_cases_of_faulty_specs_were_found() -> None:
    assert len(CASES) > 50
