"""`deployspec validate` and `deployspec schema`, as a user runs them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from deployspec.cli import group
from deployspec.parse.schema import json_schema

GOLDEN = Path(__file__).parents[2] / "golden"
BAD = GOLDEN / "spec_faults" / "budget-unknown" / "spec.toml"


UNMEASURED = re.compile(r"^(device|latency *= \"device\").*\n", re.MULTILINE)
"""The lines of the full spec that a note speaks of."""


@pytest.fixture
def full(tmp_path: Path) -> Path:
    """A spec that says whatever the language can say."""
    folder = shutil.copytree(GOLDEN / "full", tmp_path / "full")
    (folder / "data").mkdir()
    for name in ("train", "calibration", "tuning", "test", "field"):
        (folder / "data" / f"{name}.npz").touch()
    return folder / "spec.toml"


@pytest.fixture
def good(full: Path) -> Path:
    """A spec that promises nothing which cannot be measured here."""
    full.write_text(UNMEASURED.sub("", full.read_text()))
    return full


def test_a_good_spec_is_one_line(good: Path) -> None:
    outcome = CliRunner().invoke(group, ["validate", str(good)])
    assert (outcome.exit_code, outcome.stdout, outcome.stderr) == (0, f"{good}: valid, 2 targets, 101 budgets\n", "")


def test_missing_data_is_said_and_does_not_fail(good: Path) -> None:
    (good.parent / "data" / "test.npz").unlink()
    outcome = CliRunner().invoke(group, ["validate", str(good)])
    assert outcome.exit_code == 0
    assert "note[missing-data]: the test split 'data/test.npz' is not there" in outcome.stderr


def test_what_cannot_be_measured_is_said_and_does_not_fail(full: Path) -> None:
    outcome = CliRunner().invoke(group, ["validate", str(full)])
    assert (outcome.exit_code, outcome.stdout) == (0, f"{full}: valid, 2 targets, 101 budgets\n")
    assert outcome.stderr.count("note[not-measured]") == 2


def test_one_bad_spec_of_several_exits_2_and_all_are_told(good: Path) -> None:
    outcome = CliRunner().invoke(group, ["validate", str(good), str(BAD)])
    assert outcome.exit_code == 2
    assert "valid" in outcome.stdout
    assert "unknown budget" in outcome.stderr


def test_another_file_than_the_pinned_one_exits_5(good: Path) -> None:
    good.write_text(good.read_text().replace("weights =", f'sha256 = "{"0" * 64}"\nweights ='))
    outcome = CliRunner().invoke(group, ["validate", str(good)])
    assert outcome.exit_code == 5
    assert "'digits.safetensors' has the sha256" in outcome.stderr


def test_as_json_each_file_is_told_with_its_targets_or_its_faults(good: Path) -> None:
    outcome = CliRunner().invoke(group, ["validate", str(good), str(BAD), "--format", "json"])
    first, second = json.loads(outcome.stdout)
    assert first["valid"] is True
    assert set(first["targets"]) == {"android", "server"}
    assert [(each["code"], each["line"]) for each in second["diagnostics"]] == [("unknown-budget", 20)]


def test_for_github_a_fault_is_an_annotation_at_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(BAD.parent)
    outcome = CliRunner().invoke(group, ["validate", "spec.toml", "--format", "github"])
    assert outcome.stdout == (
        "::error file=spec.toml,title=unknown-budget,line=20,col=1,endColumn=12"
        "::unknown budget 'latency_p59'; perhaps you meant 'latency_p95'\n"
    )


def test_schema_prints_and_writes(tmp_path: Path) -> None:
    printed = CliRunner().invoke(group, ["schema"])
    CliRunner().invoke(group, ["schema", "--out", str(tmp_path / "schema.json")])
    assert json.loads(printed.stdout) == json_schema() == json.loads((tmp_path / "schema.json").read_text())


HEAVY = {
    "torch", "tensorflow", "numpy", "scipy", "rich", "tree_sitter", "tree_sitter_toml", "jsonschema", "cryptography",
    "pydantic", "importlib.metadata",
}  # fmt: skip


def test_the_good_path_imports_nothing_heavy(good: Path) -> None:
    program = (
        "import sys\nfrom deployspec.cli import main\n"
        "try: main(['validate', sys.argv[1]])\n"
        "except SystemExit as done: print(done.code, *sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-S", "-c", program, good], env=environment(), capture_output=True, text=True)
    code, *modules = ran.stdout.splitlines()[-1].split()
    assert code == "0", ran.stderr
    assert HEAVY.isdisjoint(modules)


def environment() -> dict[str, str]:
    """The import path alone: `site` itself imports what the program must not."""
    return {"PYTHONPATH": ":".join(path for path in sys.path if path)}
