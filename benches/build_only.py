"""Makes the artifacts of a spec, and neither evaluates nor times them: `build_only.py SPEC STORE JOBS TARGET …`.

Prints, as JSON, the seconds that each target's conversions took in their workers, imports apart.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

from deployspec.build import Store, build
from deployspec.ir.artifact import Done
from deployspec.ir.plan import Action, Plan
from deployspec.preflight import build_context, read
from deployspec.sources.identity import origins


def main(spec_file: str, store: str, jobs: str, *targets: str) -> None:
    """Plan, leave out what only measures, build."""
    spec, plan = read(Path(spec_file), targets)
    steps = plan.by_id()
    needed = _needed(plan)
    made = replace(plan, steps=tuple(step for step in plan.steps if step.id in needed))
    results = build(made, Store(Path(store)), build_context(spec, origins(spec)), jobs=int(jobs))
    seconds = {}
    for route in plan.routes:
        done = [results[step] for step in route.steps if steps[step].action is Action.CONVERT]
        if not all(isinstance(each, Done) for each in done):
            raise RuntimeError(f"{route.target}: {done}")
        seconds[route.target] = sum(each.seconds for each in done)
    print(json.dumps(seconds))


def _needed(plan: Plan) -> set[str]:
    """The steps that the artifacts are made of."""
    steps, waiting, found = plan.by_id(), [route.artifact for route in plan.routes], set()
    while waiting:
        step = waiting.pop()
        if step in steps and step not in found:
            found.add(step)
            waiting += [source for _, source in steps[step].takes]
    return found


if __name__ == "__main__":
    main(*sys.argv[1:])
