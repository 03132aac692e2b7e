"""A small world to build in: a spec's folder, a store, and steps that run in real workers."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from deployspec.build.executor import LocalExecutor
from deployspec.build.scheduler import BuildContext, build
from deployspec.build.store import Store
from deployspec.ir.model import Input, Model, Preprocess
from deployspec.ir.plan import Action, Plan, Step, Toolchain

if TYPE_CHECKING:
    from collections.abc import Callable

    from deployspec.ir.artifact import StepResult

HERE = Path(__file__).parent
MODEL = Model(name="m", source="m.py:build", inputs=(Input(name="x", shape=(1, 4), preprocess=Preprocess(scale=0.5)),))


def make_step(step_id: str, function: str, *takes: str, toolchain: str = "plain", **fields: Any) -> Step:
    """A step whose roles are the ids of what it takes."""
    return Step(
        id=step_id,
        action=Action.CONVERT,
        takes=tuple((source, source) for source in takes),
        gives="text",
        function=f"build_steps:{function}",
        toolchain=fields.pop("tools", Toolchain(name=toolchain)),
        **fields,
    )


def until(holds: Callable[[], object], limit_s: float = 20) -> None:
    """Wait for a condition that another process or thread brings about."""
    end = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < end, "the condition did not come to hold"
        time.sleep(0.01)


class Recorder:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []

    def started(self, step: Step) -> None:
        self.events.append(("started", step.id))

    def waiting(self, step: Step) -> None:
        self.events.append(("waiting", step.id))

    def finished(self, step: Step, result: StepResult) -> None:
        self.events.append(("finished", step.id))

    def of(self, kind: str) -> list[str]:
        return [step for event, step in self.events if event == kind]


@dataclass
class World:
    folder: Path
    store: Store
    progress: Recorder = field(default_factory=Recorder)

    step = staticmethod(make_step)
    until = staticmethod(until)

    @property
    def context(self) -> BuildContext:
        return BuildContext(folder=self.folder, model=MODEL, digests={"model": "0" * 64})

    def build(self, *steps: Step, **options: Any) -> dict[str, StepResult]:
        """Unless asked otherwise in workers that keep all rights: these steps leave notes beside their output."""
        workers = LocalExecutor(jobs=options.get("jobs", 2), scratch=self.folder)
        options = {"progress": self.progress, "context": self.context, "executor": workers} | options
        return build(Plan(steps=steps, routes=()), self.store, **options)

    def ledger(self) -> list[str]:
        path = self.folder / "ledger"
        return path.read_text().split() if path.exists() else []

    def write(self, step_id: str, *takes: str, text: str = "hello", **fields: Any) -> Step:
        """A step that behaves and counts its executions."""
        options = {"text": text, "ledger": str(self.folder / "ledger")}
        return self.step(step_id, "join" if takes else "write", *takes, options=options, **fields)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.syspath_prepend(str(HERE))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(HERE), os.environ.get("PYTHONPATH")))))
    folder = tmp_path / "project"
    folder.mkdir()
    return World(folder=folder, store=Store(tmp_path / "store"))
