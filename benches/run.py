"""Measures every speed that the README claims, as a ratio within this run: `python benches/run.py [--only NAME …]`.

Exits 1 when a bar is missed. Seconds differ from machine to machine and from hour to hour, ratios much less.
"""

import argparse
import sys
from collections.abc import Callable, Iterable

from checking import again, check
from claim import COLUMNS, Claim
from conversions import efficientnet, pruned
from evaluation import memory, throughput
from evaluator import evaluator
from five import five, five_memory
from hygiene import leakage, near_duplicates
from judging import judging
from language import thousand, validate
from noise import noise
from page import page
from trusting import verify_large, verify_small

FAMILIES = (
    *(validate, thousand, check, again, five, five_memory, pruned, efficientnet, throughput, memory, evaluator),
    *(judging, leakage, near_duplicates, noise, verify_small, verify_large, page),
)
BENCHES = {each.__name__: each for each in FAMILIES}


def main() -> int:
    """Run what was asked for, print a line as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=BENCHES, metavar="NAME", help=", ".join(BENCHES))
    parser.add_argument("--markdown", action="store_true", help="write a table for the README")
    asked = parser.parse_args()
    form = markdown if asked.markdown else line
    print(form(COLUMNS), *([form(["---"] * len(COLUMNS))] if asked.markdown else []), sep="\n")
    held = [told(claim, form) for name in asked.only or BENCHES for claim in BENCHES[name]()]
    return 0 if all(held) else 1


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
