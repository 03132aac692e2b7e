"""Faults as SARIF, read by readers that others wrote."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from sarif_pydantic import Sarif

from deployspec.cli.validate import command

GOLDEN = Path(__file__).parents[2] / "golden" / "spec_faults"
DIGITS = Path(__file__).parents[3] / "specs" / "digits.toml"


def sarif(*specs: Path) -> str:
    return CliRunner().invoke(command, [*map(str, specs), "--format", "sarif"]).stdout


def test_every_fault_is_a_result_at_its_place(tmp_path: Path) -> None:
    text = sarif(GOLDEN / "everything-at-once" / "spec.toml")
    (run,) = Sarif.model_validate_json(text).runs
    shown = (GOLDEN / "everything-at-once" / "stderr.txt").read_text()
    assert run.results
    assert len(run.results) == shown.count("error[") + shown.count("note[")
    for result in run.results:
        region = result.locations[0].physical_location.region
        assert f"{result.level.value}[{result.rule_id}]" in shown
        assert f":{region.start_line}:{region.start_column}\n" in shown
        assert run.tool.driver.rules[result.rule_index].id == result.rule_id


def test_a_sound_spec_gives_a_run_without_errors() -> None:
    (run,) = json.loads(sarif(DIGITS))["runs"]
    assert [each for each in run["results"] if each["level"] == "error"] == []


@pytest.mark.parametrize("broken", ["", "[", "deployspec = 9"])
def test_what_cannot_be_read_is_a_result_too(broken: str, tmp_path: Path) -> None:
    (tmp_path / "spec.toml").write_text(broken)
    assert Sarif.model_validate_json(sarif(tmp_path / "spec.toml")).runs[0].results
