"""From what timed processes tell to statistics: one value per process, and how far the machine may have raised it.

Others on the machine can only have made calls longer. They made the process wait, wall time above its CPU time; how
that was spread over its calls is not known. And they slowed it down: who shares a core, a cache or a clock costs time
without a wait. No counter shows that, but the process's own quickest calls do. So beside each time stands the least
that it could have been, had all the waiting fallen where it counts most, and at the speed of the quickest calls. A
verdict must hold for both.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from deployspec.ir.evidence import LEAST_CALLS, NotMeasured, Processes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    Process = dict[str, Any]
    """One line of a runner's task, such as `time`."""

CONTENDED_SHARE: Final = 0.1
"""A process is marked when others may have made more than this share of a figure, or of a ratio's whole run."""

PERCENTILES: Final = {"latency.p50": 50, "latency.p90": 90, "latency.p95": 95, "latency.p99": 99, "latency.max": 100}

UNDISTURBED_PERCENT: Final = 2
"""So many of a process's calls, the quickest, are taken for those that nothing disturbed."""

_FEW_PAIRS: Final = 5
"""Fewer are no median."""

_UNTOLD: Final = NotMeasured(reason="of its processes none told anything that could be read")

_INSTANT: Final = 1e-6
"""In place of a time that a clock did not see pass, in whatever unit."""

_NS_PER_S: Final = 10**9
_NS_PER_MS: Final = 10**6


def times(calls: int, processes: Sequence[Process]) -> Mapping[str, Processes | NotMeasured]:
    """Every percentile that `calls` warm calls give, and the three figures of a start."""
    given = {name: percent for name, percent in PERCENTILES.items() if calls >= LEAST_CALLS.get(name, 0)}
    found = {name: [_percentile(each, percent) for each in processes] for name, percent in given.items()}
    starts = {"load": ("load_ns",), "first_call": ("first_call_ns",), "cold_start": ("load_ns", "first_call_ns")}
    found |= {name: [_start(each, parts) for each in processes] for name, parts in starts.items()}
    if not processes:
        return dict.fromkeys(found, _UNTOLD)
    slow = [slowness(each) for each in processes]
    return {name: _times(calls, pairs, slow) for name, pairs in found.items()}


def slowness(process: Process) -> float:
    """How much longer its median call took than those that nothing disturbed, the warm-up's among them; at least 1.

    The median is as it was: what of it was waiting is taken off besides, so that a fail errs on neither account.
    """
    calls = process["calls_ns"]
    median, _ = percentile(calls, 50, 0)
    quickest, _ = percentile([*process["warmup_ns"], *calls], UNDISTURBED_PERCENT, 0)
    return max(1.0, median / max(_INSTANT, quickest))


def _percentile(process: Process, percent: int) -> tuple[float, float]:
    return percentile(process["calls_ns"], percent, waited_ns(process), waits(process))


def percentile(
    calls_ns: Sequence[int], percent: int, waited_ns: float, waits: int | None = None
) -> tuple[float, float]:
    """The nearest-rank percentile, and the least that it could have been without `waited_ns` of waiting.

    A percentile is a call that happened, never a mixture of two. To lower it, every call up to its rank must be
    lowered to one level: the level at which that takes all of the waiting is the largest of (S_j - waited) / j,
    where S_j is the sum of the j longest of these calls. Where the waiting fell into `waits` pieces, no more than as
    many calls can have had one, and the percentile was not below the call so many ranks before it.
    """
    ranked = np.sort(np.asarray(calls_ns, np.float64))[: math.ceil(percent / 100 * len(calls_ns))]
    longest = np.cumsum(ranked[::-1])
    spread = float(np.max((longest - waited_ns) / np.arange(1, len(ranked) + 1)))
    before = float(ranked[-1 - waits]) if waits is not None and waits < len(ranked) else 0.0
    return float(ranked[-1]), max(0.0, before, spread)


def waited_ns(process: Process) -> float:
    """How long the process was neither running nor done."""
    return max(0.0, float(process["wall_s"] - process["cpu_s"])) * _NS_PER_S


def waits(process: Process) -> int | None:
    """How often the process was switched off; None where it may have waited unseen, its whole machine with it."""
    seen: int = process["involuntary_switches"] + process["voluntary_switches"]
    return seen if process["stolen_s"] == 0 else None


def memory(processes: Sequence[Process]) -> Processes | NotMeasured:
    """Peak memory, which does not depend on who else computes."""
    if not processes:
        return _UNTOLD
    peaks = [each["memory_peak_bytes"] for each in processes]
    if None in peaks:
        return NotMeasured(reason="this system does not tell a process its peak memory")
    return Processes(values=tuple(map(Decimal, peaks)), calls=1)


def reductions(processes: Sequence[Process]) -> Processes | NotMeasured:
    """1 - the undisturbed ratio of each process's blocks."""
    if not processes:
        return _UNTOLD
    blocks = [each["blocks_ns"] for each in processes]
    return Processes(
        values=tuple(decimal(1 - undisturbed_ratio(each["blocks_ns"], each["inputs"])) for each in processes),
        calls=min(map(len, blocks)),
        contended=tuple(map(_contended, processes)),
    )


def undisturbed_ratio(pairs: Sequence[Sequence[float | Decimal]], inputs: int = 1) -> float:
    """The median ratio, artifact over baseline, of the pairs that nothing disturbed: those that were done soonest.

    Where pairs of several `inputs` took turns, those are taken of each, as one input may be quicker than another.
    Machines have more than one speed: others share their caches and cores. The median pair is of whichever speed was
    the more frequent, and the ratio is not the same at each; that of the quickest pairs repeats. They are the quickest
    as a whole, so that neither side is picked at a better moment than the other.
    """
    times = np.asarray(pairs, np.float64)
    least = math.ceil(_FEW_PAIRS / inputs)
    artifact, baseline = np.concatenate([_soonest(times[first::inputs], least) for first in range(inputs)]).T
    return float(np.median(artifact / np.maximum(baseline, _INSTANT)))


def _soonest(pairs: np.ndarray, least: int) -> np.ndarray:
    undisturbed = max(least, math.ceil(UNDISTURBED_PERCENT / 100 * len(pairs)))
    return pairs[np.argsort(pairs.sum(axis=1), kind="stable")[:undisturbed]]


def slowdowns(processes: Sequence[Process]) -> Processes | NotMeasured:
    """The median call of the last quarter of each process over that of the first, less 1."""
    if not processes:
        return _UNTOLD
    quarters = [(each["quarters"][0], each["quarters"][-1]) for each in processes]
    return Processes(
        values=tuple(decimal(last["median_ns"] / first["median_ns"] - 1) for first, last in quarters),
        calls=min(each["calls"] for pair in quarters for each in pair),
        contended=tuple(_contended(first) or _contended(last) for first, last in quarters),
    )


def decimal(value: float) -> Decimal:
    """Six decimals: a nanosecond of a millisecond, a millionth of a share."""
    return Decimal(f"{value:.6f}")


def _start(process: Process, parts: Sequence[str]) -> tuple[float, float]:
    took = sum(process[part] for part in parts)
    return took, max(0.0, took - waited_ns(process["start"]))


def _times(calls: int, pairs: Iterable[tuple[float, float]], slow: Iterable[float]) -> Processes:
    """Pair each process's time with its lower bound: without waiting, and scaled to undisturbed speed."""
    told = [(value, least / times_slower) for (value, least), times_slower in zip(pairs, slow, strict=True)]
    return Processes(
        values=tuple(decimal(value / _NS_PER_MS) for value, _ in told),
        calls=calls,
        contended=tuple(least < value * (1 - CONTENDED_SHARE) for value, least in told),
        least=tuple(decimal(least / _NS_PER_MS) for _, least in told),
    )


def _contended(process: Process) -> bool:
    return waited_ns(process) > CONTENDED_SHARE * float(process["wall_s"]) * _NS_PER_S
