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
RED = Toolchain(name="red", distributions=("paint", "red"), shares="paint")
BLUE = Toolchain(name="blue", distributions=("paint", "blue"), shares="paint")


@contextmanager
def executor(world: World, jobs: int) -> Iterator[LocalExecutor]:
    made = LocalExecutor(jobs=jobs, scratch=world.folder)
    try:
        yield made
    finally:
        made.close()


def task(world: World, name: str, tools: Toolchain, function: str = "meet", **more: str) -> Task:
    """A task that says that it runs and then waits for the file `go`, or runs another function."""
    options = {"started": str(world.folder / f"{name}.started"), "go": str(world.folder / "go")} | more
    step = world.step(name, function, tools=tools, options=options)
    job = Job(inputs={}, out=world.folder / name, options=options, model=world.context.model)
    return Task(step=step, job=job, log=world.folder / f"{name}.log")


def started(world: World, name: str) -> int:
    """The worker's process id, once the task is under way."""
    path = world.folder / f"{name}.started"
    world.until(lambda: path.exists() and path.read_text())
    return int(path.read_text())


def exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_no_more_tasks_than_jobs(world: World) -> None:
    with executor(world, jobs=2) as local:
        futures = [local.submit(task(world, name, ONE), {"one"}) for name in "ab" if local.has_room()]
        assert len(futures) == 2
        assert not local.has_room()
        (world.folder / "go").touch()
        assert [future.result().facts for future in futures] == [{}, {}]
        assert local.has_room()


def test_two_tasks_of_one_toolchain_may_run_at_once(world: World) -> None:
    with executor(world, jobs=2) as local:
        for name in "ab":
            local.submit(task(world, name, ONE), {"one"})
        assert started(world, "a") != started(world, "b")


def test_a_family_shares_a_worker_and_others_do_not(world: World) -> None:
    (world.folder / "go").touch()
    with executor(world, jobs=2) as local:
        for name, tools in (("red", RED), ("blue", BLUE), ("one", ONE)):
            local.submit(task(world, name, tools), {"paint", "one"}).result()
    assert started(world, "red") == started(world, "blue") != started(world, "one")


def test_a_task_goes_to_the_worker_that_has_most_of_it_loaded(world: World) -> None:
    with executor(world, jobs=2) as local:
        futures = [local.submit(task(world, tools.name, tools), {"paint"}) for tools in (RED, BLUE)]
        first = {tools.name: started(world, tools.name) for tools in (RED, BLUE)}
        (world.folder / "go").touch()
        for future in futures:
            future.result()
        for number, tools in enumerate((RED, RED, BLUE, BLUE)):
            local.submit(task(world, f"{number}", tools), {"paint"}).result()
            assert started(world, f"{number}") == first[tools.name]


def test_a_worker_ends_when_no_task_of_its_family_is_to_come(world: World) -> None:
    (world.folder / "go").touch()
    with executor(world, jobs=2) as local:
        local.submit(task(world, "red", RED), {"paint", "one"}).result()
        assert exists(started(world, "red"))
        local.submit(task(world, "one", ONE), {"one"}).result()
        assert not exists(started(world, "red")), "idle when the last of the others began"
        assert exists(started(world, "one"))
        local.submit(task(world, "last", ONE), ()).result()
        assert started(world, "last") == started(world, "one")
        assert not exists(started(world, "one")), "at work when none was left"


def test_the_second_try_is_alone_in_a_fresh_worker(world: World) -> None:
    tries = world.folder / "tries"
    with executor(world, jobs=2) as local:
        futures = [local.submit(task(world, name, ONE), {"one"}) for name in "ab"]
        served = {started(world, name) for name in "ab"}
        (world.folder / "go").touch()
        for future in futures:
            future.result()
        answer = local.submit(task(world, "dies", ONE, "kill_a_shared_worker", tries=str(tries)), {"one"}).result()
        first, second = map(int, tries.read_text().split())
        assert first in served
        assert second == answer.facts["pid"]
        assert second not in served, "though another that had served was idle"
        assert served - {first} == {pid for pid in served if exists(pid)}, "only the harmed one has gone"


def test_closing_ends_what_runs(world: World) -> None:
    with executor(world, jobs=1) as local:
        future = local.submit(task(world, "a", ONE), ())
        pid = started(world, "a")
    with pytest.raises(StepFailed, match="'a' failed: its worker was killed by SIGKILL"):
        future.result(timeout=0)
    assert not exists(pid)


def test_closing_ends_what_is_idle(world: World) -> None:
    (world.folder / "go").touch()
    with executor(world, jobs=1) as local:
        local.submit(task(world, "a", ONE), {"one"}).result()
        assert exists(started(world, "a"))
    assert not exists(started(world, "a"))


def test_closing_starts_no_second_try(world: World) -> None:
    (world.folder / "go").touch()
    with executor(world, jobs=1) as local:
        local.submit(task(world, "a", ONE), {"one"}).result()
        (world.folder / "go").unlink()
        future = local.submit(task(world, "b", ONE), ())
        started(world, "b")
    with pytest.raises(StepFailed):
        future.result(timeout=0)
    assert "tried again" not in (world.folder / "b.log").read_text()


def test_a_worker_that_cannot_be_started_fails_the_step(world: World) -> None:
    (world.folder / "a.log").mkdir()
    with executor(world, jobs=1) as local, pytest.raises(StepFailed, match=r"could not be started: .*Is a directory"):
        local.submit(task(world, "a", ONE), ()).result()
