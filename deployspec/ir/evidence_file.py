"""The evidence document: measurements that were made elsewhere, as a lab writes them down.

Strict JSON, versioned, with decimal strings for every number that decides. These hints are the language: the reader
and the JSON schema (`schemas/evidence-1.schema.json`) both follow from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Final

from deployspec.ir.codec import ByHand
from deployspec.ir.constraint import Constraint, Sha256, Text
from deployspec.ir.device import Device, MeasuredOn
from deployspec.ir.evidence import PairedOutcomes

VERSION: Final = 1

PAYLOAD_TYPE: Final = "application/vnd.deployspec.evidence+json"
"""Of the DSSE envelope in which a lab signs the document's bytes."""

_Count = Annotated[int, Constraint(ge=0)]
_Measure = Annotated[Decimal, Constraint(ge=0)]
_Term = Annotated[Decimal, Constraint(gt=0)]
"""Of a ratio."""


@dataclass(frozen=True, kw_only=True)
class Artifact(ByHand):
    """The file that was measured: its bare name, and the SHA-256 of its bytes; of a `folder`, that of its manifest."""

    name: Text
    sha256: Sha256
    folder: bool = False


@dataclass(frozen=True, kw_only=True)
class Quality(ByHand):
    """Decisions over one labelled split.

    `confusion[i][j]` counts samples of class i that the artifact called class j, in the order of `labels`;
    `reference_confusion` likewise for the reference. `paired[i]` are the joint outcomes of both within class i, and
    `rejected[j]` those on the samples that are not of class j, right meaning "not called j": without them the
    evidence holds the margins only, which decide a drop as a point or not at all. `top5` counts samples whose class
    is among the artifact's five best. `n`, where it is given, must be the number of samples in the matrix.
    """

    labels: Annotated[tuple[Text, ...], Constraint(min_length=1)]
    confusion: tuple[tuple[_Count, ...], ...]
    reference_confusion: tuple[tuple[_Count, ...], ...] = ()
    paired: tuple[PairedOutcomes, ...] = ()
    rejected: tuple[PairedOutcomes, ...] = ()
    top5: _Count | None = None
    n: _Count | None = None
    split: str = "test"


@dataclass(frozen=True, kw_only=True)
class Outcomes(ByHand):
    """Joint outcomes of reference and artifact over one labelled split, where nothing is known class by class."""

    both: _Count
    broken: _Count
    repaired: _Count
    neither: _Count
    split: str = "test"


@dataclass(frozen=True, kw_only=True)
class Agreement(ByHand):
    """Samples on which the artifact decides as the reference does: `hits` of `n`."""

    hits: _Count
    n: _Count
    split: str = "test"


@dataclass(frozen=True, kw_only=True)
class Process(ByHand):
    """One fresh process that loaded the artifact, called it once, warmed up, and was then timed call by call.

    `calls_ms` holds every timed call; or else `calls` says how many there were, beside their percentiles (nearest
    rank). `load_ms` and `first_call_ms` are not among them. `memory_peak_bytes` is resident memory above what was
    held before loading, `energy_mj` that of one call above idle. `quarters_ms` holds the median call of the first and
    of the last quarter of a sustained run; `pairs_ms` holds `[artifact, baseline]` for each pair of interleaved calls,
    from which a reduction follows. `contended` marks a process that others disturbed.
    """

    calls_ms: tuple[_Measure, ...] = ()
    calls: Annotated[int, Constraint(ge=1)] | None = None
    p50_ms: _Measure | None = None
    p90_ms: _Measure | None = None
    p95_ms: _Measure | None = None
    p99_ms: _Measure | None = None
    max_ms: _Measure | None = None
    load_ms: _Measure | None = None
    first_call_ms: _Measure | None = None
    memory_peak_bytes: _Count | None = None
    energy_mj: _Measure | None = None
    quarters_ms: tuple[_Term, _Term] | None = None
    pairs_ms: tuple[tuple[_Term, _Term], ...] = ()
    contended: bool = False


@dataclass(frozen=True, kw_only=True)
class Run(ByHand):
    """What was measured of one target's artifact in one place.

    `size_bytes` is what ships; `reference_bytes` what the reference's parameters and buffers take, for a reduction.
    `measured_at` is RFC 3339 in UTC with a `Z`; `note` is for readers.
    """

    target: Text
    artifact: Artifact
    evidence: MeasuredOn
    device: Device | None = None
    runtime: str = ""
    measured_at: str = ""
    size_bytes: _Count | None = None
    reference_bytes: _Count | None = None
    quality: tuple[Quality, ...] = ()
    outcomes: tuple[Outcomes, ...] = ()
    agreement: tuple[Agreement, ...] = ()
    processes: tuple[Process, ...] = ()
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class EvidenceFile(ByHand):
    """One document: any number of runs, of any number of targets. `deployspec_evidence` is its version."""

    deployspec_evidence: int
    runs: Annotated[tuple[Run, ...], Constraint(min_length=1)]
