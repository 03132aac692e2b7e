"""The report's predicate: everything that a verdict follows from, and the verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from deployspec.ir.budget import Budget
from deployspec.ir.device import Device
from deployspec.ir.evidence import EvidenceClass, Machine, Measurement, Rules
from deployspec.ir.verdict import Result, Verdict, Waiver

PREDICATE_TYPE: Final = "https://deployspec.dev/compliance-report/v1"

_RFC_3339: Final = "%Y-%m-%dT%H:%M:%SZ"


def write_time(moment: datetime) -> str:
    """An aware `moment` as RFC 3339 in UTC, to the second: `2026-01-31T12:00:00Z`."""
    return moment.astimezone(UTC).strftime(_RFC_3339)


def read_time(text: str) -> datetime:
    """The moment that `write_time` wrote, in that one form. Raises ValueError."""
    moment = datetime.strptime(text, _RFC_3339).replace(tzinfo=UTC)
    if write_time(moment) != text:
        raise ValueError(f"{text!r} is not a time of the form 2026-01-31T12:00:00Z")
    return moment


def is_plain_name(name: str) -> bool:
    """Whether `name` is one component of a path, the same on every system, and safe to show."""
    return name not in ("", ".", "..") and name.isprintable() and not set(name) & set("/\\:")


@dataclass(frozen=True, kw_only=True)
class Digest:
    """A named thing and its SHA-256."""

    name: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Deviation:
    """How far an artifact's answers to the contract's probe, `batch` samples at a time, lie from what made it.

    `difference` is the largest one and `rms` the root mean square, in units of the expected output's spread (maximum -
    minimum); `agreement` the share of equal decisions. Each is that of the worst output, agreement None for values.
    """

    batch: int
    difference: Decimal
    rms: Decimal
    agreement: Decimal | None = None


@dataclass(frozen=True, kw_only=True)
class Contract:
    """What an artifact was held to: `tolerance` is the largest difference that was allowed, in spreads of the output.

    `found` tells each way that the probe was run; it is empty where the step failed.
    """

    tolerance: Decimal
    found: tuple[Deviation, ...] = ()

    @property
    def difference(self) -> Decimal | None:
        """The largest that was found; None where nothing was."""
        return max((each.difference for each in self.found), default=None)


@dataclass(frozen=True, kw_only=True)
class StepRecord:
    """One step of the plan as it ran. `result` is built, cached or failed; `seconds` its wall time when built.

    `contract` is there where the step holds an artifact to a tolerance.
    """

    id: str
    takes: tuple[str, ...]
    gives: str
    result: str
    seconds: str = ""
    reason: str = ""
    contract: Contract | None = None


@dataclass(frozen=True, kw_only=True)
class TargetReport:
    """One target: what was promised and the rules of proof it was judged by.

    `artifact` is the file's (or folder's) bare name and digest, kept at `artifacts/<target>/<name>`: the statement's
    subject `<target>/<name>`, or `<target>/<name>.sha256`, a folder's manifest. It is None when the build failed, and
    `failure` says why.
    """

    name: str
    format: str
    budgets: tuple[Budget, ...]
    rules: Rules
    steps: tuple[str, ...]
    artifact: Digest | None = None
    failure: str = ""
    folder: bool = False
    """Whether the artifact is a folder: then its digest is that of its manifest, and the manifest is the subject."""
    device: str = ""
    """The device that the spec names, which alone gives evidence of class `device`; empty: any."""


@dataclass(frozen=True, kw_only=True)
class Import:
    """One run of an evidence file that others handed in: what of it was used, and who vouches for it.

    `file` is the name and the digest of the file's bytes (of the envelope, where it is signed). `signers` are the keys
    with the role `lab` that signed it; empty: it is only claimed. `stated` is the class that the file says.
    """

    file: Digest
    signers: tuple[str, ...]
    target: str
    artifact: Digest
    stated: EvidenceClass
    folder: bool = False
    device: Device | None = None
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Report:
    """The predicate of the in-toto statement. Times are RFC 3339 in UTC with a `Z`.

    `sources` are the model's files, its weights first, then those of its hooks; `data` the files of each split,
    `<split>: <file>`, and of one that code yields, where it was kept, what it yielded, `<split>: <file>.py:<callable>`.
    A target without steps was not built but judged: its artifact is the one that the evidence in `imports` names.
    `left_out` names the spec's targets that were not asked for, so that a part never passes for the whole.
    """

    result: Result
    model: str
    model_version: str
    spec: Digest
    sources: tuple[Digest, ...]
    data: tuple[Digest, ...]
    policies: tuple[Digest, ...]
    targets: tuple[TargetReport, ...]
    measurements: tuple[Measurement, ...]
    verdicts: tuple[Verdict, ...]
    waivers: tuple[Waiver, ...]
    steps: tuple[StepRecord, ...]
    tools: tuple[tuple[str, str], ...]
    machine: Machine
    findings: tuple[str, ...]
    checked_at: str
    expires_at: str = ""
    left_out: tuple[str, ...] = ()
    imports: tuple[Import, ...] = ()
