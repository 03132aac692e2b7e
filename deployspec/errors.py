"""The ways in which a run can end badly, each with its exit code.

A message says what happened, why (as far as it is known) and what to do next. Only `cli` catches
`DeploySpecError`; any other exception is a bug, keeps its traceback and exits 70. What one module alone raises stands
beside what raises it: `contract`, `routes`, `measure.own_metric`, `evaluators.mlprogram.faults`.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from deployspec.diagnostics import Diagnostic


class ExitCode(IntEnum):
    """Exit codes of the command line; of several the first of 2, 5, 4, 1, 3, 0 wins."""

    OK = 0
    FAILED = 1
    FAULTY = 2
    UNPROVEN = 3
    BUILD_FAILED = 4
    UNTRUSTED = 5
    BUG = 70
    INTERRUPTED = 130


class DeploySpecError(Exception):
    """Base of all failures that a user can act on."""

    exit_code: ExitCode = ExitCode.FAULTY


class UsageError(DeploySpecError):
    """The command line asks for something that does not exist or cannot be combined."""


class SpecFaults(DeploySpecError):
    """The spec, or a policy that it extends, has faults; carries every one of them."""

    def __init__(self, faults: Sequence[Diagnostic]) -> None:
        first = f": {faults[0].message}" if faults else ""
        super().__init__(f"{len(faults)} fault{'s' if len(faults) != 1 else ''} in the spec{first}")
        self.faults = tuple(faults)


class DataFault(DeploySpecError):
    """A data split cannot be read, or holds what the spec does not allow."""


class SourceFault(DeploySpecError):
    """The model's source or weights are missing, unreadable or do not fit each other."""


class UnreadableModel(DeploySpecError):
    """A model file is truncated, malformed, or of a kind that is not read; the message says what it is."""


class EvidenceFault(DeploySpecError):
    """An evidence file cannot be read, contradicts itself, or is of something else.

    Each fault is a JSON pointer (empty: the whole file) and what is wrong there.
    """

    def __init__(self, file: Path, faults: Sequence[tuple[str, str]]) -> None:
        super().__init__("\n".join(f"{file}:{f'{pointer}:' * bool(pointer)} {what}" for pointer, what in faults))
        self.faults = tuple(faults)


class DigestMismatch(DeploySpecError):
    """A file's bytes are not those that were pinned, recorded or expected."""

    exit_code = ExitCode.UNTRUSTED


class TrustError(DeploySpecError):
    """A signature, an envelope or a trust policy did not hold."""

    exit_code = ExitCode.UNTRUSTED


class NotAReport(TrustError):
    """What was read as a report is none: no envelope, of something else, or not in a report's form."""


class StepFailed(DeploySpecError):
    """A build step raised, crashed, hung or broke its contract."""

    exit_code = ExitCode.BUILD_FAILED

    def __init__(self, step: str, reason: str, log: Path | None = None) -> None:
        hint = f"\n  log: {log}" if log else ""
        super().__init__(f"step '{step}' failed: {reason}{hint}")
        self.step = step
        self.reason = reason
        self.log = log


class StoreError(DeploySpecError):
    """The store cannot be written or read: no space, no permission, a foreign layout."""

    exit_code = ExitCode.BUILD_FAILED
