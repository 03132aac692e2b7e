"""A repetition on a lane that keeps apart: it reaches neither its runner nor another program, and leaves nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deployspec.ir.plan import Runner, Toolchain
from deployspec.isolation import FILES, available
from deployspec.lanes.host import HostLane
from deployspec.lanes.program import Program

if TYPE_CHECKING:
    from collections.abc import Iterator

SLY = """\
import os, tempfile, time
from pathlib import Path

RUNTIME = "sly"
PARENT = os.getpid()

class Run:
    def __init__(self):
        self.facts = {"process": stay()} | {name: attempt(act) for name, act in {
            "own": lambda: Path("out", "own").write_text("x"),
            "temporary": lambda: tempfile.TemporaryFile().close(),
            "runner": lambda: next(Path("..").glob("runner-*/protocol.py")).open("a"),
            "beside": lambda: Path("..", "marker").write_text("x"),
            "memory": lambda: Path(f"/proc/{PARENT}/mem").open("r+b"),
        }.items()}

def attempt(act):
    try:
        act()
    except OSError as error:
        return type(error).__name__
    return "done"

def stay():
    \"\"\"Whom a child leaves behind, in a session of its own.\"\"\"
    here, there = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.write(there, str(os.getpid()).encode())
            time.sleep(60)
        os._exit(0)
    return int(os.read(here, 20))

def load(artifact, options):
    return Run()
"""

pytestmark = pytest.mark.skipif(
    not any(each.startswith(FILES) for each in available()), reason="nothing keeps files apart here"
)


@pytest.fixture
def facts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """What came of each attempt, on a lane that is still open."""
    (tmp_path / "sly.py").write_text(SLY)
    monkeypatch.syspath_prepend(tmp_path)
    runner = Runner(script="sly", toolchain=Toolchain(name="sly"))
    job = {"artifact": "", "options": {}, "tasks": [{"task": "describe"}]}
    with HostLane(apart=True) as lane:
        yield lane.run(Program(runner=runner, job=job, files={}, fetch=tmp_path / "out", time_limit_s=60))[1]
    assert (tmp_path / "out" / "own").read_text() == "x"


def test_it_writes_only_to_the_folder_of_its_program(facts: dict[str, str]) -> None:
    done = {name for name, came in facts.items() if came == "done"}
    assert done == {"own", "temporary"}
    assert {facts[each] for each in ("runner", "beside", "memory")} == {"PermissionError"}


def test_whom_it_leaves_behind_is_ended_before_the_next_one(facts: dict[str, str]) -> None:
    assert not Path(f"/proc/{facts['process']}").exists()
