"""Every measurement in one line: what an auditor leafs through."""

from __future__ import annotations

from decimal import Decimal
from statistics import median
from typing import TYPE_CHECKING, Final

from deployspec.ir import codec
from deployspec.ir.budget import BUDGETS
from deployspec.ir.evidence import (
    Churn,
    Classified,
    Count,
    Joint,
    Multilabel,
    NotMeasured,
    Operators,
    Processes,
    Reduction,
    Share,
    Stability,
)
from deployspec.units import Dimension, shown
from deployspec.wording import counted

if TYPE_CHECKING:
    from deployspec.ir.evidence import Statistic

_DIMENSIONS: Final = {row.measured_from: row.dimension for row in BUDGETS.values()} | {"latency.max": Dimension.TIME}

WEIGHTS: Final = "weights."
"""Begins the names of the bytes of stored weights; the stored type follows."""


def dimension_of(name: str) -> Dimension:
    """What a measurement of this name is counted in."""
    if name.startswith(WEIGHTS):
        return Dimension.BYTES
    return _DIMENSIONS.get(name, Dimension.NUMBER)


def quantity(name: str, value: Decimal) -> str:
    """A value of the measurement `name` with its unit."""
    return shown(value, dimension_of(name))


def in_words(name: str, statistic: Statistic) -> str:
    """The statistic in short; a kind that has a table of its own says only what it rests on."""
    match statistic:
        case NotMeasured(reason=reason):
            return f"not measured: {reason}"
        case Count(value=value):
            return quantity(name, value)
        case Processes(values=values) if values:
            return f"{quantity(name, median(values))}, the median over {len(values)}"
        case Operators(counts=counts):
            return counted(sum(count for _, count in counts), "operator")
        case _:
            return _of_samples(statistic)


def _of_samples(statistic: Statistic) -> str:
    """What rests on samples, or compares two figures."""
    match statistic:
        case Share(hits=hits, n=n):
            return f"{hits:,} of {n:,}, {share(Decimal(hits) / n)}" if n else "none of none"
        case Reduction(before=before, after=after):
            return f"{share(1 - after / before)} less" if before else "nothing to compare with"
        case Joint(outcomes=pair):
            return f"{counted(pair.n, 'sample')}: {pair.broken:,} broken and {pair.repaired:,} repaired"
        case Classified() | Multilabel():
            return f"{counted(statistic.n, 'sample')}, {counted(len(statistic.labels), 'label')}"
        case Stability(checks=checks):
            return f"{sum(not check.broken for check in checks)} of {counted(len(checks), 'promise')} kept"
        case Churn(outcomes=outcomes):
            return f"{outcomes.broken + outcomes.neither:,} of {counted(outcomes.n, 'decision')} change"
        case _:
            return codec.kind_of(type(statistic))


def share(value: Decimal | float) -> str:
    """A fraction of one in percent: `97.5 %`."""
    return shown(Decimal(value), Dimension.SHARE)
