"""The host's lane: runners of one family share a process and its imports, and each job gets the runner it names."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from deployspec.ir.plan import Runner, Toolchain
from deployspec.lanes.host import HostLane
from deployspec.lanes.program import Program

if TYPE_CHECKING:
    from collections.abc import Iterator

RUNNER = """\
import os
RUNTIME = "{name}, process " + str(os.getpid())
def load(artifact, options):
    return lambda arrays: [{factor} * array for array in arrays]
"""


@pytest.fixture
def lane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HostLane]:
    for name, factor in (("twice", 2), ("thrice", 3)):
        (tmp_path / f"{name}.py").write_text(RUNNER.format(name=name, factor=factor))
    monkeypatch.syspath_prepend(tmp_path)
    with HostLane() as lane:
        yield lane


def answered(lane: HostLane, folder: Path, name: str, family: str) -> tuple[str, float]:
    """The runtime that answers, and what it makes of 1."""
    np.save(folder / "x.npy", np.ones((1, 1), np.float32))
    out = folder / f"{name}-out"
    job = {"artifact": "x.npy", "options": {}, "tasks": [{"task": "outputs", "inputs": ["x.npy"], "out": "out"}]}
    runner = Runner(script=name, toolchain=Toolchain(name=name, shares=family))
    files = {"x.npy": folder / "x.npy"}
    told, _ = lane.run(Program(runner=runner, job=job, files=files, fetch=out, time_limit_s=60))
    return told["runtime"], float(np.load(out / "0.npy")[0, 0])


def test_runners_of_one_family_share_a_process_and_are_not_mixed_up(lane: HostLane, tmp_path: Path) -> None:
    (first, doubled), (second, tripled) = (answered(lane, tmp_path, name, "one") for name in ("twice", "thrice"))
    assert (doubled, tripled) == (2.0, 3.0)
    assert first.startswith("twice")
    assert second.startswith("thrice")
    assert first.rpartition(" ")[2] == second.rpartition(" ")[2]


def test_runners_of_two_families_do_not(lane: HostLane, tmp_path: Path) -> None:
    runtimes = [answered(lane, tmp_path, name, name)[0] for name in ("twice", "thrice")]
    assert runtimes[0].rpartition(" ")[2] != runtimes[1].rpartition(" ")[2]


WAITS = """\
import os, time
from pathlib import Path
RUNTIME = "waits"
def load(artifact, options):
    Path(options["told"]).write_text(str(os.getppid()))
    time.sleep(60)
"""


def test_a_job_that_is_broken_into_takes_its_runner_with_it(lane: HostLane, tmp_path: Path) -> None:
    def break_in(number: int, _: object) -> None:
        raise InterruptedError(number)

    def break_in_once_told() -> None:
        while not (told.exists() and told.read_text()):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGALRM)

    told = tmp_path / "told"
    (tmp_path / "waits.py").write_text(WAITS)
    np.save(tmp_path / "x.npy", np.ones((1, 1), np.float32))
    tasks = [{"task": "outputs", "inputs": ["x.npy"], "out": "out"}]
    job = {"artifact": "x.npy", "options": {"told": str(told)}, "tasks": tasks}
    runner = Runner(script="waits", toolchain=Toolchain(name="waits"))
    before = signal.signal(signal.SIGALRM, break_in)
    threading.Thread(target=break_in_once_told, daemon=True).start()
    try:
        with pytest.raises(InterruptedError):
            lane.run(
                Program(
                    runner=runner, job=job, files={"x.npy": tmp_path / "x.npy"}, fetch=tmp_path / "out", time_limit_s=60
                )
            )
    finally:
        signal.signal(signal.SIGALRM, before)
    assert not Path(f"/proc/{told.read_text()}").exists()
