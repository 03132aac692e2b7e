"""`deployspec plan` as text: what a split cannot decide stands in the table with what it would take."""

from __future__ import annotations

import shutil
from pathlib import Path

from click.testing import CliRunner

from deployspec.cli import group

EXAMPLE = Path(__file__).parents[3] / "examples" / "imbalanced"


def test_a_split_that_is_too_small_for_a_budget_is_told_how_many_would_do(tmp_path: Path) -> None:
    spec = shutil.copytree(EXAMPLE, tmp_path / "imbalanced") / "deployspec.toml"
    spec.write_text(spec.read_text().replace('">= 80 %"', '">= 99 %"'))
    outcome = CliRunner().invoke(group, ["plan", str(spec)])
    assert outcome.exit_code == 0
    row = next(line for line in outcome.stdout.splitlines() if "recall.poor" in line)
    assert "! nothing: it needs about 299 samples" in row, "0.99 ** 299 <= 0.05 < 0.99 ** 298"
