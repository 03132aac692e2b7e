"""The timed tasks of a runner: load, first call and warm calls apart, two artifacts interleaved, or minutes of calls.

Each is performed in a fresh process, with the arrays of some calls, which are made in turn: what is quick for one
input only does not look quick. Times are in nanoseconds.

This file is shipped to devices beside `protocol.py`: the standard library and numpy, and nothing else of deployspec.
"""

from __future__ import annotations

import contextlib
import os
import resource
import time
from array import array
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from deployspec.runners.protocol import Load, Run

    Arrays = tuple[np.ndarray, ...]
    """Of one call: one for each input."""

    Timed = Callable[[Load, dict[str, Any], dict[str, Any], Sequence[Arrays]], dict[str, Any]]
    """From how to load, the job, its task and the arrays of each call to what is told of the process."""


def time_calls(load: Load, job: dict[str, Any], task: dict[str, Any], inputs: Sequence[Arrays]) -> dict[str, Any]:
    """Load, first call, warm-up, then `task["calls"]` timed calls; peak memory above the start's."""
    _pin()
    turns = cycle(inputs)
    arrays = next(turns)
    resident = _peak_memory()
    starting = Disturbance()
    begun = time.perf_counter_ns()
    run = load(job["artifact"], job["options"])
    loaded = time.perf_counter_ns()
    run(arrays)
    first = time.perf_counter_ns()
    start = starting.facts()
    warmup = warm_up(task, run, turns)
    disturbance = Disturbance()
    calls = [_timed(run, next(turns)) for _ in range(task["calls"])]
    return {
        "load_ns": loaded - begun,
        "first_call_ns": first - loaded,
        "start": start,
        "warmup_ns": warmup.tolist(),
        "calls_ns": calls,
        "memory_peak_bytes": _peak_above(resident),
    } | disturbance.facts()


def time_pair(load: Load, job: dict[str, Any], task: dict[str, Any], inputs: Sequence[Arrays]) -> dict[str, Any]:
    """Calls of artifact and baseline interleaved, ABBA and BAAB in turn; the time of each, per block of two.

    Throughout a block both get the same arrays; so few of the `inputs` take turns that each has several blocks. At
    least `task["calls"]` blocks, and `task["seconds"]` long, unless that takes more than `task["most"]`. What is
    loaded first, and what is called after a pause, is a little slower: each is so in every other process, or block.
    """
    _pin()
    inputs = inputs[:_PAIRED]
    sides = (("artifact", "options"), ("baseline", "baseline_options"))
    pair: list[Any] = [None, None]
    first, turns = task["repetition"] % 2, cycle(inputs)
    for which in (first, 1 - first):
        artifact, options = sides[which]
        pair[which] = load(job[artifact], job[options])
        warm_up(task, pair[which], turns)
    disturbance = Disturbance()
    blocks: list[list[int]] = []
    end = time.perf_counter() + task["seconds"]
    while len(blocks) < task["calls"] or (time.perf_counter() < end and len(blocks) < task["most"]):
        spent, arrays = [0, 0], next(turns)
        for which in _TURNS[len(blocks) % 2]:
            spent[which] += _timed(pair[which], arrays)
        blocks.append(spent)
    return {"blocks_ns": blocks, "inputs": len(inputs)} | disturbance.facts()


_TURNS = ((0, 1, 1, 0), (1, 0, 0, 1))
_PAIRED = 9
"""Odd, so that each of them has blocks of either kind."""


def sustain(load: Load, job: dict[str, Any], task: dict[str, Any], inputs: Sequence[Arrays]) -> dict[str, Any]:
    """Rest for `task["seconds"]`, so that the machine cools down, then call for as long; the median of each quarter."""
    _pin()
    run, turns = load(job["artifact"], job["options"]), cycle(inputs)
    warm_up(task, run, turns)
    time.sleep(task["seconds"])
    return {"quarters": [_quarter(run, turns, task["seconds"] / 4) for _ in range(4)]}


def _quarter(run: Run, turns: Iterator[Arrays], seconds: float) -> dict[str, Any]:
    disturbance, calls = Disturbance(), array("Q")
    end = time.perf_counter_ns() + int(seconds * 1e9)
    for arrays in turns:
        before = time.perf_counter_ns()
        if before >= end:
            break
        run(arrays)
        calls.append(time.perf_counter_ns() - before)
    return {"median_ns": float(np.median(calls)), "calls": len(calls)} | disturbance.facts()


TASKS: dict[str, Timed] = {"time": time_calls, "ratio": time_pair, "sustain": sustain}


def warm_up(task: dict[str, Any], run: Run, turns: Iterator[Arrays]) -> array[int]:
    """At least `task["warmup_calls"]` calls, and at least `task["warmup_s"]` long; the time of each."""
    end = time.perf_counter() + task["warmup_s"]
    calls = array("Q")  # small, as what it takes counts as the model's
    while len(calls) < task["warmup_calls"] or time.perf_counter() < end:
        calls.append(_timed(run, next(turns)))
    return calls


def _timed(run: Run, arrays: Arrays) -> int:
    start = time.perf_counter_ns()
    run(arrays)
    return time.perf_counter_ns() - start


class Disturbance:
    """What the machine did to us between construction and `facts`: waits, switches, stolen time, load."""

    def __init__(self) -> None:
        self._stolen = _stolen_s()
        self._used = resource.getrusage(resource.RUSAGE_SELF)
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def facts(self) -> dict[str, Any]:
        """Wall and CPU seconds, context switches, seconds that the machine's host took, load average of a minute."""
        told = {"wall_s": time.perf_counter() - self._wall, "cpu_s": time.process_time() - self._cpu}
        used, stolen = resource.getrusage(resource.RUSAGE_SELF), _stolen_s()
        return told | {
            "involuntary_switches": used.ru_nivcsw - self._used.ru_nivcsw,
            "voluntary_switches": used.ru_nvcsw - self._used.ru_nvcsw,
            "stolen_s": None if stolen is None or self._stolen is None else stolen - self._stolen,
            "load_average": os.getloadavg()[0],
        }


def _stolen_s() -> float | None:
    """Seconds, to a hundredth, that the host of this virtual machine gave to others; None where that is not told."""
    try:
        return int(Path("/proc/stat").read_text().split(maxsplit=9)[8]) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError):
        return None


def _pin() -> None:
    """Stay on one core where the system lets us; one that moves is timed with cold caches."""
    with contextlib.suppress(AttributeError, OSError):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def _peak_memory() -> int | None:
    """The most that was resident so far, of a process that was forked to time and has done nothing yet."""
    try:
        return _status_bytes("VmHWM")
    except OSError:
        return None


def _peak_above(resident: int | None) -> int | None:
    return None if resident is None else max(0, _status_bytes("VmHWM") - resident)


def _status_bytes(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field + ":"))
