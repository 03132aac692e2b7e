"""Verdicts: what the evidence says of each budget, and what that means for the release."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import StrEnum

from deployspec.errors import ExitCode
from deployspec.ir.evidence import EvidenceClass


class Outcome(StrEnum):
    """What the evidence says of one budget."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    WARN = "warn"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    NOT_MEASURED = "not_measured"
    WAIVED = "waived"

    @property
    def releases(self) -> bool:
        """Whether this outcome lets a release pass; absence never does."""
        return self in (Outcome.PASS, Outcome.WARN, Outcome.WAIVED)


@dataclass(frozen=True, kw_only=True)
class Waiver:
    """A named person accepts that one budget of one target does not hold, until a day's end (UTC)."""

    target: str
    budget: str
    reason: str
    approver: str
    expires: date

    def holds_at(self, moment: datetime) -> bool:
        """Whether `moment` lies before the end of the day `expires`, UTC."""
        end = datetime.combine(self.expires, time.max, tzinfo=UTC)
        return moment <= end


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One budget of one target, judged.

    `estimate`, `lower` and `upper` are in `unit`: the base unit of the budget's dimension (bytes, ms, mJ;
    shares and drops as fractions). `lower` and `upper` are one-sided bounds at the stated confidence,
    rounded outward. `limit` is the text of the limit; `good` that of the inner band, which has a comparator of its own.
    `n` counts what the figure rests on: samples, or processes. `waived` is the outcome that a waiver covers.
    """

    target: str
    budget: str
    verdict: Outcome
    comparator: str
    limit: str
    unit: str
    reason: str
    estimate: Decimal | None = None
    lower: Decimal | None = None
    upper: Decimal | None = None
    good: str = ""
    n: int | None = None
    evidence: EvidenceClass | None = None
    waived: Outcome | None = None


class Result(StrEnum):
    """What the verdicts together mean."""

    PASSED = "passed"
    FAILED = "failed"
    UNPROVEN = "unproven"

    @property
    def exit_code(self) -> ExitCode:
        """The exit code that says it."""
        return {Result.PASSED: ExitCode.OK, Result.FAILED: ExitCode.FAILED, Result.UNPROVEN: ExitCode.UNPROVEN}[self]
