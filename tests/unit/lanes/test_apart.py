"""A repetition on a lane that keeps apart: it reaches neither its runner nor another program, and leaves nothing."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

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


NOSY = """\
from pathlib import Path

RUNTIME = "nosy"

class Run:
    def __init__(self, artifact, options):
        given = [Path(each).read_text() for each in (artifact, "net/weights", "late")]
        self.facts = {"given": given} | {
            name: attempt(act) for name, act in {
                "hidden": lambda: Path(options["hidden"]).read_text(),
                "its neighbour": lambda: Path(artifact).resolve().with_name("labels").read_text(),
                "change it": lambda: Path(artifact).open("a"),
                "change it deeper": lambda: Path("net", "weights").open("a"),
        }.items()}

def attempt(act):
    try:
        act()
    except OSError as error:
        return type(error).__name__
    return "done"

def load(artifact, options):
    return Run(artifact, options)
"""


@pytest.mark.parametrize("prepared", [True, False])
def test_beside_and_in_a_hidden_folder_it_reads_what_its_program_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, prepared: bool
) -> None:
    store = tmp_path / "store"
    for path in (store / "model", store / "labels", store / "net" / "weights"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(path.name)
    (tmp_path / "nosy.py").write_text(NOSY)
    monkeypatch.syspath_prepend(tmp_path)
    runner = Runner(script="nosy", toolchain=Toolchain(name="nosy"))
    options = {"hidden": str(store / "labels")}
    job: dict[str, Any] = {"artifact": "model", "options": options, "tasks": [{"task": "describe"}]}
    files = {"model": store / "model", "net": store / "net", "late": tmp_path / "late"}
    scratch = store / "tmp"
    scratch.mkdir()
    with HostLane(apart=True, hidden=(store,), scratch=scratch) as lane:
        if prepared:
            lane.prepare(runner)
            time.sleep(0.5)  # so that it is under way
        (tmp_path / "late").write_text("late")
        told = lane.run(Program(runner=runner, job=job, files=files, fetch=tmp_path / "out", time_limit_s=60))[1]
    assert told["given"] == ["model", "weights", "late"]
    came = {told[each] for each in ("hidden", "change it", "change it deeper")}
    assert (came, told["its neighbour"]) == ({"PermissionError"}, "FileNotFoundError")
    assert not any(scratch.iterdir())
