"""Five int8 targets of one model, against one process that makes, reloads, evaluates and times the same by hand."""

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from claim import Claim, of_pairs
from footprint import footprint
from language import DEPLOYSPEC, ROOT
from stopwatch import run, taking_turns

PAIRS = 3
SPEC = ROOT / "specs" / "digits-all.toml"
TARGETS = ("server-int8", "mobile-int8", "embedded-int8", "android-int8", "ios-int8")
BUILD_ONLY = ROOT / "benches" / "build_only.py"


def five() -> Iterator[Claim]:
    """The whole check by the full protocol, and what of it only makes the artifacts."""
    by_hand = [sys.executable, ROOT / "benches" / "five_by_hand.py"]
    turns = taking_turns(lambda: (_check_s(), _build_s()), lambda: run(by_hand).wall_s, PAIRS)
    yield of_pairs("check, five int8 targets / five_by_hand.py", [(ours[0], theirs) for ours, theirs in turns], 0.75)
    yield of_pairs("what of it makes them / five_by_hand.py", [(ours[1], theirs) for ours, theirs in turns], 0.4)


def five_memory() -> Iterator[Claim]:
    """The check's own process, and it with its workers and runners."""
    with tempfile.TemporaryDirectory() as folder:
        peak = footprint(_check(Path(folder)), DEPLOYSPEC_STORE=f"{folder}/store")
    for name, ours, bar in (
        ("its process / 150 MB", peak.first_bytes, 150.0),
        ("all / 1.6 GB", peak.all_bytes, 1600.0),
    ):
        yield of_pairs(f"check, five int8 targets: {name}", [(ours / 1e6, bar)], 1, unit="MB")


def _check_s() -> float:
    with tempfile.TemporaryDirectory() as folder:
        return run(_check(Path(folder)), DEPLOYSPEC_STORE=f"{folder}/store").wall_s


def _build_s() -> float:
    with tempfile.TemporaryDirectory() as store:
        return run([sys.executable, BUILD_ONLY, SPEC, store, str(os.cpu_count()), *TARGETS]).wall_s


def _check(folder: Path) -> list[str | Path]:
    chosen = [word for target in TARGETS for word in ("--target", target)]
    return [DEPLOYSPEC, "check", SPEC, *chosen, "--out", folder / "report"]
