"""Evidence: what was measured, from which class of device, as statistics that suffice to judge it again.

Raw samples stay in the store; these values go into the report, so that anyone can recompute each verdict.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from math import ceil
from statistics import median
from typing import TYPE_CHECKING, Final, NamedTuple, assert_never

from deployspec.ir.rules import EvidenceClass as EvidenceClass
from deployspec.ir.rules import Rules as Rules

if TYPE_CHECKING:
    from collections.abc import Sequence

LEAST_CALLS: Final = {
    "latency.p50": 50,
    "latency.p90": 50,
    "latency.p95": 100,
    "latency.p99": 1000,
    "latency_reduction": 50,
}
"""Warm calls in each process, for a ratio interleaved ones, without which a figure is not given."""

MOST_SCORES: Final = 10_000
"""Scores that a report holds of one figure and model."""

SCORE_DIGITS: Final = 6
"""Significant digits of a score in a report."""

_SMALLEST: Final = 1e-30
"""Smaller scores are kept as 0."""


def score(value: float) -> Decimal:
    """A finite score to as many digits as a report holds. Of two scores the larger never becomes the smaller."""
    if abs(value) < _SMALLEST:
        return Decimal(0)
    return Decimal(f"{value:.{SCORE_DIGITS - 1}e}").normalize()


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
    `reference_confusion` is empty where nothing is known of the reference, `paired` where only the margins are.
    `rejected[j]` are the joint outcomes on the samples that are not of class j, right meaning "not called j"; without
    them a precision drop is decided as a point only.
    `top5` counts samples whose class is among the artifact's five best (None where there are no more than five).
    `excluded` counts samples left out (leaked ones).
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

    def support(self, label: str) -> int:
        """Samples of one class."""
        return sum(self.confusion[self.labels.index(label)])


@dataclass(frozen=True, kw_only=True)
class Joint:
    """Joint outcomes over one labelled split of which nothing is known class by class: what others may hand in."""

    outcomes: PairedOutcomes


@dataclass(frozen=True, kw_only=True)
class Multilabel:
    """Decisions of reference and artifact over one split whose samples may have several labels, or none.

    `inside[i]` counts the joint outcomes on the samples that have label i, right meaning called so; `outside[i]` those
    on all others, right meaning not called so. `excluded` counts samples left out (leaked ones).
    """

    labels: tuple[str, ...]
    inside: tuple[PairedOutcomes, ...]
    outside: tuple[PairedOutcomes, ...]
    excluded: int = 0

    @property
    def n(self) -> int:
        """All samples: every label is decided for each of them."""
        return sum(pair.n for pair in (*self.inside[:1], *self.outside[:1]))

    def support(self, label: str) -> int:
        """Samples that have one label."""
        return self.inside[self.labels.index(label)].n


class Aggregate(StrEnum):
    """How scores become one figure."""

    MEAN = "mean"
    ROOT_MEAN = "root_mean"
    """The root of the mean: of squared errors their RMSE."""
    MEDIAN = "median"
    """Of an even number, the mean of the middle two."""
    P95 = "p95"
    """The smallest score that at least 95 % do not exceed."""

    @property
    def quantile(self) -> Decimal | None:
        """The share of the samples whose scores it does not fall short of; None for a mean."""
        return {Aggregate.MEDIAN: Decimal("0.5"), Aggregate.P95: Decimal("0.95")}.get(self)

    def of(self, scores: Sequence[Decimal]) -> Decimal:
        """The figure of one model's scores, of which there must be at least one."""
        match self:
            case Aggregate.MEAN:
                return sum(scores, Decimal()) / len(scores)
            case Aggregate.ROOT_MEAN:
                return (sum(scores, Decimal()) / len(scores)).sqrt()
            case Aggregate.MEDIAN:
                return median(scores)
            case Aggregate.P95:
                return sorted(scores)[ceil(len(scores) * (self.quantile or 0)) - 1]
            case _:
                assert_never(self)


class ErrorScore(NamedTuple):
    """What is taken of a regression's errors: the power of each, and how the samples' means of it become a figure."""

    power: int
    aggregate: Aggregate


ERRORS: Final = {
    "absolute_error": ErrorScore(1, Aggregate.MEAN),
    "squared_error": ErrorScore(2, Aggregate.ROOT_MEAN),
}
"""The figures of a regression's errors by the name of their measurement."""


@dataclass(frozen=True, kw_only=True)
class Scores:
    """A score of each sample for the artifact and for the reference, in one order, and how they become a figure.

    `block` samples stand behind each score, one unless their number passes MOST_SCORES: then each is the mean over a
    block of as many samples, taken in a seeded random order, and less than a block is left out. `excluded` counts
    samples left out before (leaked ones). Scores have SCORE_DIGITS significant digits.
    """

    artifact: tuple[Decimal, ...]
    reference: tuple[Decimal, ...]
    aggregate: Aggregate
    block: int = 1
    excluded: int = 0

    @property
    def n(self) -> int:
        """The samples behind the scores."""
        return len(self.artifact) * self.block


@dataclass(frozen=True, kw_only=True)
class Processes:
    """One figure per fresh process, in the order they ran (ms, bytes, or a reduction, 1 - ratio).

    `calls` is the number of warm calls behind each. `contended` marks processes that the machine disturbed. `least`
    says of each time what it could have been at the least, had its process never waited and been as quick throughout as
    in its undisturbed calls; where it is empty and a process is marked, nothing is known of what it would have shown.
    """

    values: tuple[Decimal, ...]
    calls: int
    contended: tuple[bool, ...] = ()
    least: tuple[Decimal, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Operators:
    """What an artifact runs: each operator as its format names it, with how often it occurs. Shown, never judged."""

    counts: tuple[tuple[str, int], ...]


class Promise(StrEnum):
    """What an artifact keeps on every legal input, if it is stable."""

    ANSWERS = "answers"
    """It answers: no crash, no exception."""
    FINITE = "finite"
    """Its answers hold no NaN and no infinity."""
    FORM = "form"
    """They have the shape and the dtype that the model's have, in a batch of any size."""
    REPEATS = "repeats"
    """The same input gives the same bits a second time, in one process."""
    PROCESSES = "processes"
    """The same input gives the same bits in another process."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One promise, held against `calls` of the artifact: `broken` of them did not keep it, `first` tells of one."""

    promise: Promise
    calls: int
    broken: int = 0
    first: str = ""


@dataclass(frozen=True, kw_only=True)
class Stability:
    """How the artifact behaved on `inputs`, named, given to it in batches of each of these sizes."""

    checks: tuple[Check, ...]
    inputs: tuple[str, ...]
    batches: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Churn:
    """Decisions under noise, whose standard deviation is `noise` of the inputs' spread; "right" is an unchanged one."""

    outcomes: PairedOutcomes
    noise: Decimal


@dataclass(frozen=True, kw_only=True)
class FeatureDrift:
    """How one feature of the field's inputs differs from the test split's.

    `psi` is the population stability index over the deciles of both; `null_mean` and `null_variance` are those of the
    same index when the samples are dealt out to the splits at random. `ks` is the Kolmogorov-Smirnov distance, `ks_p`
    the share of such deals in which any feature's is as large.
    """

    name: str
    psi: Decimal
    null_mean: Decimal
    null_variance: Decimal
    ks: Decimal
    ks_p: Decimal


@dataclass(frozen=True, kw_only=True)
class Drift:
    """The inputs of so many `test` and `field` samples, feature by feature."""

    features: tuple[FeatureDrift, ...]
    test: int
    field: int


@dataclass(frozen=True, kw_only=True)
class NotMeasured:
    """The figure could not be had; `reason` says why. It never passes a budget."""

    reason: str


Statistic = (
    Count
    | Reduction
    | Share
    | Classified
    | Joint
    | Multilabel
    | Scores
    | Processes
    | Stability
    | Churn
    | Drift
    | Operators
    | NotMeasured
)


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One figure (or table) of one target.

    `name` is what budgets are measured from: size, size_compressed, size_reduction, parameters, macs, sparsity,
    undelegated_ops, quality, agreement, absolute_error, squared_error, metrics.wer (of the spec's own), stable, churn,
    latency.p50 …, load, first_call, cold_start, memory_peak, latency_reduction, sustained_slowdown, energy,
    leakage, near_duplicates, drift_psi, split_uses.
    `latency.max`, `operators`, `weights.float32` … (bytes of each stored type) and `difference` (the largest of any
    output, in units of the reference's spread) are shown only. `split` is "test" or "field" where data decides it.
    `samples_sha256` is the digest of the raw samples in the store. `variant` names another way of counting the same
    figure, e.g. "without near-duplicates": a verdict stands only where every way leads to it.
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
    source: str = ""
    """SHA-256 of the evidence file that it was handed in with (`ir.report.Import`); empty: measured by this check."""
    variant: str = ""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """The facts of the machine that measured."""

    system: str
    architecture: str
    processor: str
    cores: int
    memory_bytes: int
    python: str
    isolation: tuple[str, ...] = ()
    """What kept the processes that open models from the network and from files; empty: unisolated."""
