"""The spec file as a document: its tables one to one, before anything is derived from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date  # noqa: TC003 - the hints are read at run time
from decimal import Decimal  # noqa: TC003
from typing import Annotated, Any, Final, Literal

from deployspec.ir.constraint import Constraint, Text
from deployspec.ir.data import Data
from deployspec.ir.model import Model  # noqa: TC001
from deployspec.ir.spec import Metric, TaskTable  # noqa: TC001

VERSION: Final = 1

QualityClass = Literal["device", "emulator", "host", "reference"]
TimedClass = Literal["device", "host"]
"""An emulator counts for quality only, never for time, memory or energy."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What `[evidence]` of a spec and of a policy may say, as given; None where it says nothing."""

    confidence: Literal["point"] | Decimal | None = None
    quality: QualityClass | None = None
    latency: TimedClass | None = None
    memory: TimedClass | None = None
    energy: TimedClass | None = None
    accept: Literal["signed", "claimed"] | None = None
    churn_noise: Text | None = None
    min_support: Annotated[int, Constraint(ge=1)] | None = None


@dataclass(frozen=True, kw_only=True)
class EvidenceTable(Evidence):
    """`[evidence]` of a spec."""

    seed: Annotated[int, Constraint(ge=0, le=2**32 - 1)] = 0  # what every framework takes as a seed


@dataclass(frozen=True, kw_only=True)
class EvidenceDemanded(Evidence):
    """`[evidence]` of a policy, which also bounds what specs say elsewhere: `[task]` and their targets."""

    tolerance: Annotated[float, Constraint(ge=0, le=1)] | None = None
    sustained: Text | None = None


@dataclass(frozen=True, kw_only=True)
class ReportTable:
    """`[report]`."""

    valid: Text | None = None


@dataclass(frozen=True, kw_only=True)
class PolicyTable:
    """`[policy]`: the policies that this spec may tighten and never loosen."""

    extends: tuple[Text, ...] = ()


@dataclass(frozen=True, kw_only=True)
class WaiverTable:
    """One `[[waivers]]`."""

    target: Text
    budget: Text
    reason: Text
    approver: Text
    expires: date


@dataclass(frozen=True, kw_only=True)
class TargetTable:
    """What every `[targets.NAME]` may hold; each other key is an option of its format."""

    format: Text
    device: Text | None = None
    time_limit: Text | None = None
    sustained: Text | None = None
    passes: tuple[dict[str, Any], ...] = ()
    budgets: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Document:
    """The whole file. `targets` and `budgets` stay raw here: what they may hold depends on the rest."""

    deployspec: int
    model: Model | None = None
    """Required; optional here, so that the rest is read on where it is faulty."""
    task: TaskTable | None = None
    metrics: dict[str, Metric] = field(default_factory=dict)
    data: Data = field(default_factory=Data)
    evidence: EvidenceTable = field(default_factory=EvidenceTable)
    report: ReportTable = field(default_factory=ReportTable)
    policy: PolicyTable = field(default_factory=PolicyTable)
    budgets: dict[str, Any] = field(default_factory=dict)
    targets: dict[str, dict[str, Any]] = field(default_factory=dict)
    waivers: tuple[WaiverTable, ...] = ()
