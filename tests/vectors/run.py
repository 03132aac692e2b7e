"""Runs any verifier on the vectors: `python tests/vectors/run.py COMMAND`, such as `deployspec` or `'node verify.mjs'`.

The command gets the arguments of each vector's `args`, inside its folder, and must exit with what `exit` holds.
Prints every vector that it gets wrong, and exits 1 when there is one.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
TIMEOUT_S = 120


def main(command: str) -> int:
    """How it went, as an exit code."""
    folders = sorted(path.parent for path in HERE.glob("*/args"))
    wrong = [said for folder in folders if (said := mismatch(shlex.split(command), folder))]
    print(*wrong, f"{len(folders) - len(wrong)} of {len(folders)} vectors as expected", sep="\n")
    return 1 if wrong else 0


def mismatch(command: list[str], folder: Path) -> str:
    """What the command got wrong on one vector; empty when it is as expected."""
    arguments = (folder / "args").read_text().splitlines()
    expected = int((folder / "exit").read_text())
    done = subprocess.run([*command, *arguments], cwd=folder, capture_output=True, timeout=TIMEOUT_S, check=False)
    return "" if done.returncode == expected else f"{folder.name}: exit {done.returncode}, expected {expected}"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
