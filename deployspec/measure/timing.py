"""Latency, load time, peak memory and ratios: fresh processes, looks fixed in advance, one timed run at a time.

The process is the statistical unit. After each look the measurements so far are shown to the judge, and timing
stops at the first look that decides every budget, or at the last one, or at the time cap.
"""

from __future__ import annotations

import json
import math
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from filelock import FileLock

from deployspec import contract
from deployspec.digests import sha256_bytes
from deployspec.ir.evidence import LEAST_CALLS, Measurement, NotMeasured
from deployspec.ir.report import write_time
from deployspec.lanes.program import Lane, Program, ProgramFailed
from deployspec.measure import processes
from deployspec.measure.asking import called
from deployspec.measure.energy import WINDOW_S, energies

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from deployspec.ir.evidence import Processes
    from deployspec.ir.plan import Runner

WARM_UP_CALLS: Final = 20
WARM_UP_S: Final = 0.1
RATIO_S: Final = 2
MOST_BLOCKS: Final = 20_000

FIGURES: Final = (*processes.PERCENTILES, "load", "first_call", "cold_start", "memory_peak")


@dataclass(frozen=True, kw_only=True)
class Timed:
    """What is timed: an artifact as a lowering left it, its runner, and the baseline of a ratio.

    `inputs` are files of samples, one for each input of the model: every call takes the next `rows` of them, in turn.
    `digest` is that of the artifact and of what these are of; `calls` is the number of warm calls in each process.
    `baseline` and `baseline_options` are the other artifact (or the source's folder) and how its runner loads it.
    `sustained_s` is how long each process of a sustained run takes, 0 for none. `energy` asks for that of a call:
    what the machine's counter tells, or, where it is `metered`, when something else must have counted.
    """

    target: str
    lowered: Path
    runner: Runner
    artifact: Path
    digest: str
    calls: int
    time_limit_s: int
    inputs: Sequence[Path]
    rows: int = 1
    baseline: Path | None = None
    baseline_options: dict[str, Any] | None = None
    sustained_s: int = 0
    energy: bool = False
    metered: bool = False


@dataclass(frozen=True, kw_only=True)
class Samples:
    """Raw lines of a timing, as the store keeps them: of each task of the runner's, one line a process."""

    measured_at: str
    runtime: str
    lines: dict[str, list[dict[str, Any]]]

    def as_bytes(self) -> bytes:
        """The JSON whose digest the report carries."""
        return json.dumps(self.__dict__, sort_keys=True).encode()


def time_artifact(
    timed: Timed, lane: Lane, looks: Sequence[int], decided: Callable[[Sequence[Measurement]], bool]
) -> tuple[Samples | None, list[Measurement]]:
    """Time one artifact look by look; a run that fails is a NotMeasured with its reason for every figure."""
    samples = Samples(measured_at=write_time(datetime.now(UTC)), runtime="", lines={})
    found: list[Measurement] = []
    try:
        with one_timed_run():
            deadline = time.monotonic() + timed.time_limit_s
            for look in looks:
                samples = _until(samples, look, timed, lane, deadline)
                found = measurements(timed, lane, samples)
                if decided(found):
                    break
    except ProgramFailed as error:
        if not found or time.monotonic() < deadline:
            return None, _not_measured(timed, lane, str(error))
    return samples, found


def one_timed_run() -> FileLock:
    """A lock that every timed run on this machine takes, whichever project it belongs to."""
    return FileLock(Path(tempfile.gettempdir()) / "deployspec-timing.lock", mode=0o666)


def measurements(timed: Timed, lane: Lane, samples: Samples) -> list[Measurement]:
    """Every figure that the samples give, one value per process."""
    lines = samples.lines
    figures: dict[str, Processes | NotMeasured] = {
        **processes.times(timed.calls, lines["time"]),
        "memory_peak": processes.memory(lines["time"]),
    }
    if timed.baseline is not None:
        figures["latency_reduction"] = processes.reductions(lines["ratio"])
    if timed.sustained_s:
        figures["sustained_slowdown"] = processes.slowdowns(lines["sustain"])
    if timed.energy and not timed.metered:
        figures["energy"] = energies(lines["energy"])
    digest = sha256_bytes(samples.as_bytes())
    return [_measurement(timed, lane, name, figure, samples, digest) for name, figure in figures.items()]


def _until(samples: Samples, look: int, timed: Timed, lane: Lane, deadline: float) -> Samples:
    """Run as many more processes as bring the samples to `look`."""
    inputs = {f"input-{i}.npy": path for i, path in enumerate(timed.inputs)}
    more = {"inputs": list(inputs), "processes": look - len(samples.lines.get("time", ()))}
    tasks = [task | more for task in asked(timed)]
    name = called(timed.artifact)
    files = {name: timed.artifact} | inputs
    request = {"artifact": name, "tasks": tasks} | contract.call(timed.lowered)
    if timed.baseline is not None:
        files["baseline"] = timed.baseline
        request |= {"baseline": "baseline", "baseline_options": timed.baseline_options}
    with tempfile.TemporaryDirectory(prefix="deployspec-timing-") as nothing:
        program = Program(
            runner=timed.runner,
            job=request,
            files=files,
            fetch=Path(nothing),
            time_limit_s=max(1, math.ceil(deadline - time.monotonic())),
        )
        runtime, *told = lane.run(program)
    lines = {
        task["task"]: samples.lines.get(task["task"], []) + [line for line in told if line["task"] == number]
        for number, task in enumerate(tasks)
    }
    return Samples(measured_at=samples.measured_at, runtime=runtime["runtime"], lines=lines)


def asked(timed: Timed) -> list[dict[str, Any]]:
    """What is asked of each process, which says how its figures were taken; how many there are is not."""
    how = {"rows": timed.rows, "warmup_calls": WARM_UP_CALLS, "warmup_s": WARM_UP_S}
    return [how | task for task in _tasks(timed)]


def _tasks(timed: Timed) -> Iterator[dict[str, Any]]:
    """What processes are for, as `deployspec.runners.stopwatch` and `deployspec.runners.joules` call it."""
    yield {"task": "time", "calls": timed.calls}
    if timed.baseline is not None:
        yield {"task": "ratio", "calls": LEAST_CALLS["latency_reduction"], "seconds": RATIO_S, "most": MOST_BLOCKS}
    if timed.sustained_s:
        yield {"task": "sustain", "seconds": timed.sustained_s}
    if timed.energy:
        yield {"task": "energy", "seconds": WINDOW_S, "metered": timed.metered}


def _measurement(
    timed: Timed, lane: Lane, name: str, statistic: Processes | NotMeasured, samples: Samples, digest: str
) -> Measurement:
    return Measurement(
        target=timed.target,
        name=name,
        statistic=statistic,
        evidence=lane.evidence,
        runtime=samples.runtime,
        samples_sha256=digest,
        measured_at=samples.measured_at,
    )


def _not_measured(timed: Timed, lane: Lane, reason: str) -> list[Measurement]:
    more = {"latency_reduction": timed.baseline, "sustained_slowdown": timed.sustained_s, "energy": timed.energy}
    names = [*FIGURES, *(name for name, wanted in more.items() if wanted)]
    return [
        Measurement(target=timed.target, name=name, statistic=NotMeasured(reason=reason), evidence=lane.evidence)
        for name in names
    ]
