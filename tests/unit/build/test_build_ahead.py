"""When runners get ready for timing."""

from __future__ import annotations

from pathlib import Path

from bench_lane import Bench

from deployspec.build.ahead import Ahead
from deployspec.build.progress import Silent
from deployspec.ir.artifact import Done, Failed
from deployspec.ir.plan import Action, Plan, Route, Runner, Step, Toolchain

RUNNERS = [Runner(script=name, toolchain=Toolchain(name="x")) for name in ("one", "two")]


class Ready(Bench):
    """A lane that notes what it was told to prepare."""

    def __init__(self) -> None:
        super().__init__()
        self.prepared: set[str] = set()

    def prepare(self, runner: Runner) -> None:
        self.prepared.add(runner.script)


def step(name: str) -> Step:
    return Step(
        id=name, action=Action.EVALUATE, takes=(), gives="outputs", function="m:f", toolchain=Toolchain(name="x")
    )


def test_every_runner_gets_ready_once_something_was_evaluated() -> None:
    routes = tuple(
        Route(
            target=str(i),
            format="f",
            steps=(),
            artifact="a",
            structure="s",
            runner=runner,
            evaluations=(("test", f"a{i}@test"),),
        )
        for i, runner in enumerate(RUNNERS)
    )
    lane = Ready()
    told = Ahead(Silent(), lane, Plan(steps=(), routes=routes))  # type: ignore[arg-type]
    told.finished(step("a0"), Done(step="a0", folder=Path(), sha256="", cached=False, seconds=0))
    told.finished(step("a0@test"), Failed(step="a0@test", reason="it broke"))
    assert lane.prepared == set()
    told.finished(step("a1@test"), Done(step="a1@test", folder=Path(), sha256="", cached=False, seconds=0))
    assert lane.prepared == {"one", "two"}
