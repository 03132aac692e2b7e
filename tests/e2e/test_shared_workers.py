"""Five toolchains that share torch: what each worker imports, and that sharing changes no byte of what is made."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pytest

from deployspec.build import Store, build
from deployspec.ir.artifact import Done
from deployspec.ir.plan import Action
from deployspec.preflight import build_context, read
from deployspec.sources.identity import origins

SPEC = Path(__file__).parents[2] / "specs" / "digits-all.toml"
TARGETS = ("server-int8", "mobile-int8", "embedded-int8", "android-int8", "ios-int8")
SHARED = {"torch", "torchao", "executorch", "litert_torch", "coremltools"}
HEAVY = SHARED | {"tensorflow", "keras", "sklearn"}

TELL_IMPORTS = """
import os, sys
told = set()
def hook(event, _):
    if event == "import":
        for name in os.environ["HEAVY"].split():
            if name not in told and sys.modules.get(name) is not None:
                told.add(name)
                os.write(2, f"\\nIMPORTED {os.getpid()} {name}\\n".encode())
if "deployspec.build.worker" in sys.orig_argv:
    sys.addaudithook(hook)
"""


def converted(store: Path, *targets: str, jobs: int) -> dict[str, str]:
    """Make the artifacts of these targets; the digest of each conversion's output."""
    spec, plan = read(SPEC, targets)
    steps = tuple(step for step in plan.steps if step.action is Action.CONVERT or step.id == "data.calibration")
    results = build(replace(plan, steps=steps), Store(store), build_context(spec, origins(spec)), jobs=jobs)
    assert all(isinstance(result, Done) for result in results.values()), results
    return {step.id: results[step.id].sha256 for step in steps if step.action is Action.CONVERT}


def test_no_step_that_measures_shares_a_worker_with_one_that_makes() -> None:
    _, plan = read(SPEC)
    families = {action: {step.toolchain.family for step in plan.steps if step.action is action} for action in Action}
    makes = families.pop(Action.CONVERT)
    assert makes == {"torch", "ai-edge-quantizer"}
    assert makes.isdisjoint(set().union(*families.values()))


@pytest.mark.slow
def test_two_lanes_import_torch_once_each_and_nothing_that_no_target_asks_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(TELL_IMPORTS)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH")))))
    monkeypatch.setenv("HEAVY", " ".join(sorted(HEAVY)))
    converted(tmp_path / "store", *TARGETS, jobs=2)
    workers = imported(tmp_path / "store" / "logs")
    assert len(workers) == 2, "the worker that prepares data imports no framework"
    assert all("torch" in worker for worker in workers)
    assert set().union(*workers) == SHARED


def imported(logs: Path) -> list[set[str]]:
    """Of each worker that imported any what it imported: a worker that is kept apart writes to its log only."""
    found: dict[str, set[str]] = defaultdict(set)
    for log in logs.iterdir():
        for worker, name in re.findall(r"^IMPORTED (\d+) (\w+)$", log.read_text(), re.MULTILINE):
            found[worker].add(name)
    return list(found.values())


@pytest.mark.slow
def test_what_a_shared_worker_makes_is_what_one_of_its_own_makes(tmp_path: Path) -> None:
    together = converted(tmp_path / "together", *TARGETS, jobs=1)
    alone: dict[str, str] = {}
    for target in TARGETS:
        alone |= converted(tmp_path / target, target, jobs=1)
    assert together == alone
