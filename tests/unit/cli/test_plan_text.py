"""`deployspec plan` as text: what a spec promises and nothing measures stands in the table of what can be decided."""

from __future__ import annotations

import shutil
from pathlib import Path

from click.testing import CliRunner

from deployspec.cli import group

EXAMPLE = Path(__file__).parents[3] / "examples" / "imbalanced"


def test_a_budget_that_nothing_measures_is_a_row_of_its_own(tmp_path: Path) -> None:
    spec = shutil.copytree(EXAMPLE, tmp_path / "imbalanced") / "deployspec.toml"
    spec.write_text(spec.read_text().replace("[budgets]", '[budgets]\nenergy = "< 5 mJ"\nchurn = "< 1 pp"'))
    outcome = CliRunner().invoke(group, ["plan", str(spec)])
    assert outcome.exit_code == 0
    rows = [line.split() for line in outcome.stdout.splitlines()]
    said = ["!", "not", "measured", "in", "this", "version"]
    assert ["energy", "<", "5", "mJ", *said] in rows
    assert ["churn", "<", "1", "pp", *said] in rows
    assert sum(row[:1] == ["churn"] for row in rows) == 1
