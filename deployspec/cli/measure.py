"""`deployspec measure`: the figures of any model file on this machine, without a spec."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from decimal import ROUND_CEILING, ROUND_FLOOR
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from deployspec.cli.arrays import read_arrays
from deployspec.cli.model_files import format_of, inspector_of, ordered, parse_input, read, require, target_of
from deployspec.cli.named import NamedPath
from deployspec.cli.options import DURATION, format_option
from deployspec.digests import sha256_path
from deployspec.errors import ExitCode, UsageError
from deployspec.ir import codec
from deployspec.ir.evidence import Count, NotMeasured, Processes
from deployspec.ir.structure import End
from deployspec.isolation import hide_memory
from deployspec.judge.processes import median_bounds
from deployspec.lanes.host import HostLane, this_machine
from deployspec.measure import untimed
from deployspec.measure.energy import energies
from deployspec.measure.file import File, drawn, held, timed_file
from deployspec.measure.power_log import read_log
from deployspec.measure.size import measure_size
from deployspec.measure.timing import FIGURES, time_artifact
from deployspec.units import Dimension, scale_of, shown
from deployspec.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np

    from deployspec.ir.evidence import Measurement
    from deployspec.ir.model import Input
    from deployspec.measure.timing import Timed

_ALPHA: Final = 0.05
_NAMES: Final = {
    "size": ("size", Dimension.BYTES),
    "size_compressed": ("compressed", Dimension.BYTES),
    "load": ("load", Dimension.TIME),
    "first_call": ("first call", Dimension.TIME),
    "cold_start": ("cold start", Dimension.TIME),
    **{f"latency.{each}": (each, Dimension.TIME) for each in ("p50", "p90", "p95", "p99", "max")},
    "memory_peak": ("memory", Dimension.BYTES),
    "latency_reduction": ("reduction", Dimension.SHARE),
    "sustained_slowdown": ("slowdown", Dimension.SHARE),
    "energy": ("energy", Dimension.ENERGY),
}
"""What is shown, in this order: each measurement's name for people, and its unit."""

_EXAMPLES: Final = """\b
Examples:
  deployspec measure digits.tflite
  deployspec measure digits.ts.pt --input image=1x1x8x8 --calls 1000
  deployspec measure digits-int8.tflite --baseline digits.tflite --format json
  deployspec measure digits.tflite --sustained "2 min" --energy
"""


@click.command(epilog=_EXAMPLES)
@click.argument("artifact", type=NamedPath())
@click.option(
    "--calls",
    type=click.IntRange(50, 10**6),
    default=100,
    show_default=True,
    help="Warm calls in each process; the 99th percentile takes 1000.",
)
@click.option(
    "--processes",
    type=click.IntRange(1, 1000),
    default=6,
    show_default=True,
    help="Fresh processes, one after another.",
)
@click.option(
    "--inputs",
    "arrays",
    metavar="X.npz",
    type=NamedPath(),
    help="The arrays of one call, each by its input's name; without them they are drawn.",
)
@click.option(
    "--input",
    "shapes",
    metavar="NAME=SHAPE[:DTYPE]",
    multiple=True,
    help="An input's shape, as image=1x3x224x224: .pt and .ptl keep none.",
)
@click.option("--baseline", metavar="OTHER", type=NamedPath(), help="A file of the same format, timed interleaved.")
@click.option(
    "--sustained",
    "sustained_s",
    type=DURATION,
    help='Also call continuously for this long in each process, e.g. "2 min", after an equal rest.',
)
@click.option("--energy", is_flag=True, help="Also count the energy of a call, with the machine's own counter.")
@click.option(
    "--power-log",
    metavar="FILE",
    type=NamedPath(),
    help="The same, from a log that another program keeps meanwhile: powermetrics, or a meter's table.",
)
@click.option(
    "--engine",
    type=click.Choice(["qnnpack", "x86"]),
    default="qnnpack",
    show_default=True,
    help="The kernels that a quantized .pt was made for: those of phones, or those of servers.",
)
@click.option("--as", "name", metavar="FORMAT", help="The format, if the file name does not show it.")
@click.option(
    "--time-limit",
    "time_limit_s",
    type=DURATION,
    default="30 min",
    show_default=True,
    help="Stop after this long and report what was measured.",
)
@format_option("text", "json")
def command(  # noqa: PLR0913, RUF100 - click gives each option as an argument
    artifact: Path,
    calls: int,
    processes: int,
    arrays: Path | None,
    shapes: tuple[str, ...],
    baseline: Path | None,
    sustained_s: int | None,
    energy: bool,
    power_log: Path | None,
    engine: str,
    name: str | None,
    time_limit_s: int,
    form: str,
) -> int:
    """Measure ARTIFACT, a .tflite, .pte, .pt or .ptl file: size, load, latency, memory, energy.

    By the same protocol as `check`: every process is a fresh one, on one thread and one core, and one timed run goes on
    at a time. The bounds are of the median over processes, each at 95 % confidence. A Core ML model can be
    timed only on a device.

    Exit codes: 0 measured, 2 the file or the command is wrong, 3 only the size could be measured.
    """
    name = name or format_of(_there(artifact))
    protocol = {
        "calls": calls,
        "time_limit_s": time_limit_s,
        "sustained_s": sustained_s or 0,
        "energy": energy or power_log is not None,
        "metered": power_log is not None,
    }
    found = measure_size(artifact.name, artifact, None)[:2]
    if why := untimed(name, target_of(name).runner()):
        found += [replace(found[0], name=each, statistic=NotMeasured(reason=why)) for each in FIGURES]
    else:
        file, given = _opened(artifact, name, shapes, arrays)
        other = replace(_opened(_there(baseline), name, shapes, arrays)[0], engine=engine) if baseline else None
        with tempfile.TemporaryDirectory(prefix="deployspec-measure-") as folder:
            timed = timed_file(replace(file, engine=engine), given, Path(folder), baseline=other, **protocol)
            found += _timings(timed, processes, _there(power_log) if power_log else None)
    click.echo(_as_json(artifact, name, found) if form == "json" else "\n".join(_lines(artifact, name, found)))
    return ExitCode.OK if any(isinstance(each.statistic, Processes) for each in found) else ExitCode.UNPROVEN


def _there(path: Path) -> Path:
    if not path.exists():
        raise UsageError(f"no file or folder '{path}'")
    return path


def _opened(path: Path, name: str, shapes: Sequence[str], arrays: Path | None) -> tuple[File, dict[str, np.ndarray]]:
    """The file as its inspector knows it, and the arrays of one call."""
    inspect, given, runner = inspector_of(name), tuple(map(parse_input, shapes)), target_of(name).runner()
    assert runner is not None, "it is asked for what can be timed"
    require(runner.toolchain)
    structure = read(path, inspect, given)
    if given:
        structure = replace(structure, inputs=_with_shapes(structure.inputs, ordered(given, structure.inputs)))
    file = File(path=path, structure=structure, runner=runner)
    return file, drawn(structure) if arrays is None else held(structure, read_arrays(arrays))


def _with_shapes(ends: Sequence[End], given: Sequence[Input]) -> tuple[End, ...]:
    return tuple(
        End(name=end.name, shape=tuple(-1 if isinstance(size, str) else size for size in each.shape), dtype=each.dtype)
        for end, each in zip(ends, given, strict=True)
    )


def _timings(timed: Timed, processes: int, power_log: Path | None) -> list[Measurement]:
    """One process after the other, so that a time limit leaves those before it; the log is read when all have run."""
    hide_memory()
    with HostLane(apart=True) as lane:
        samples, found = time_artifact(timed, lane, range(1, processes + 1), lambda _: False)
    if samples is None or power_log is None:
        return found
    counted = energies(samples.lines["energy"], read_log(power_log, until=samples.lines["energy"][-1]["work"]["ended"]))
    return [*found, replace(found[0], name="energy", statistic=counted)]


def _as_json(artifact: Path, name: str, found: Sequence[Measurement]) -> str:
    document = {
        "file": artifact.name,
        "format": name,
        "sha256": sha256_path(artifact),
        "machine": codec.encode(this_machine()),
        "figures": [figure(each) for each in found],
    }
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)


def figure(measured: Measurement) -> dict[str, Any]:
    """One figure: its unit, the median with its bounds, and what they follow from."""
    dimension = _NAMES[measured.name][1]
    document: dict[str, Any] = {"name": measured.name, "unit": dimension.value}
    if isinstance(measured.statistic, Processes):
        over = median_bounds(measured.statistic.values, _ALPHA)
        document |= {"median": over.estimate, "lower": over.lower, "upper": over.upper, "runtime": measured.runtime}
    encoded: dict[str, Any] = codec.encode(document) | {"statistic": codec.encode(measured.statistic)}
    return encoded


def _lines(artifact: Path, name: str, found: Sequence[Measurement]) -> Iterator[str]:
    timed = {each.name: each.statistic for each in found if isinstance(each.statistic, Processes)}
    yield f"{artifact.name}: {name}{''.join(f', {each.runtime}' for each in found[-1:] if each.runtime)}"
    for each in found:
        if isinstance(each.statistic, Count | Processes):
            yield f"  {_NAMES[each.name][0]:<12}{_figures(each.statistic, _NAMES[each.name][1])}"
    reasons = dict.fromkeys(each.statistic.reason for each in found if isinstance(each.statistic, NotMeasured))
    yield from (f"  not measured: {reason}" for reason in reasons)
    if timed:
        yield from _footnotes(timed["latency.p50"])


def _figures(statistic: Count | Processes, dimension: Dimension) -> str:
    """The median and, right of it, its bounds, rounded outward; a census has none."""
    if isinstance(statistic, Count):
        return f"{shown(statistic.value, dimension):>12}"
    over = median_bounds(statistic.values, _ALPHA)
    scale = scale_of(dimension, over.estimate)
    estimate = f"{scale.with_unit(scale.number(over.estimate)):>12}"
    if over.lower is None or over.upper is None:
        return estimate
    low, high = scale.number(over.lower, ROUND_FLOOR), scale.number(over.upper, ROUND_CEILING)
    return f"{estimate}   {scale.with_unit(f'{low} to {high}')}"


def _footnotes(calls: Processes) -> Iterator[str]:
    n, disturbed = len(calls.values), sum(calls.contended)
    bounded = median_bounds(calls.values, _ALPHA).lower is not None
    bounds = "bounds at 95 % confidence each" if bounded else "too few for bounds at 95 % confidence"
    yield f"  {counted(n, 'process', 'processes')} of {calls.calls:,} calls, one thread; {bounds}"
    if disturbed:
        yield f"  the machine disturbed {disturbed} of them: their figures may be too large"
