"""The plan of a shipped spec as JSON, to the letter: the same on every machine, whatever the store holds.

`pytest tests/golden --update-golden` rewrites `plans/`.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from deployspec.cli import group

ROOT = Path(__file__).parents[2]
CASES = {"digits": ROOT / "specs" / "digits.toml", "imbalanced": ROOT / "examples" / "imbalanced" / "deployspec.toml"}


@pytest.mark.parametrize("name", CASES)
def test_the_plan_is_exactly_this(name: str, update_golden: bool) -> None:
    outcome = CliRunner().invoke(group, ["plan", str(CASES[name]), "--format", "json"])
    assert outcome.exit_code == 0
    expected = Path(__file__).parent / "plans" / f"{name}.json"
    if update_golden:
        expected.write_text(outcome.stdout)
    assert outcome.stdout == expected.read_text()


@pytest.mark.parametrize("name", CASES)
def test_it_has_its_stable_form_and_nothing_of_this_machine(name: str) -> None:
    text = CliRunner().invoke(group, ["plan", str(CASES[name]), "--format", "json"]).stdout
    document = json.loads(text)
    assert set(document) == {
        "deployspecPlan", "model", "steps", "targets", "references", "noisyReferences", "hygiene", "nearDuplicates",
        "drift", "decidable",
    }  # fmt: skip
    assert document["deployspecPlan"] == 1
    assert str(ROOT) not in text
    ids = [step["id"] for step in document["steps"]]
    assert len(set(ids)) == len(ids)
    assert {step for target in document["targets"] for step in target["steps"]} <= set(ids)
