"""What people already have, as evidence: the logs of benchmark tools, and plain CSV of samples.

One log is one process, however many calls it timed: its percentiles are one sample of what processes differ by. A time
that a tool wrote with fewer digits than it had is taken for the most that it can have been.
"""

from __future__ import annotations

import csv
import json
import re
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, assert_never

from deployspec.errors import EvidenceFault
from deployspec.ir.evidence_file import Process

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Log(StrEnum):
    """The kinds of files that tools leave behind."""

    LITERT = "the JSON of litert-benchmark (--result_json)"
    BENCHMARK_MODEL = "the text of benchmark_model"
    CSV = "a CSV of samples"


_SUMMARY: Final = re.compile(r"Inference timings in us: Init: (\S+), First inference: (\S+), Warmup \(avg\): \S+")
_STATISTICS: Final = re.compile(r"\bcount=(\d+)((?: \w+=\S+)+)")
_TIME_COLUMN: Final = re.compile(r"(?:.*[_ (])?(ns|us|ms|s)\)?", re.IGNORECASE)
_MS: Final = {"ns": Decimal("0.000001"), "us": Decimal("0.001"), "ms": Decimal(1), "s": Decimal(1000)}
_GRID: Final = Decimal("0.000001")

_ROUNDED_OFF_MS: Final = Decimal("0.005")
"""By how much a time of litert-benchmark may have been more: it rounds to 0.01 ms."""

_CUT_OFF_MS: Final = Decimal("0.001")
"""The same of benchmark_model: the difference of two clocks, each cut to whole microseconds."""


def kind_of_log(data: bytes) -> Log | None:
    """What kind of log `data` is, None for none that is known."""
    text = data.decode(errors="replace")
    if "nference timings in us:" in text:
        return Log.BENCHMARK_MODEL
    if text.lstrip().startswith("{"):
        return Log.LITERT if '"num_warmup_runs"' in text and '"latency"' in text else None
    header = text.partition("\n")[0]
    return Log.CSV if any(_TIME_COLUMN.fullmatch(cell.strip()) for cell in header.split(",")) else None


def from_tool(data: bytes, file: Path) -> tuple[Process, ...]:
    """The processes that a log tells of, in its order. Raises EvidenceFault."""
    match kind_of_log(data):
        case Log.LITERT:
            return (_litert(data, file),)
        case Log.BENCHMARK_MODEL:
            return _some(_benchmark_model(data.decode(errors="replace"), file), file)
        case Log.CSV:
            return _some(_csv(data.decode(errors="replace"), file), file)
        case None:
            known = ", ".join(Log)
            raise EvidenceFault(file, [("", f"it is none of {known}, and no evidence document")])
        case never:
            assert_never(never)


def _some(found: Iterator[Process], file: Path) -> tuple[Process, ...]:
    processes = tuple(found)
    if not processes:
        raise EvidenceFault(file, [("", "it holds no timing: give the whole of what the tool wrote")])
    return processes


def _litert(data: bytes, file: Path) -> Process:
    """Percentiles as the tool takes them; its first warm-up call is the first call."""
    try:
        latency: dict[str, Any] = json.loads(data, parse_float=str, parse_int=str, parse_constant=str)["latency"]
        first = "warmup_first_ms" if latency["num_warmup_runs"] != "0" else None
        names = ("median_ms", "p95_ms", "max_ms", "init_ms", *([first] if first else []))
        read = {name: _time(str(latency[name]), "ms", file, f"/latency/{name}") for name in names}
        times = {name: time + _ROUNDED_OFF_MS for name, time in read.items()}
        calls = _count(str(latency["num_runs"]), file, "/latency/num_runs")
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise EvidenceFault(file, [("/latency", f"not as litert-benchmark writes it: {error}")]) from None
    return Process(
        calls=calls,
        p50_ms=times["median_ms"],
        p95_ms=times["p95_ms"],
        max_ms=times["max_ms"],
        load_ms=times["init_ms"],
        first_call_ms=times[first] if first else None,
    )


def _benchmark_model(text: str, file: Path) -> Iterator[Process]:
    """One process for each summary; the statistics that stand last before it are those of the timed calls.

    Older versions tell no percentile, and a mean decides nothing.
    """
    start = 0
    for summary in _SUMMARY.finditer(text):
        statistics = _STATISTICS.findall(text, start, summary.start())
        start = summary.end()
        if statistics:
            count, pairs = statistics[-1]
            told = dict(pair.split("=", 1) for pair in pairs.split())
            yield Process(
                calls=_count(count, file),
                p50_ms=_from_us(told.get("median"), file),
                p95_ms=_from_us(told.get("p95"), file),
                max_ms=_from_us(told.get("max"), file),
                load_ms=_from_us(summary[1], file),
                first_call_ms=_from_us(summary[2], file),
            )


def _from_us(text: str | None, file: Path) -> Decimal | None:
    return None if text is None else _time(text, "us", file) + _CUT_OFF_MS


def _csv(text: str, file: Path) -> Iterator[Process]:
    """One row a call: a column of times whose name ends in its unit, and `process` where there are several."""
    reader = csv.DictReader(text.splitlines(), skipinitialspace=True)
    try:
        header, rows = reader.fieldnames or (), list(reader)
    except csv.Error as error:
        raise EvidenceFault(file, [("", f"line {reader.line_num + 1}: {error}")]) from None
    columns = {name: found[1].lower() for name in header if (found := _TIME_COLUMN.fullmatch(name.strip()))}
    if len(columns) != 1:
        raise EvidenceFault(file, [("", "name the column of times with its unit, one column: latency_ms, us, ns or s")])
    ((column, unit),) = columns.items()
    calls: dict[str, list[Decimal]] = {}
    for number, row in enumerate(rows, 2):
        calls.setdefault(row.get("process") or "", []).append(_time(row[column] or "", unit, file, line=number))
    for times in calls.values():
        yield Process(calls_ms=tuple(times))


def _count(text: str, file: Path, pointer: str = "") -> int:
    if re.fullmatch(r"\d{1,15}", text, re.ASCII):
        return int(text)
    raise EvidenceFault(file, [(pointer, f"{text[:40]!r} is no number of calls")])


def _time(text: str, unit: str, file: Path, pointer: str = "", *, line: int | None = None) -> Decimal:
    """A time in ms, to the nanosecond."""
    try:
        value = Decimal(text.strip()) * _MS[unit]
        if value >= 0:
            return value.quantize(_GRID)
    except ArithmeticError:
        pass
    place = f"line {line}: " if line else ""
    raise EvidenceFault(file, [(pointer, f"{place}{text[:40]!r} is no time")])
