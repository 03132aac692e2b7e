"""Latency, load time, peak memory and paired ratios: fresh processes, looks fixed in advance, one timed run at a time.

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
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from filelock import FileLock

from deployspec import contract
from deployspec.digests import sha256_bytes
from deployspec.ir.evidence import CALLS_FOR_PERCENTILE, Measurement, NotMeasured, Processes
from deployspec.lanes.program import Lane, Program, ProgramFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from deployspec.ir.plan import Runner

WARM_UP_CALLS: Final = 20
WARM_UP_S: Final = 0.1
RATIO_BLOCKS: Final = 50
CONTENDED_GAP: Final = 0.1
"""A process that waited for more than this share of its wall time was disturbed by the machine."""

FIGURES: Final = (*CALLS_FOR_PERCENTILE, "latency.max", "load", "first_call", "memory_peak")
_PERCENTILE: Final = {"latency.p50": 50, "latency.p90": 90, "latency.p95": 95, "latency.p99": 99, "latency.max": 100}
_NS_PER_MS: Final = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Timed:
    """What is timed: an artifact as a lowering left it, its runner, and the baseline of a ratio.

    `digest` is the artifact's; `calls` the warm calls in each process. `baseline` and `baseline_options` are the
    other artifact (or the source's folder) and how its runner loads it.
    """

    target: str
    lowered: Path
    runner: Runner
    artifact: Path
    digest: str
    calls: int
    time_limit_s: int
    baseline: Path | None = None
    baseline_options: dict[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Samples:
    """Raw lines of a timing, as the store keeps them."""

    measured_at: str
    runtime: str
    time: list[dict[str, Any]]
    ratio: list[dict[str, Any]]

    def as_bytes(self) -> bytes:
        """The JSON whose digest the report carries."""
        return json.dumps(self.__dict__, sort_keys=True).encode()


def time_artifact(
    timed: Timed, lane: Lane, looks: Sequence[int], decided: Callable[[Sequence[Measurement]], bool]
) -> tuple[Samples | None, list[Measurement]]:
    """Time one artifact look by look; a run that fails is a NotMeasured with its reason for every figure."""
    samples = Samples(measured_at=_now(), runtime="", time=[], ratio=[])
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
    contended = tuple(_contended(each) for each in samples.time)
    figures: dict[str, Processes | NotMeasured] = {
        name: Processes(values=tuple(map(_ms, values)), calls=timed.calls, contended=contended)
        for name, values in _times_ns(timed.calls, samples.time).items()
    }
    figures["memory_peak"] = _memory(samples.time)
    if timed.baseline is not None:
        figures["latency_reduction"] = _reductions(samples.ratio)
    return [_measurement(timed, lane, name, statistic, samples) for name, statistic in figures.items()]


def _until(samples: Samples, look: int, timed: Timed, lane: Lane, deadline: float) -> Samples:
    """Run as many more processes as bring the samples to `look`."""
    more = look - len(samples.time)
    probes = {f"probe-{i}.npy": path for i, path in enumerate(contract.probe_files(timed.lowered, "input"))}
    how = {"inputs": list(probes), "warmup_calls": WARM_UP_CALLS, "warmup_s": WARM_UP_S, "processes": more}
    tasks = [how | {"task": "time", "calls": timed.calls}]
    files = {timed.artifact.name: timed.artifact} | probes
    request = {"artifact": timed.artifact.name, "tasks": tasks} | contract.call(timed.lowered)
    if timed.baseline is not None:
        files["baseline"] = timed.baseline
        request |= {"baseline": "baseline", "baseline_options": timed.baseline_options}
        tasks.append(how | {"task": "ratio", "calls": RATIO_BLOCKS})
    with tempfile.TemporaryDirectory(prefix="deployspec-timing-") as nothing:
        program = Program(
            runner=timed.runner,
            job=request,
            files=files,
            fetch=Path(nothing),
            time_limit_s=max(1, math.ceil(deadline - time.monotonic())),
        )
        lines = lane.run(program)
    return Samples(
        measured_at=samples.measured_at,
        runtime=lines[0]["runtime"],
        time=samples.time + [line for line in lines if line.get("task") == 0],
        ratio=samples.ratio + [line for line in lines if line.get("task") == 1],
    )


def _times_ns(calls: int, processes: list[dict[str, Any]]) -> dict[str, list[float]]:
    given = [name for name in _PERCENTILE if calls >= CALLS_FOR_PERCENTILE.get(name, 0)]
    # Nearest rank: a percentile is a call that happened, never a mixture of two.
    figures = {
        name: [float(np.percentile(each["calls_ns"], _PERCENTILE[name], method="inverted_cdf")) for each in processes]
        for name in given
    }
    figures["load"] = [each["load_ns"] for each in processes]
    figures["first_call"] = [each["first_call_ns"] for each in processes]
    return figures


def _memory(processes: list[dict[str, Any]]) -> Processes | NotMeasured:
    peaks = [each["memory_peak_bytes"] for each in processes]
    if None in peaks:
        return NotMeasured(reason="this system does not tell a process its peak memory")
    return Processes(values=tuple(map(Decimal, peaks)), calls=1)


def _reductions(processes: list[dict[str, Any]]) -> Processes:
    """1 - the median of a process's paired ratios, one value per process."""
    blocks = [np.asarray(each["blocks_ns"], np.float64) for each in processes]
    values = tuple(_decimal(1 - float(np.median(each[:, 0] / each[:, 1]))) for each in blocks)
    return Processes(values=values, calls=RATIO_BLOCKS, contended=tuple(map(_contended, processes)))


def _contended(process: dict[str, Any]) -> bool:
    wall: float = process["wall_s"]
    return wall > 0 and (wall - process["cpu_s"]) / wall > CONTENDED_GAP


def _measurement(
    timed: Timed, lane: Lane, name: str, statistic: Processes | NotMeasured, samples: Samples
) -> Measurement:
    return Measurement(
        target=timed.target,
        name=name,
        statistic=statistic,
        evidence=lane.evidence,
        runtime=samples.runtime,
        samples_sha256=sha256_bytes(samples.as_bytes()),
        measured_at=samples.measured_at,
    )


def _not_measured(timed: Timed, lane: Lane, reason: str) -> list[Measurement]:
    names = [*FIGURES, *(["latency_reduction"] if timed.baseline else [])]
    return [
        Measurement(target=timed.target, name=name, statistic=NotMeasured(reason=reason), evidence=lane.evidence)
        for name in names
    ]


def _ms(nanoseconds: float) -> Decimal:
    return _decimal(nanoseconds / _NS_PER_MS)


def _decimal(value: float) -> Decimal:
    """Six decimals: a nanosecond of a millisecond, a millionth of a share."""
    return Decimal(f"{value:.6f}")


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
