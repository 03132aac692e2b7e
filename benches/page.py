"""The page of twenty targets: how long a user waits for it, and how much there is to send around."""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from claim import Claim
from stopwatch import run

ROOT = Path(__file__).parents[1]
DEPLOYSPEC = Path(sys.executable).with_name("deployspec")
sys.path.append(str(ROOT / "tests"))

TARGETS = 20
MOST_S = 3.0
MOST_MB = 3.0
TURNS = 5


def page() -> Iterator[Claim]:
    """The whole command, against the seconds and the size that were promised; the quickest of a few runs."""
    from sample_reports import envelope, many

    with tempfile.TemporaryDirectory() as folder:
        report, html = Path(folder) / "report.dsse.json", Path(folder) / "report.html"
        report.write_bytes(envelope(many(TARGETS)))
        show = [DEPLOYSPEC, "show", report, "--format", "html", "--out", html]
        took_s = min(run(show).wall_s for _ in range(TURNS))
        size_mb = html.stat().st_size / 1e6
    name = f"report.html of {TARGETS} targets"
    yield Claim(name=f"{name} / {MOST_S:g} s", ours=took_s, theirs=MOST_S, ratio=took_s / MOST_S, bar=1)
    yield Claim(
        name=f"{name} / {MOST_MB:g} MB", ours=size_mb, theirs=MOST_MB, ratio=size_mb / MOST_MB, bar=1, unit="MB"
    )
