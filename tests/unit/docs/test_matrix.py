"""The table of formats and schemes has a row for every pair that the registry offers, and no empty cell."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[3]


def rows() -> list[list[str]]:
    block = re.search(
        r"<!-- generated: matrix -->\n(.*?)<!-- /generated -->", (ROOT / "docs" / "formats.md").read_text(), re.DOTALL
    )
    assert block is not None
    table = [line for line in block[1].splitlines() if line.startswith("| `")]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in table]


def test_every_pair_has_its_row_and_every_row_its_figures() -> None:
    command = [sys.executable, str(ROOT / "docs" / "matrix.py"), "--spec"]
    spec = tomllib.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert [f"{format}-{scheme}" for format, scheme, *_ in rows()] == list(spec["targets"])
    assert all(all(row) for row in rows())


def test_what_the_table_shows_is_small_and_good() -> None:
    for format, scheme, size, agreement, drop, _ in rows():
        assert float(size.removesuffix(" kB")) < 70, (format, scheme)
        assert int(agreement.partition(" of 898")[0]) >= 890
        assert float(drop.removesuffix(" pp")) < 1
