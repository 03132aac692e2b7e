"""Write what the documentation takes from the code: tables between `<!-- generated: NAME -->` and its end mark.

    python docs/generate.py                      write every block
    python docs/generate.py --check              exit 1, naming the files, when one is out of date
    python docs/generate.py --picture REPORT…    draw docs/report.svg from reports (report.dsse.json)

Prose is written by hand; nothing here needs a framework.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Final

import coreml_ops
import picture
import tables

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT: Final = Path(__file__).parent.parent
GOLDEN: Final = ROOT / "tests" / "golden" / "spec_faults" / "everything-at-once" / "stderr.txt"
SHOWN_FAULTS: Final = 4


def floors() -> str:
    """The layers of import-linter's contract, the upper first."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(each["layers"] for each in contracts if each["type"] == "layers")
    return "\n".join(["```text", *(each.replace("deployspec.", "") for each in layers), "```"])


def faults() -> str:
    """What the program says to a spec with many faults, cut short."""
    blocks = GOLDEN.read_text().rstrip().split("\n\n")
    *found, last = blocks
    return "\n\n".join(["```text\n" + found[0], *found[1:SHOWN_FAULTS], "…", f"{last}\n```"])


BLOCKS: Final[dict[str, dict[str, Callable[[], str]]]] = {
    "docs/formats.md": {"formats": tables.formats},
    "docs/architecture.md": {"floors": floors},
    "docs/spec.md": {
        "keys": tables.language,
        "units": tables.units,
        "budgets": tables.budgets,
        "options": tables.options,
        "policies": tables.policies,
        "faults": faults,
    },
    "docs/judging.md": {
        "samples": tables.samples,
        "methods": tables.methods,
        "classes": tables.evidence_classes,
    },
    "docs/evidence.md": {"document": tables.evidence_document},
    "docs/reports.md": {"predicate": tables.predicate, "plan": tables.plan},
    "docs/coreml.md": {"hazards": tables.hazards, "coreml-ops": coreml_ops.conformance},
}
"""The file, the block's name, and what writes it.

What takes minutes is written elsewhere: the block `matrix` of docs/formats.md by docs/matrix.py, and, with
`--markdown`, `bench` of docs/speed.md by benches/run.py and `coverage` of docs/judging.md by benches/coverage.py.
"""


def fill(text: str, name: str, content: str) -> str:
    """`text` with the block replaced. Raises ValueError where it does not stand exactly once."""
    pattern = rf"(<!-- generated: {name} -->\n).*?(<!-- /generated -->)"
    filled, count = re.subn(pattern, lambda marks: f"{marks[1]}{content}\n{marks[2]}", text, flags=re.DOTALL)
    if count != 1:
        raise ValueError(f"the block '{name}' stands {count} times")
    return filled


def generated(file: str) -> str:
    """The file's text as it should be."""
    text = (ROOT / file).read_text()
    for name, write in BLOCKS[file].items():
        text = fill(text, name, write())
    return text


def main() -> int:
    """Do what the command line asks; the exit code."""
    parser = argparse.ArgumentParser(description="Write the generated parts of the documentation.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when something is out of date")
    parser.add_argument("--picture", nargs="+", type=Path, metavar="REPORT", help="draw docs/report.svg instead")
    arguments = parser.parse_args()
    if arguments.picture:
        (ROOT / "docs" / "report.svg").write_text(picture.draw(arguments.picture))
        return 0
    stale = [file for file in BLOCKS if generated(file) != (ROOT / file).read_text()]
    if arguments.check:
        sys.stderr.writelines(f"{file} is out of date: run python docs/generate.py\n" for file in stale)
        return 1 if stale else 0
    for file in stale:
        (ROOT / file).write_text(generated(file))
    return 0


if __name__ == "__main__":
    sys.exit(main())
