"""`deployspec check` against the script that it replaces, and against itself when nothing has changed."""

import json
import sys
import tempfile
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path

from claim import Claim, of_pairs
from language import DEPLOYSPEC, ROOT, SPEC
from stopwatch import run, taking_turns

PAIRS = 3
FRAMEWORKS = {"torch", "tensorflow", "litert_torch", "ai_edge_litert", "executorch", "coremltools", "keras", "jax"}

# The command line, as it is, which tells at its end what its process has imported.
TELLING = """
import atexit, os, pathlib, sys
atexit.register(lambda: pathlib.Path(os.environ["IMPORTED"]).write_text(" ".join(sys.modules)))
from deployspec.cli import main
main()
"""


def check() -> Iterator[Claim]:
    """From nothing to a report, against one process that does the same work by hand and proves nothing."""

    def ours() -> float:
        with tempfile.TemporaryDirectory() as folder:
            return _check_s(Path(folder))

    by_hand = [sys.executable, ROOT / "benches" / "by_hand.py"]
    pairs = taking_turns(ours, lambda: run(by_hand).wall_s, PAIRS)
    yield of_pairs("check, from nothing / benches/by_hand.py", pairs, 1.0)


def again() -> Iterator[Claim]:
    """A second run builds nothing, evaluates nothing and imports no framework; it measures latency afresh."""
    folder, first_s = checked()
    imported = folder / "imported"
    second = run(
        [sys.executable, "-c", TELLING, "check", SPEC, "--out", folder / "again", "--format", "json"],
        DEPLOYSPEC_STORE=str(folder / "store"),
        IMPORTED=str(imported),
    )
    steps = json.loads(second.output)["steps"]
    built = [step for step in steps if step["result"] != "cached"]
    frameworks = FRAMEWORKS & set(imported.read_text().split())
    yield of_pairs("check, second time / first time", [(second.wall_s, first_s)], 1.0)
    yield none_of("its steps that were built or evaluated / all", built, steps)
    yield none_of("frameworks in its process / all", frameworks, FRAMEWORKS)


@cache
def checked() -> tuple[Path, float]:
    """A folder with the `store` and the `report` of a first run, and the seconds that it took."""
    folder = Path(_kept.name)
    return folder, _check_s(folder)


_kept = tempfile.TemporaryDirectory()


def _check_s(folder: Path) -> float:
    command = [DEPLOYSPEC, "check", SPEC, "--out", folder / "report"]
    return run(command, DEPLOYSPEC_STORE=str(folder / "store")).wall_s


def none_of(name: str, found: Collection[object], of: Collection[object]) -> Claim:
    """That of all these there are none."""
    return Claim(name=name, ours=len(found), theirs=len(of), ratio=len(found) / len(of), bar=0, unit="")
