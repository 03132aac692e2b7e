"""What an evidence document may not contradict within itself, before any of its figures is judged."""

from __future__ import annotations

from decimal import Decimal
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Final

from deployspec.ir.device import MeasuredOn
from deployspec.ir.report import is_plain_name, read_time
from deployspec.ir.tables import accounts_for, inside, outside

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from deployspec.ir.evidence import PairedOutcomes
    from deployspec.ir.evidence_file import EvidenceFile, Process, Quality, Run
    from deployspec.ir.tables import Told

Fault = tuple[str, str]
"""A JSON pointer, and what is wrong there and what to do."""

PERCENTILES: Final = {"p50_ms": "p50Ms", "p90_ms": "p90Ms", "p95_ms": "p95Ms", "p99_ms": "p99Ms", "max_ms": "maxMs"}
"""Each process's quantiles in rising order: the field, and its name in JSON."""

_ONE_EACH: Final = PERCENTILES | {
    "load_ms": "loadMs",
    "first_call_ms": "firstCallMs",
    "memory_peak_bytes": "memoryPeakBytes",
    "energy_mj": "energyMj",
    "calls_ms": "callsMs",
    "quarters_ms": "quartersMs",
    "pairs_ms": "pairsMs",
}
"""What every process of a run gives, or none."""

_BEST: Final = 5
"""Classes among which `top5` looks for the true one."""

_NO_CHANCE: Final = 50
"""Calls whose times two processes do not share by chance, unless each process's are all one, as of a coarse clock."""

_HUGE: Final = Decimal(10) ** 17
"""Of it, too, the sum of two is within what a report may hold."""
_MOST: Final = 10**12
"""Samples of one table: beyond it, nobody counted."""

_INSTANT_MS, _AGE_MS = Decimal("0.000001"), Decimal(10) ** 9
"""A nanosecond and eleven days: what two times of a ratio lie between."""


def contradictions(document: EvidenceFile) -> Iterator[Fault]:
    """Every contradiction, in the order of the document."""
    for number, run in enumerate(document.runs):
        yield from _run(run, f"/runs/{number}")


def _run(run: Run, at: str) -> Iterator[Fault]:
    yield from _identity(run, at)
    yield from _sizes(run, at)
    yield from _splits(run, at)
    yield from chain.from_iterable(_quality(each, f"{at}/quality/{i}") for i, each in enumerate(run.quality))
    for i, table in enumerate(run.outcomes):
        if table.both + table.broken + table.repaired + table.neither > _MOST:
            yield f"{at}/outcomes/{i}", "so many samples nobody counted"
    for i, each in enumerate(run.agreement):
        if not each.hits <= each.n <= _MOST:
            yield f"{at}/agreement/{i}", f"{each.hits} of {each.n} cannot be: hits are among the n samples"
    yield from _agreement(run, f"{at}/agreement")
    yield from _processes(run.processes, f"{at}/processes")


def _agreement(run: Run, at: str) -> Iterator[Fault]:
    """Where both models are right they agree; where one is, they do not."""
    paired = {table.split: table.paired for table in run.quality if table.paired}
    for i, each in enumerate(run.agreement):
        pairs = paired.get(each.split, ())
        n, both, neither = (sum(getattr(pair, of) for pair in pairs) for of in ("n", "both", "neither"))
        if pairs and each.n != n:
            yield f"{at}/{i}/n", f"it counts {each.n} samples, and the table of the {each.split} split {n}"
        elif pairs and not both <= each.hits <= both + neither:
            yield f"{at}/{i}/hits", f"{each.hits} cannot be: the paired outcomes allow {both} to {both + neither}"


def _identity(run: Run, at: str) -> Iterator[Fault]:
    """What was measured, where and when."""
    if not is_plain_name(run.artifact.name):
        yield f"{at}/artifact/name", f"{run.artifact.name!r} is not a bare file name: leave its folder out"
    if run.device is None and run.evidence in (MeasuredOn.DEVICE, MeasuredOn.EMULATOR):
        yield at, f'evidence of class \'{run.evidence}\' must say of which device: add "device": {{"name": …}}'
    if run.measured_at and not _is_time(run.measured_at):
        yield f"{at}/measuredAt", f"{run.measured_at!r} is not a time of the form 2026-01-31T12:00:00Z"


def _sizes(run: Run, at: str) -> Iterator[Fault]:
    if run.reference_bytes is not None and run.size_bytes is None:
        yield f"{at}/referenceBytes", "a reduction needs its pair: add sizeBytes, or leave this out"


def _is_time(text: str) -> bool:
    try:
        read_time(text)
    except ValueError:
        return False
    return True


def _splits(run: Run, at: str) -> Iterator[Fault]:
    """Each figure is of a split that is judged, and told once; two forms of a table are one figure."""
    for figure in (("quality", "outcomes"), ("agreement",)):
        seen: set[str] = set()
        for kind in figure:
            for i, each in enumerate(getattr(run, kind)):
                if each.split not in ("test", "field"):
                    yield f"{at}/{kind}/{i}/split", f"{each.split!r} is no split that is judged: test or field"
                elif each.split in seen:
                    yield f"{at}/{kind}/{i}", f"the {each.split} split was told of already: one table a split"
                seen.add(each.split)


def _quality(table: Quality, at: str) -> Iterator[Fault]:
    size = len(table.labels)
    if len(set(table.labels)) != size:
        yield f"{at}/labels", "a class is named twice"
        return
    shapeless = [*_shape(table.confusion, size, f"{at}/confusion")]
    if table.reference_confusion:
        shapeless += _shape(table.reference_confusion, size, f"{at}/referenceConfusion")
    yield from shapeless
    if not shapeless:
        yield from _counts(table, at)


def _shape(matrix: Sequence[Sequence[int]], size: int, at: str) -> Iterator[Fault]:
    if len(matrix) != size:
        yield at, f"it has {len(matrix)} rows, and there are {size} labels: one row for each true class"
    for i, row in enumerate(matrix):
        if len(row) != size:
            yield f"{at}/{i}", f"it has {len(row)} columns, and there are {size} labels: one for each class as decided"


def _counts(table: Quality, at: str) -> Iterator[Fault]:
    n, right = sum(map(sum, table.confusion)), sum(row[i] for i, row in enumerate(table.confusion))
    if table.n is not None and table.n != n:
        yield f"{at}/n", f"it says {table.n} samples, and the confusion matrix holds {n}: one of them is wrong"
    if n > _MOST:
        yield f"{at}/confusion", "so many samples nobody counted"
    if table.top5 is not None and len(table.labels) <= _BEST:
        yield f"{at}/top5", f"of {len(table.labels)} classes each is among the {_BEST} best: leave this out"
    elif table.top5 is not None and not right <= table.top5 <= n:
        yield f"{at}/top5", f"{table.top5} of {n} cannot be, where {right} were right at once"
    if table.reference_confusion:
        yield from _same_samples(table, at)
        two = (table.confusion, table.reference_confusion)
        yield from _joint(table, table.paired, inside(*two), f"{at}/paired")
        yield from _joint(table, table.rejected, outside(*two), f"{at}/rejected")
    elif table.paired:
        yield f"{at}/paired", "joint outcomes need their pair: add referenceConfusion"
    if table.rejected and not table.paired:
        yield f"{at}/rejected", "outcomes outside the classes need those inside: add paired"


def _same_samples(table: Quality, at: str) -> Iterator[Fault]:
    for i, (row, reference) in enumerate(zip(table.confusion, table.reference_confusion, strict=True)):
        if sum(row) != sum(reference):
            message = f"class {table.labels[i]!r} has {sum(reference)} samples here and {sum(row)} in confusion"
            yield f"{at}/referenceConfusion/{i}", f"{message}: both must run over the same samples"


def _joint(table: Quality, pairs: Sequence[PairedOutcomes], told: Iterable[Told], at: str) -> Iterator[Fault]:
    if pairs and len(pairs) != len(table.labels):
        yield at, f"it has {len(pairs)} entries, and there are {len(table.labels)} labels"
        return
    for i, (pair, each) in enumerate(zip(pairs, told, strict=False)):
        if not accounts_for(pair, each):
            cells = f"{pair.both} by both, {pair.broken} broken, {pair.repaired} repaired, {pair.neither} by neither"
            yield f"{at}/{i}", f"these outcomes of class {table.labels[i]!r} ({cells}) do not add up to the matrices"


def _processes(processes: Sequence[Process], at: str) -> Iterator[Fault]:
    for name, json_name in _ONE_EACH.items():
        lacking = [i for i, each in enumerate(processes) if _is_absent(getattr(each, name))]
        if lacking and len(lacking) < len(processes):
            missing = f"{json_name} is given by {len(processes) - len(lacking)} of {len(processes)} processes"
            yield f"{at}/{lacking[0]}", f"{missing}, and not by this one: nothing may be left out of a run"
    for i, each in enumerate(processes):
        yield from _process(each, f"{at}/{i}")
    yield from _copies(processes, at)


def _copies(processes: Sequence[Process], at: str) -> Iterator[Fault]:
    """One process told of twice would count as two."""
    seen: dict[tuple[Decimal, ...], int] = {}
    for i, each in enumerate(processes):
        first = seen.setdefault(each.calls_ms, i)
        if first != i and len(each.calls_ms) >= _NO_CHANCE and len(set(each.calls_ms)) > 1:
            same = f"its {len(each.calls_ms)} calls took what those of process {first} took, one by one"
            yield f"{at}/{i}/callsMs", f"{same}: a copy is no process of its own"


def _is_absent(value: object) -> bool:
    return value is None or value == ()


def _process(process: Process, at: str) -> Iterator[Fault]:
    quantiles = [(name, getattr(process, field)) for field, name in PERCENTILES.items()]
    given = [(name, value) for name, value in quantiles if value is not None]
    for (low_name, low), (name, value) in pairwise(given):
        if value < low:
            out_of_order = f"{value} ms is below {low_name}, {low} ms"
            yield f"{at}/{name}", f"{out_of_order}: quantiles rise, so look for mixed up columns"
    if given and process.calls is None:
        yield at, 'percentiles must say of how many calls: add "calls"'
    if process.calls_ms and (given or process.calls is not None):
        yield f"{at}/callsMs", "give every call, or calls with their percentiles, not both"
    yield from _values(process, at)


def _values(process: Process, at: str) -> Iterator[Fault]:
    """Times, bytes and energies lie within reason."""
    single = [(f"/{name}", getattr(process, field)) for field, name in _ONE_EACH.items()]
    calls = [(f"/callsMs/{i}", value) for i, value in enumerate(process.calls_ms)]
    for place, value in (*single, *calls):
        if isinstance(value, int | Decimal) and value >= _HUGE:
            yield f"{at}{place}", f"{value} cannot have been measured"
    ratios = [("quartersMs", process.quarters_ms)] if process.quarters_ms else []
    for place, pair in (*ratios, *((f"pairsMs/{i}", pair) for i, pair in enumerate(process.pairs_ms))):
        if not all(_INSTANT_MS <= value <= _AGE_MS for value in pair):
            yield f"{at}/{place}", "a ratio needs two times that can be measured"
