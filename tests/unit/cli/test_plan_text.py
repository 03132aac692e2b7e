"""`deployspec plan` as text: what a split cannot decide stands in the table with what it would take."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from click.testing import CliRunner
from projects import write_project

from deployspec.build import Store, build
from deployspec.cli import group
from deployspec.ir.plan import Action, Plan
from deployspec.preflight import build_context, read
from deployspec.sources.identity import origins

if TYPE_CHECKING:
    import pytest

EXAMPLE = Path(__file__).parents[3] / "examples" / "imbalanced"


def test_a_split_that_is_too_small_for_a_budget_is_told_how_many_would_do(tmp_path: Path) -> None:
    spec = shutil.copytree(EXAMPLE, tmp_path / "imbalanced") / "deployspec.toml"
    spec.write_text(spec.read_text().replace('">= 80 %"', '">= 99 %"'))
    outcome = CliRunner().invoke(group, ["plan", str(spec)])
    assert outcome.exit_code == 0
    row = next(line for line in outcome.stdout.splitlines() if "recall.poor" in line)
    assert "! nothing: it needs about 299 samples" in row, "0.99 ** 299 <= 0.05 < 0.99 ** 298"


def test_that_leaked_samples_still_count_is_said_once_where_another_split_could_hold_them(tmp_path: Path) -> None:
    spec = shutil.copytree(EXAMPLE, tmp_path / "imbalanced") / "deployspec.toml"
    text = spec.read_text() + '\n[targets.own]\nformat = "torchscript"\nbudgets.agreement = ">= 50 %"\n'

    def titles() -> list[str]:
        lines = CliRunner().invoke(group, ["plan", str(spec)], catch_exceptions=False).stdout.splitlines()
        return [line for line in lines if line.startswith("what the data can decide")]

    spec.write_text(text)
    first, second = titles()
    assert (first.endswith("), before leaked samples are left out"), second.endswith("(own)")) == (True, True)
    spec.write_text("".join(line for line in text.splitlines(True) if not line.startswith(("train ", "calibration "))))
    assert not any("leaked" in title for title in titles())


def state(spec: Path, step: str) -> str:
    """What `plan` says of a step, and that its JSON says nothing of it."""
    text, json = (CliRunner().invoke(group, ["plan", str(spec), *form]) for form in ((), ("--format", "json")))
    assert (text.exit_code, json.exit_code) == (0, 0)
    assert "to do" not in json.stdout
    row = next(line for line in text.stdout.splitlines() if line.startswith(f"  {step} "))
    return row.partition("dataset")[2].strip()


def test_a_step_that_will_run_again_says_what_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path / "store")
    monkeypatch.setenv("DEPLOYSPEC_STORE", str(store.root))
    project = write_project(tmp_path / "project")
    assert state(project.spec, "data.test") == "to do"
    spec, plan = read(project.spec)
    prepared = tuple(step for step in plan.steps if step.action is Action.PREPARE)
    build(Plan(steps=prepared, routes=()), store, build_context(spec, origins(spec)))
    assert state(project.spec, "data.test") == "cached"
    project.edit(('"high"]', '"high", "top"]'))
    assert state(project.spec, "data.test") == "to do: its option 'classes' changed"
    (project.folder / "test.npz").write_bytes((project.folder / "test.npz").read_bytes() + b"\0")
    assert state(project.spec, "data.test") == "to do: its option 'classes' changed, its input 'data:test' changed"
