"""A build that is killed, interrupted, run twice at once or out of disk leaves a whole store and no process."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).parent
STEPS = HERE.parent / "unit" / "build"


def until(holds: Callable[[], object], limit_s: float = 30) -> None:
    """Wait for a condition that another process brings about."""
    end = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < end, "the condition did not come to hold"
        time.sleep(0.01)


def alive(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    done = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return done.stdout.strip()[:1] not in ("", "Z")


def python_path(*more: Path) -> str:
    """The steps of the tests, and what was on the path before."""
    return os.pathsep.join(filter(None, (str(STEPS), *map(str, more), os.environ.get("PYTHONPATH"))))


@dataclass(frozen=True)
class Project:
    """A folder with a store, in which a driver program builds `first`, then `meet`, which waits for the file `go`."""

    folder: Path

    def path(self, name: str) -> Path:
        return self.folder / name

    @property
    def store(self) -> Path:
        return self.path("store")

    @property
    def steps(self) -> list[tuple[str, str, list[str], dict[str, str]]]:
        ledger = str(self.path("ledger"))
        meet = {"ledger": ledger, "started": str(self.path("started")), "go": str(self.path("go"))}
        return [("first", "write", [], {"text": "hello", "ledger": ledger}), ("meet", "meet", ["first"], meet)]

    @contextmanager
    def driver(self, *steps: Any) -> Iterator[subprocess.Popen[str]]:
        """The program, started; ended with the test if it still runs."""
        command = [sys.executable, str(HERE / "build_driver.py"), str(self.store), json.dumps(steps or self.steps)]
        environment = os.environ | {"PYTHONPATH": python_path()}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
            try:
                yield process
            finally:
                process.kill()

    def run(self, *steps: Any) -> tuple[int, list[str]]:
        """The exit code and the lines of a program that runs to its end."""
        with self.driver(*steps) as process:
            output, _ = process.communicate(timeout=60)
        return process.returncode, output.splitlines()

    def worker(self) -> int:
        """The worker's process id, once it is in the middle of `meet`."""
        until(lambda: self.path("started").exists() and self.path("started").read_text())
        return int(self.path("started").read_text())

    def executions(self) -> int:
        return len(self.path("ledger").read_text().splitlines())

    def entries(self) -> int:
        return len(list(self.store.glob("steps/*/*")))

    def leftovers(self) -> list[Path]:
        return list(self.path("store/tmp").iterdir())


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def results(lines: list[str]) -> dict[str, str]:
    found: dict[str, str] = json.loads(lines[-1])
    return found


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_program_killed_in_the_middle_of_a_step_goes_on_in_the_next_run(
    project: Project, how: signal.Signals
) -> None:
    with project.driver() as process:
        worker = project.worker()
        process.send_signal(how)
        assert process.wait() == -how
    until(lambda: not alive(worker))
    assert project.entries() == 1, "the finished step, and no half of the other"
    project.path("go").touch()
    code, lines = project.run()
    assert (code, results(lines)) == (0, {"first": "cached", "meet": "done"})
    assert next(project.store.glob("steps/*/*/out/text.txt")).read_text() in ("hello", "whole")
    assert project.leftovers() == []


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a thread watches, which needs the interpreter's lock")
def test_a_worker_that_never_gives_the_interpreter_back_dies_with_the_program(project: Project) -> None:
    pids = project.path("pids")
    with project.driver(("hold", "hold_the_interpreter", [], {"pids": str(pids)})) as process:
        until(lambda: pids.exists() and pids.read_text())
        worker = int(pids.read_text())
        assert alive(worker)
        process.kill()
    try:
        until(lambda: not alive(worker))
    finally:
        with suppress(ProcessLookupError):
            os.killpg(worker, signal.SIGKILL)


def test_ctrl_c_leaves_no_process_and_no_half_written_entry(project: Project) -> None:
    with project.driver() as process:
        worker = project.worker()
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
        assert not alive(worker), "it is gone before the program is"
    assert project.entries() == 1
    assert project.leftovers() == []
    project.path("go").touch()
    assert project.run()[0] == 0, "no lock is left behind"


def test_two_runs_at_once_share_the_work(project: Project) -> None:
    with project.driver() as first:
        project.worker()
        with project.driver() as second:
            assert second.stdout is not None
            heard = [second.stdout.readline().split()[:2] for _ in range(2)]
            assert heard == [["cached", "first"], ["wait", "meet"]]
            project.path("go").touch()
            assert results(second.communicate()[0].splitlines()) == {"first": "cached", "meet": "cached"}
        assert results(first.communicate()[0].splitlines()) == {"first": "done", "meet": "done"}
    assert project.executions() == 2, "one for each step"


def test_a_run_that_waits_for_one_that_dies_does_the_work_itself(project: Project) -> None:
    with project.driver() as first:
        project.worker()
        with project.driver() as second:
            assert second.stdout is not None
            until(lambda: second.stdout is not None and second.stdout.readline().startswith("wait"))
            first.kill()
            project.path("go").touch()
            assert results(second.communicate()[0].splitlines()) == {"first": "cached", "meet": "done"}
    assert project.executions() == 3


def test_an_unchanged_second_run_starts_no_process(project: Project) -> None:
    project.path("go").touch()
    assert results(project.run()[1]) == {"first": "done", "meet": "done"}
    trace = project.path("trace")
    project.path("sitecustomize.py").write_text(COUNT_PROCESSES)
    command = [sys.executable, str(HERE / "build_driver.py"), str(project.store)]
    environment = os.environ | {"PYTHONPATH": python_path(project.folder), "TRACE": str(trace)}
    again = [*command, json.dumps(project.steps)]
    done = subprocess.run(again, capture_output=True, text=True, check=True, env=environment)
    assert results(done.stdout.splitlines()) == {"first": "cached", "meet": "cached"}
    assert not trace.exists()
    other = [*command, json.dumps([("other", "write", [], {"text": "other"})])]
    subprocess.run(other, capture_output=True, check=True, env=environment)
    assert trace.read_text() == "x", "the hook counts what it should"


COUNT_PROCESSES = """
import os, sys
def hook(event, _):
    if event == "subprocess.Popen":
        with open(os.environ["TRACE"], "a") as trace:
            trace.write("x")
sys.addaudithook(hook)
"""


THREE_RUNS = """
"$PYTHON" "$DRIVER" "$STORE" "$LOUD"; echo "exit $?"
"$PYTHON" "$DRIVER" "$STORE" "$FILL"; echo "exit $?"
find "$STORE"/steps "$STORE"/tmp -type f -o -type l
"$PYTHON" "$DRIVER" "$STORE" "$SMALL"; echo "exit $?"
"""


def on_a_small_disk(store: Path) -> list[str]:
    """How to start a shell that cannot write much below `store`.

    A file system of 1 MiB of its own where the kernel lets us mount one, else a limit on the size of each file.
    """
    private = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
    if subprocess.run([*private, "true"], check=False).returncode == 0:
        return [*private, f"mount -t tmpfs -o size=1m tmpfs '{store}'\n{THREE_RUNS}"]
    return ["prlimit", "--fsize=4096", "sh", "-c", THREE_RUNS]


def test_a_full_disk_while_publishing_is_said_and_leaves_the_store_whole(project: Project) -> None:
    project.store.mkdir()
    given = {
        "PYTHON": sys.executable,
        "PYTHONPATH": python_path(),
        "DRIVER": str(HERE / "build_driver.py"),
        "STORE": str(project.store),
        "LOUD": json.dumps([("loud", "fill_the_disk", [], {"lines": 3})]),
        "FILL": json.dumps([("fill", "fill_the_disk", [], {"lines": 0})]),
        "SMALL": json.dumps([("small", "write", [], {"text": "fits"})]),
    }
    command = on_a_small_disk(project.store)
    done = subprocess.run(command, env=os.environ | given, capture_output=True, text=True, check=True)
    loud, failed, _, zero, start, said, log, four, *found, small, over, kinds, last = done.stdout.splitlines()
    full = r"(No space left on device|File too large)"
    assert (loud, zero) == ("start    loud", "exit 0")
    assert re.match(rf"failed   loud  OSError: \[Errno \d+\] {full}", failed), "a log that cannot grow loses no worker"
    assert (start, four) == ("start    fill", "exit 4")
    assert re.fullmatch(
        rf"step 'fill' ran, yet its output is lost: cannot write in the store {project.store}: {full}\. What it holds "
        r"is whole\. Next: free some space, or let DEPLOYSPEC_STORE name a folder elsewhere, and run again",
        said,
    )
    assert log.startswith(f"  log: {project.store}/logs/fill-")
    assert found == [], "no entry, and the space of the lost output is free again"
    assert (small, over[:8], json.loads(kinds), last) == ("start    small", "done    ", {"small": "done"}, "exit 0")
