"""What a user asks of the flow, what is told meanwhile, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from deployspec.build import Progress
from deployspec.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from deployspec.build import Store
    from deployspec.ir.report import Report
    from deployspec.ir.spec import Target
    from deployspec.trust import dsse
    from deployspec.trust.keys import Signer
    from deployspec.trust.policy import TrustPolicy


class Watch(Progress, Protocol):
    """Receives progress events of every step that takes time."""

    def timing(self, target: Target) -> None:
        """A target's latency is about to be measured."""


@dataclass(frozen=True, kw_only=True)
class JudgeRequest:
    """What a user asks to be judged, beyond the spec. `targets` narrows it; without a `key` the report is unsigned."""

    out: Path
    targets: tuple[str, ...] = ()
    key: Signer | None = None
    strict: bool = False
    evidence: tuple[Path, ...] = ()
    """Files of measurements made elsewhere."""
    trust: TrustPolicy | None = None
    """Says whose signature makes such a file more than a claim."""
    kept: Callable[[Path], None] = lambda _: None
    """Told where an earlier report that is signed has been put."""


@dataclass(frozen=True, kw_only=True)
class CheckRequest(JudgeRequest):
    """What a user asks of a check: to build and to measure, and then to be judged."""

    store: Store
    reuse_latency_s: int | None = None
    jobs: int = 2
    memory_limit_bytes: int | None = None
    """For each step; None leaves it the machine's memory."""
    hidden: tuple[Path, ...] = ()
    """Files that nothing which opens a model may read: the signing key."""


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A finished check: what was concluded, and the envelope that proves it."""

    report: Report
    envelope: dsse.Envelope
    path: Path

    @property
    def exit_code(self) -> ExitCode:
        """4 when a step failed, else what the verdicts conclude."""
        failed = any(target.failure and target.steps for target in self.report.targets)
        return ExitCode.BUILD_FAILED if failed else self.report.result.exit_code
