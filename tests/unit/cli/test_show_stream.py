"""`deployspec show` on streams that can and cannot encode the bars."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPORT = Path(__file__).parents[2] / "vectors" / "failed" / "report.dsse.json"


@pytest.mark.parametrize(("encoding", "bar"), [("utf-8", "·│─"), ("ascii", ".|-"), ("latin-1", ".|-")])
def test_bars_are_drawn_in_what_the_stream_can_encode(encoding: str, bar: str) -> None:
    command = [sys.executable, "-c", "from deployspec.cli import main; main()", "show", str(REPORT)]
    ran = subprocess.run(
        command, env=os.environ | {"PYTHONIOENCODING": encoding, "COLUMNS": "80"}, capture_output=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    line = next(line for line in ran.stdout.decode(encoding).splitlines() if line.startswith("pass accuracy >= 90 %"))
    assert bar in line
    assert len(line) <= 80
