"""The client by which a step, a function of a worker's job, talks to the runner of an artifact or of the reference."""

from __future__ import annotations

import sys
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from deployspec import contract
from deployspec.contract import ContractBroken
from deployspec.ir.artifact import the_artifact
from deployspec.ir.plan import Runner, Toolchain
from deployspec.lanes.host import HostLane
from deployspec.lanes.program import Program, ProgramFailed

if TYPE_CHECKING:
    from pathlib import Path

    from deployspec.ir.artifact import Job

TIME_LIMIT_S: Final = 3600


def ask(job: Job, request: dict[str, Any], files: dict[str, Path]) -> list[dict[str, Any]]:
    """The lines that the step's runner answers. Raises ProgramFailed when a task failed or the runner did not finish.

    What it writes to `out` is brought to the step's output folder.
    """
    chosen = job.options["runner"]
    runner = Runner(script=chosen["script"], needs=tuple(chosen["needs"]), toolchain=Toolchain(name=chosen["family"]))
    program = Program(
        runner=runner, job=request, files=files, fetch=job.out, time_limit_s=TIME_LIMIT_S, log=sys.stderr.fileno()
    )
    return _lane().run(program)


def ask_artifact(job: Job, tasks: list[dict[str, Any]], files: dict[str, Path]) -> list[dict[str, Any]]:
    """What the artifact's runner says to each task, in its mode, after a line that names its runtime.

    Raises ContractBroken when one failed that may not, or the runner did not finish.
    """
    lowered = job.inputs["artifact"]
    artifact = the_artifact(lowered)
    name = called(artifact)
    request = {"artifact": name, "tasks": tasks} | contract.call(lowered)
    request["options"] |= {"mode": job.options["mode"]} if "mode" in job.options else {}
    try:
        return ask(job, request, {name: artifact} | files)
    except ProgramFailed as error:
        raise ContractBroken(f"it could not be run in a fresh process: {error}") from error


def called(artifact: Path) -> str:
    """The artifact's name where it is run: its own could be that of another file there, as `job.json`."""
    return f"artifact{artifact.suffix}"


def together(job: Job, lines: list[dict[str, Any]]) -> dict[str, Any]:
    """The lines as facts; the runtime's name also tells the mode, and what an evaluator does not vouch for."""
    merged = {key: value for line in lines for key, value in line.items()}
    facts = {key: value for key, value in merged.items() if key not in ("task", "inputs")}
    mode = [job.options["mode"]] if "mode" in job.options else []
    return facts | {"runtime": ", ".join([facts["runtime"], *mode, *_uncovered(facts)])}


def split_files(job: Job) -> dict[str, Path]:
    """The inputs of the role "data", if there is such a one, by the names that a runner's tasks use."""
    if "data" not in job.inputs:
        return {}
    return {f"data-{i}.npy": job.inputs["data"] / f"{i}.npy" for i in range(len(job.model.inputs))}


def _uncovered(facts: dict[str, Any]) -> list[str]:
    """What an evaluator says of its own operators, as part of the label that its figures bear."""
    names = facts.pop("uncovered", [])
    return [f"not covered by conformance: {' '.join(names)}"] if names else []


@cache
def _lane() -> HostLane:
    """One for all steps of a worker, which share its runners' imports; its processes end with the worker.

    The worker has left the network already.
    """
    return HostLane(apart=True, offline=True)
