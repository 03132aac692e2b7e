"""Measures every speed that docs/speed.md claims, as a ratio within this run: `python benches/run.py [--only NAME …]`.

Exits 1 when a bar is missed. Seconds differ from machine to machine and from hour to hour, ratios much less.
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module

from claim import COLUMNS, Claim

BENCHES = {
    name: module
    for module, names in (
        ("language", ("validate", "thousand")),
        ("checking", ("check", "again")),
        ("five", ("five", "five_memory")),
        ("conversions", ("pruned", "efficientnet")),
        ("evaluation", ("throughput", "memory")),
        ("evaluator", ("evaluator",)),
        ("judging", ("judging",)),
        ("hygiene", ("leakage", "near_duplicates")),
        ("noise", ("noise",)),
        ("trusting", ("verify_small", "verify_large")),
        ("page", ("page",)),
    )
    for name in names
}
"""Where each is. A module is imported when its turn comes: no process's peak memory is below that of its parent."""


def main() -> int:
    """Run what was asked for, print a line as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=BENCHES, metavar="NAME", help=", ".join(BENCHES))
    parser.add_argument("--markdown", action="store_true", help="write a table for docs/speed.md")
    asked = parser.parse_args()
    form = markdown if asked.markdown else line
    print(form(COLUMNS), *([form(["---"] * len(COLUMNS))] if asked.markdown else []), sep="\n")
    held = [told(claim, form) for name in asked.only or BENCHES for claim in claims(name)]
    return 0 if all(held) else 1


def claims(name: str) -> Iterator[Claim]:
    """What the bench of that name measures."""
    bench: Callable[[], Iterator[Claim]] = getattr(import_module(BENCHES[name]), name)
    return bench()


def told(claim: Claim, form: Callable[[Iterable[str]], str]) -> bool:
    """Print the claim; whether it holds."""
    print(form(claim.row()), flush=True)
    return claim.holds


def markdown(cells: Iterable[str]) -> str:
    """Cells as a row of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def line(cells: Iterable[str]) -> str:
    """Cells of a table whose rows come one by one."""
    name, *figures, state = cells
    return f"{name:<58}" + "".join(f"{figure:>12}" for figure in figures) + f"  {state}".rstrip()


if __name__ == "__main__":
    sys.exit(main())
