"""A program that builds: `build_driver.py STORE STEPS`, with the steps as JSON. Its last line is the results."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

from deployspec.build.executor import LocalExecutor
from deployspec.build.progress import PlainProgress
from deployspec.build.scheduler import BuildContext, build
from deployspec.build.store import Store
from deployspec.errors import DeploySpecError
from deployspec.ir.artifact import Done
from deployspec.ir.model import Input, Model
from deployspec.ir.plan import Action, Plan, Step, Toolchain

MODEL = Model(name="m", source="m.py:build", inputs=(Input(name="x", shape=(1, 4)),))


def step(step_id: str, function: str, takes: list[str], options: dict[str, object]) -> Step:
    return Step(
        id=step_id,
        action=Action.CONVERT,
        takes=tuple((source, source) for source in takes),
        gives="text",
        function=f"build_steps:{function}",
        toolchain=Toolchain(name="plain"),
        options=options,
    )


def main(root: str, steps: str) -> None:
    plan = Plan(steps=tuple(step(*each) for each in json.loads(steps)), routes=())
    store = Store(Path(root))
    context = BuildContext(folder=store.root.parent, model=MODEL, digests={})
    try:
        # They keep all rights: the steps leave notes beside their output.
        workers = LocalExecutor(jobs=2, scratch=store.root.parent)
        results = build(plan, store, context, progress=PlainProgress(sys.stdout), executor=workers)
    except KeyboardInterrupt:
        sys.exit(130)
    except DeploySpecError as error:
        print(error)
        sys.exit(error.exit_code)
    kinds = {
        name: "failed" if not isinstance(r, Done) else "cached" if r.cached else "done" for name, r in results.items()
    }
    print(json.dumps(kinds))


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell starts in the background ignores it
    main(*sys.argv[1:])
