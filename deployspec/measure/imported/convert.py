"""A run of an evidence document as measurements: what its figures are called, and of which class they are."""

from __future__ import annotations

import math
from decimal import ROUND_HALF_EVEN, Decimal
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from deployspec.ir.evidence import (
    LEAST_CALLS,
    Classified,
    Count,
    EvidenceClass,
    Joint,
    Measurement,
    NotMeasured,
    PairedOutcomes,
    Processes,
    Reduction,
    Share,
    Statistic,
)
from deployspec.measure.processes import decimal, undisturbed_ratio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from deployspec.ir.evidence_file import Outcomes, Process, Quality, Run

_GRID: Final = Decimal("0.000001")


def measurements(run: Run, source: str, *, counts: bool) -> tuple[Measurement, ...]:
    """Every figure of the run. `source` is the digest of its file.

    `counts` says whether its evidence stands as stated: signed by a lab, or accepted as it is. Else it is claimed.
    What is in a file's bytes is the same wherever it is counted, and so is of class `static`.
    """
    stated = EvidenceClass(run.evidence.value)

    def measured(name: str, statistic: Statistic, split: str = "", *, static: bool = False) -> Measurement:
        standing = EvidenceClass.STATIC if static else stated
        return Measurement(
            target=run.target,
            name=name,
            statistic=statistic,
            evidence=standing if counts else EvidenceClass.CLAIMED,
            split=split,
            runtime="" if static else run.runtime,
            measured_at=run.measured_at,
            note=run.note,
            source=source,
        )

    return (
        *(measured(name, statistic, static=True) for name, statistic in _sizes(run)),
        *(measured("quality", _classified(each), each.split) for each in run.quality),
        *(measured("quality", _joint(each), each.split) for each in run.outcomes),
        *(measured("agreement", Share(hits=each.hits, n=each.n), each.split) for each in run.agreement),
        *(measured(name, statistic) for name, statistic in _processes(run.processes)),
    )


def _sizes(run: Run) -> Iterator[tuple[str, Statistic]]:
    if run.size_bytes is None:
        return
    size = Decimal(run.size_bytes)
    yield "size", Count(value=size)
    if run.reference_bytes is not None:
        yield "size_reduction", Reduction(before=Decimal(run.reference_bytes), after=size)


def _classified(table: Quality) -> Classified:
    return Classified(
        labels=table.labels,
        confusion=table.confusion,
        reference_confusion=table.reference_confusion,
        paired=table.paired,
        rejected=table.rejected,
        top5=table.top5,
    )


def _joint(table: Outcomes) -> Joint:
    pair = PairedOutcomes(both=table.both, broken=table.broken, repaired=table.repaired, neither=table.neither)
    return Joint(outcomes=pair)


def _processes(processes: Sequence[Process]) -> Iterator[tuple[str, Statistic]]:
    """Each figure that the processes give, one value a process; what too few calls cannot tell is not measured."""
    contended = tuple(each.contended for each in processes)
    for name, of in _FIGURES.items():
        values = tuple(_rounded(value) for each in processes if (value := of(each)) is not None)
        calls = min((_calls(each, name) for each in processes), default=0)
        least = LEAST_CALLS.get(name, 0)
        if values and calls < least:
            yield name, NotMeasured(reason=f"{calls} calls in a process tell no {name}, which takes {least}")
        elif values:
            yield name, Processes(values=values, calls=calls, contended=contended)


def _calls(process: Process, name: str) -> int:
    """How many calls the figure is of, or pairs of them."""
    if name == "latency_reduction":
        return len(process.pairs_ms)
    return len(process.calls_ms) or process.calls or 0


def _quantile(share: str, field: str) -> Callable[[Process], Decimal | None]:
    """A quantile of one process: nearest rank of its calls, or as it was given."""

    def of(process: Process) -> Decimal | None:
        if process.calls_ms:
            return sorted(process.calls_ms)[math.ceil(Decimal(share) * len(process.calls_ms)) - 1]
        given: Decimal | None = getattr(process, field)
        return given

    return of


def _cold_start(process: Process) -> Decimal | None:
    if process.load_ms is None or process.first_call_ms is None:
        return None
    return process.load_ms + process.first_call_ms


def _memory(process: Process) -> Decimal | None:
    return None if process.memory_peak_bytes is None else Decimal(process.memory_peak_bytes)


def _slowdown(process: Process) -> Decimal | None:
    """The median call of the last quarter over that of the first, less 1."""
    return process.quarters_ms and process.quarters_ms[1] / process.quarters_ms[0] - 1


def _reduction(process: Process) -> Decimal | None:
    """1 - the undisturbed ratio of its pairs, as of processes of our own."""
    return decimal(1 - undisturbed_ratio(process.pairs_ms)) if process.pairs_ms else None


_FIGURES: Final[dict[str, Callable[[Process], Decimal | None]]] = {
    "latency.p50": _quantile("0.50", "p50_ms"),
    "latency.p90": _quantile("0.90", "p90_ms"),
    "latency.p95": _quantile("0.95", "p95_ms"),
    "latency.p99": _quantile("0.99", "p99_ms"),
    "latency.max": _quantile("1", "max_ms"),
    "load": attrgetter("load_ms"),
    "first_call": attrgetter("first_call_ms"),
    "cold_start": _cold_start,
    "memory_peak": _memory,
    "energy": attrgetter("energy_mj"),
    "sustained_slowdown": _slowdown,
    "latency_reduction": _reduction,
}
"""What budgets are measured from, each from one process."""


def _rounded(value: Decimal) -> Decimal:
    """Six decimals: a nanosecond of a millisecond, a millionth of a share."""
    exponent = value.as_tuple().exponent
    return value.quantize(_GRID, ROUND_HALF_EVEN) if isinstance(exponent, int) and exponent < -6 else value
