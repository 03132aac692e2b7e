"""The true error of every method, worked out or simulated: at most what it may be, and as the documentation shows."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
BLOCK = re.compile(r"<!-- generated: coverage -->\n(.*?)<!-- /generated -->", re.DOTALL)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_no_method_errs_more_than_it_may_and_the_documentation_shows_how_much() -> None:
    command = [sys.executable, ROOT / "benches" / "coverage.py", "--markdown"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    shown = BLOCK.search((ROOT / "docs" / "judging.md").read_text())
    assert shown is not None
    assert ran.stdout.strip() == shown[1].strip()
