"""Figures that every process gave: one dot a process, on a scale that shows how they differ."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from deployspec.ir.evidence import Processes
from deployspec.report.views.html.bars import around
from deployspec.report.views.html.measured import dimension_of
from deployspec.units import Scale as Unit
from deployspec.units import scale_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from decimal import Decimal

    from deployspec.ir.evidence import EvidenceClass, Measurement
    from deployspec.report.views.html.bars import Scale


@dataclass(frozen=True)
class Dot:
    """One process: its place in percent of the width, and whether the machine disturbed it."""

    x: float
    disturbed: bool


@dataclass(frozen=True, kw_only=True)
class Strip:
    """One figure over all processes. Texts carry their unit."""

    name: str
    evidence: EvidenceClass
    middle: str
    span: str
    processes: int
    disturbed: int
    calls: int
    dots: tuple[Dot, ...]
    median_x: float


def strips(measurements: Iterable[Measurement]) -> tuple[Strip, ...]:
    """Every figure that was taken over processes; the percentiles of a warm call share one scale."""
    found = [(each, each.statistic) for each in measurements if isinstance(each.statistic, Processes)]
    told = [(measurement, statistic) for measurement, statistic in found if statistic.values]
    warm = [value for measurement, statistic in told if _is_percentile(measurement) for value in statistic.values]
    return tuple(
        _strip(measurement, statistic, _around(warm if _is_percentile(measurement) else statistic.values))
        for measurement, statistic in told
    )


def _is_percentile(measurement: Measurement) -> bool:
    """Whether it belongs to the distribution of a warm call; the slowest call would dwarf the others."""
    return measurement.name.startswith("latency.p")


def _around(values: Sequence[Decimal]) -> Scale:
    return around([float(each) for each in values])


def _strip(measurement: Measurement, statistic: Processes, scale: Scale) -> Strip:
    values = statistic.values
    middle = median(values)
    unit = scale_of(dimension_of(measurement.name), middle)
    contended = statistic.contended or (False,) * len(values)
    return Strip(
        name=measurement.name,
        evidence=measurement.evidence,
        middle=unit.with_unit(unit.number(middle)),
        span=_span(unit, values),
        processes=len(values),
        disturbed=sum(contended),
        calls=statistic.calls,
        dots=tuple(Dot(scale.place(value), hit) for value, hit in zip(values, contended, strict=True)),
        median_x=scale.place(middle),
    )


def _span(unit: Unit, values: Sequence[Decimal]) -> str:
    low, high = unit.number(min(values)), unit.number(max(values))
    return unit.with_unit(low if low == high else f"{low} to {high}")
