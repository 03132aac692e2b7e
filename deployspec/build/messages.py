"""What the program and its workers say to each other, one message each way.

A task travels as a pickle, since the worker trusts the program that started it. The way back is JSON, since the
program does not trust what ran in the worker.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any, Final

from deployspec.errors import DataFault, DeploySpecError, SourceFault
from deployspec.ir import codec

if TYPE_CHECKING:
    from pathlib import Path

    from deployspec.ir.artifact import Job
    from deployspec.ir.plan import Step

FAULTS: Final[dict[str, type[DeploySpecError]]] = {kind.__name__: kind for kind in (DataFault, SourceFault)}
"""Errors of the user's data or model, which a worker passes on as themselves."""

_UNREADABLE: Final = "its worker answered with something else than what a step found"


@dataclass(frozen=True, kw_only=True)
class Task:
    """One step to run, with its folders, the file that takes what it prints, and files that it may not read."""

    step: Step
    job: Job
    log: Path
    hidden: tuple[Path, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A step's facts and the seconds its function took."""

    facts: dict[str, Any]
    seconds: float


def encode_answer(answer: Answer) -> bytes:
    """`answer` as the program reads it. Raises TypeError or ValueError for facts that are no JSON."""
    return json.dumps({"facts": answer.facts, "seconds": answer.seconds}, allow_nan=False).encode()


def encode_error(error: BaseException, reason: str) -> bytes:
    """An exception as the program reads it: as itself when it is in FAULTS, else as the reason of a failed step."""
    fault = {"fault": type(error).__name__, "reason": str(error)}
    return json.dumps(fault if type(error) in FAULTS.values() else {"reason": reason}).encode()


def decode_answer(message: bytes) -> Answer | DeploySpecError | str:
    """An answer, a fault of the user's data or model, or the reason why the step failed; nothing else passes."""
    try:
        answer = codec.read_untrusted(message)
    except ValueError:
        return _UNREADABLE
    match answer:
        case {"facts": dict(facts), "seconds": int() | float() as seconds} if 0 <= seconds < inf:
            return Answer(facts=facts, seconds=seconds)
        case {"fault": str(fault), "reason": str(reason)} if fault in FAULTS:
            return FAULTS[fault](reason)
        case {"reason": str(reason)}:
            return reason
        case _:
            return _UNREADABLE
