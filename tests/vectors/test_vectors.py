"""Every vector, through the command line."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from vectors import make, run, vector

from deployspec.cli import main

if TYPE_CHECKING:
    from collections.abc import Mapping

HERE = Path(__file__).parent
FOLDERS = sorted(path.parent for path in HERE.glob("*/args"))


def kept(folder: Path) -> Mapping[str, bytes]:
    """Every file that is no link."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def links(folder: Path) -> Mapping[str, str]:
    found = (path for path in folder.rglob("*") if path.is_symlink())
    return {path.relative_to(folder).as_posix(): str(path.readlink()) for path in found}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_outcome_is_the_one_in_its_name(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(SystemExit) as exit_:
        main([*Path("args").read_text().splitlines(), "--format", "json"])
    assert exit_.value.code == int(Path("exit").read_text())
    assert not Path("was-executed").exists()
    if exit_.value.code == vector.WRONG:
        assert capsys.readouterr().out == ""
        return
    outcome = json.loads(capsys.readouterr().out)
    refused = {step["name"] for step in outcome["steps"] if step["state"] == "refused"}
    assert outcome["exitCode"] == exit_.value.code
    if folder.name.endswith("_fail"):
        assert (exit_.value.code, outcome["holds"]) == (5, False)
        assert refused == {Path("refused").read_text().strip()}
    else:
        assert (outcome["holds"], refused) == (True, set())


def test_the_vectors_are_those_that_are_made() -> None:
    made = {each.name: (each.files(), each.links) for each in make.vectors()}
    found = {folder.name: (kept(folder), links(folder)) for folder in FOLDERS}
    assert made == found, "run: python tests/vectors/make.py"


def test_failing_names_and_codes_agree() -> None:
    refusing = (vector.UNTRUSTED, vector.WRONG)
    assert all((each.exit in refusing) is each.name.endswith("_fail") for each in make.vectors())
    assert len(FOLDERS) >= 40


def test_the_runner_finds_out_who_refuses_everything(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main("sh -c 'exit 5'") == 1
    told = set(capsys.readouterr().out.splitlines()[:-1])
    expected = {folder.name: int((folder / "exit").read_text()) for folder in FOLDERS}
    assert told == {f"{name}: exit 5, expected {code}" for name, code in expected.items() if code != vector.UNTRUSTED}


@pytest.mark.slow
def test_the_runner_finds_nothing_wrong_with_this_program(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(str(Path(sys.executable).with_name("deployspec"))) == 0
    assert capsys.readouterr().out == f"{len(FOLDERS)} of {len(FOLDERS)} vectors as expected\n"
