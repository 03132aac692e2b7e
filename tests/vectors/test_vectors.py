"""Every vector, through the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from vectors import make

from deployspec.cli import main

if TYPE_CHECKING:
    from collections.abc import Mapping

HERE = Path(__file__).parent
FOLDERS = sorted(path.parent for path in HERE.glob("*/args"))


def kept(folder: Path) -> Mapping[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_outcome_is_the_one_in_its_name(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(SystemExit) as exit_:
        main([*Path("args").read_text().splitlines(), "--format", "json"])
    outcome = json.loads(capsys.readouterr().out)
    refused = {step["name"] for step in outcome["steps"] if step["state"] == "refused"}
    assert exit_.value.code == outcome["exitCode"] == int(Path("exit").read_text())
    if folder.name.endswith("_fail"):
        assert (exit_.value.code, outcome["holds"]) == (5, False)
        assert refused == {Path("refused").read_text().strip()}
    else:
        assert (outcome["holds"], refused) == (True, set())


def test_the_vectors_are_those_that_are_made() -> None:
    made = {vector.name: vector.files() for vector in make.vectors()}
    assert made == {folder.name: kept(folder) for folder in FOLDERS}, "run: python tests/vectors/make.py"


def test_failing_names_and_codes_agree() -> None:
    assert all((vector.exit == make.UNTRUSTED) is vector.name.endswith("_fail") for vector in make.vectors())
    assert len(FOLDERS) >= 40
