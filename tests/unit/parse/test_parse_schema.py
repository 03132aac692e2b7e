"""The JSON schema is generated, committed, and understood by editors."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from deployspec.parse.schema import json_schema
from deployspec.parse.toml import read_tree

ROOT = Path(__file__).parents[3]
SCHEMA = ROOT / "schemas" / "deployspec-1.schema.json"
FULL = ROOT / "tests" / "golden" / "full" / "spec.toml"
FAULTS = ROOT / "tests" / "golden" / "spec_faults"
TAPLO = Path(sys.executable).with_name("taplo")

SHAPE_FAULTS = [
    "budget-unknown", "budget-unit-missing", "budget-bare-number", "budget-unit-foreign", "budget-wrong-direction",
    "budget-bands-half", "budget-stable-false", "budget-not-on-field", "choice-illegal", "choice-illegal-dtype",
    "evidence-class-illegal", "format-unknown", "key-missing", "key-unknown", "key-unknown-table",
    "model-missing", "pass-option-missing", "pass-unknown", "pass-unnamed", "sha256-malformed", "shape-dimension-zero",
    "target-name-illegal", "target-none", "target-option-illegal", "target-option-unknown", "type-number-for-text",
    "type-table-for-array", "type-true-for-limit", "version-missing", "version-unknown",
]  # fmt: skip


def test_the_committed_schema_is_the_generated_one() -> None:
    assert json.loads(SCHEMA.read_text()) == json_schema(), (
        "run: deployspec schema --out schemas/deployspec-1.schema.json"
    )


def test_it_is_a_schema() -> None:
    jsonschema.Draft7Validator.check_schema(json_schema())


@pytest.mark.parametrize("case", SHAPE_FAULTS)
def test_it_refuses_faults_of_shape(case: str) -> None:
    tree = read_tree(FULL, (FAULTS / case / "spec.toml").read_bytes())
    assert not jsonschema.Draft7Validator(json_schema()).is_valid(json.loads(json.dumps(tree, default=float)))


def taplo(spec: Path) -> subprocess.CompletedProcess[str]:
    command = [TAPLO, "check", "--schema", SCHEMA.as_uri(), spec]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_an_editor_accepts_the_whole_language() -> None:
    ran = taplo(FULL)
    assert ran.returncode == 0, ran.stderr


def test_an_editor_refuses_a_slip() -> None:
    ran = taplo(FAULTS / "budget-unknown" / "spec.toml")
    assert ran.returncode != 0
    assert "latency_p59" in ran.stderr
