"""Evidence: what was measured, from which class of device, as statistics that suffice to judge it again.

Raw samples stay in the store; these values go into the report, so that anyone can recompute each verdict.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from deployspec.ir.rules import EvidenceClass as EvidenceClass
from deployspec.ir.rules import Rules as Rules

CALLS_FOR_PERCENTILE: Final = {"latency.p50": 50, "latency.p90": 50, "latency.p95": 100, "latency.p99": 1000}
"""Warm calls in each process without which a percentile is not given."""


@dataclass(frozen=True, kw_only=True)
class Count:
    """A census figure: bytes, operators, a number of uses."""

    value: Decimal


@dataclass(frozen=True, kw_only=True)
class Reduction:
    """`before` and `after` of a census figure in the same unit; the figure is 1 - after/before."""

    before: Decimal
    after: Decimal


@dataclass(frozen=True, kw_only=True)
class Share:
    """`hits` of `n` independent samples."""

    hits: int
    n: int


@dataclass(frozen=True, kw_only=True)
class PairedOutcomes:
    """Reference against artifact over the same samples: right by both, broken, repaired, right by neither."""

    both: int
    broken: int
    repaired: int
    neither: int

    @property
    def n(self) -> int:
        """All samples."""
        return self.both + self.broken + self.repaired + self.neither

    @property
    def reference_right(self) -> int:
        """Samples that the reference gets right."""
        return self.both + self.broken


@dataclass(frozen=True, kw_only=True)
class Classified:
    """Decisions of reference and artifact over one labelled split.

    `confusion[i][j]` counts samples of class i that the artifact called class j (same order as `labels`);
    `reference_confusion` likewise for the reference; `paired[i]` the joint outcomes within class i.
    `rejected[j]` are the joint outcomes on the samples that are not of class j, right meaning "not called j"; without
    them a precision drop is decided as a point only.
    `top5` counts samples whose class is among the artifact's five best (None below five classes).
    `excluded` counts samples left out (leaked ones). `positive` names a binary task's positive class.
    """

    labels: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    reference_confusion: tuple[tuple[int, ...], ...]
    paired: tuple[PairedOutcomes, ...]
    top5: int | None = None
    excluded: int = 0
    rejected: tuple[PairedOutcomes, ...] = ()

    @property
    def n(self) -> int:
        """All samples."""
        return sum(map(sum, self.confusion))


@dataclass(frozen=True, kw_only=True)
class Processes:
    """One figure per fresh process, in the order they ran (ms, bytes, or a reduction, 1 - ratio).

    `calls` is the number of warm calls behind each. `contended` marks processes that the machine disturbed.
    """

    values: tuple[Decimal, ...]
    calls: int
    contended: tuple[bool, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Operators:
    """What an artifact runs: each operator as its format names it, with how often it occurs. Shown, never judged."""

    counts: tuple[tuple[str, int], ...]


@dataclass(frozen=True, kw_only=True)
class NotMeasured:
    """The figure could not be had; `reason` says why. It never passes a budget."""

    reason: str


Statistic = Count | Reduction | Share | Classified | Processes | Operators | NotMeasured


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One figure (or table) of one target.

    `name` is what budgets are measured from: size, size_compressed, size_reduction, parameters, macs, sparsity,
    undelegated_ops, quality, agreement, latency.p50 …, load, first_call, memory_peak, latency_reduction; `operators`
    are shown only. `split` is "test" or "field" where data decides it. `samples_sha256` is the digest of the raw
    samples in the store.
    """

    target: str
    name: str
    statistic: Statistic
    evidence: EvidenceClass
    split: str = ""
    runtime: str = ""
    samples_sha256: str = ""
    measured_at: str = ""
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """The facts of the machine that measured."""

    system: str
    architecture: str
    processor: str
    cores: int
    memory_bytes: int
    python: str
