"""Progress: one plain line for each event, and a display that leaves the same lines behind."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from deployspec.build.progress import PlainProgress, RichProgress
from deployspec.ir.artifact import Done, Failed
from deployspec.ir.plan import Action, Step, Toolchain


def step(step_id: str) -> Step:
    return Step(id=step_id, action=Action.CONVERT, takes=(), gives="x", function="m:f", toolchain=Toolchain(name="t"))


A, B, C, D = map(step, ("a[red]", "b", "c", "d"))
DONE = Done(step="a[red]", folder=Path("/s"), sha256="0" * 64, cached=False, seconds=1.26)
CACHED = Done(step="b", folder=Path("/s"), sha256="0" * 64, cached=True, seconds=9)
FAILED = Failed(step="c", reason="ValueError: [1, 3] does not fit", log=Path("/logs/c.log"))
BLOCKED = Failed(step="d", reason="needs 'c', which failed", blocked_by="c")

OVER = """\
done     a[red]  1.3 s
cached   b
failed   c  ValueError: [1, 3] does not fit  (log: /logs/c.log)
blocked  d  needs 'c', which failed
"""


def tell(progress: PlainProgress | RichProgress) -> None:
    progress.started(A)
    progress.waiting(C)
    progress.started(C)
    for each, result in ((A, DONE), (B, CACHED), (C, FAILED), (D, BLOCKED)):
        progress.finished(each, result)


def test_plain_lines() -> None:
    stream = io.StringIO()
    tell(PlainProgress(stream))
    assert stream.getvalue() == "start    a[red]\nwait     c  the same work is under way\nstart    c\n" + OVER


def test_the_display_leaves_the_outcomes_behind() -> None:
    stream = io.StringIO()
    with RichProgress(stream) as progress:
        tell(progress)
    assert stream.getvalue().strip() == OVER.strip()


@pytest.mark.parametrize("module", ["rich", "torch"])
def test_the_build_imports_no_display_and_no_framework(module: str) -> None:
    code = f"import sys, deployspec.build; sys.exit({module!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
