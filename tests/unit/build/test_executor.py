"""The executor of this machine by itself: how much it takes at once, and how it ends."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deployspec.build.executor import LocalExecutor
from deployspec.build.messages import Task
from deployspec.errors import StepFailed
from deployspec.ir.artifact import Job
from deployspec.ir.plan import Toolchain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import World

ONE, TWO = Toolchain(name="one"), Toolchain(name="two")


@contextmanager
def executor(world: World, jobs: int) -> Iterator[LocalExecutor]:
    made = LocalExecutor(jobs=jobs, scratch=world.folder)
    try:
        yield made
    finally:
        made.close()


def task(world: World, name: str, tools: Toolchain) -> Task:
    """A task that says that it runs and then waits for the file `go`."""
    options = {"started": str(world.folder / f"{name}.started"), "go": str(world.folder / "go")}
    step = world.step(name, "meet", tools=tools, options=options)
    job = Job(inputs={}, out=world.folder / name, options=options, model=world.context.model)
    return Task(step=step, job=job, log=world.folder / f"{name}.log")


def started(world: World, name: str) -> int:
    """The worker's process id, once the task is under way."""
    path = world.folder / f"{name}.started"
    world.until(lambda: path.exists() and path.read_text())
    return int(path.read_text())


def test_one_task_for_each_toolchain(world: World) -> None:
    with executor(world, jobs=3) as local:
        assert local.has_room(ONE)
        future = local.submit(task(world, "a", ONE))
        assert not local.has_room(ONE)
        assert local.has_room(TWO)
        (world.folder / "go").touch()
        assert future.result().facts == {}
        assert local.has_room(ONE)


def test_no_more_tasks_than_jobs(world: World) -> None:
    with executor(world, jobs=1) as local:
        future = local.submit(task(world, "a", ONE))
        assert not local.has_room(TWO)
        (world.folder / "go").touch()
        future.result()
        assert local.has_room(TWO)


def test_closing_ends_what_runs(world: World) -> None:
    with executor(world, jobs=1) as local:
        future = local.submit(task(world, "a", ONE))
        pid = started(world, "a")
    with pytest.raises(StepFailed, match="'a' failed: its worker was killed by SIGKILL"):
        future.result(timeout=0)
    assert not Path(f"/proc/{pid}").exists()


def test_closing_starts_no_second_try(world: World) -> None:
    (world.folder / "go").touch()
    with executor(world, jobs=1) as local:
        local.submit(task(world, "a", ONE)).result()
        (world.folder / "go").unlink()
        future = local.submit(task(world, "b", ONE))
        started(world, "b")
    with pytest.raises(StepFailed):
        future.result(timeout=0)
    assert "tried again" not in (world.folder / "b.log").read_text()


def test_a_worker_that_cannot_be_started_fails_the_step(world: World) -> None:
    (world.folder / "a.log").mkdir()
    with executor(world, jobs=1) as local, pytest.raises(StepFailed, match=r"could not be started: .*Is a directory"):
        local.submit(task(world, "a", ONE)).result()
