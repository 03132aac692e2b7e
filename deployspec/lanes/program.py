"""What a lane is asked to do, and how it tells that it was done."""

from __future__ import annotations

import importlib.util
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

from deployspec.ir import codec

if TYPE_CHECKING:
    from deployspec.ir.evidence import EvidenceClass, Machine
    from deployspec.ir.plan import Runner

_WITH_EVERY_RUNNER: Final = (
    *(f"deployspec.runners.{each}" for each in ("protocol", "joules", "steadiness", "stopwatch")),
    "deployspec.isolation",
)


@dataclass(frozen=True, kw_only=True)
class Program:
    """A runner with its files and its job.

    `files` maps the names that `job` uses to local files or folders; the lane makes them available under those
    names in the working folder. What the runner writes to its folder `out` is brought back to `fetch`, what it
    says on standard error is added to `log`, a path or an open file's descriptor.
    """

    runner: Runner
    job: dict[str, Any]
    files: dict[str, Path]
    fetch: Path
    time_limit_s: int
    log: Path | int | None = None


class ProgramFailed(Exception):
    """The program did not do its whole job; the text says why. A measurement becomes `not_measured`."""


class Lane(Protocol):
    """Moves files, runs a program, brings files back; knows nothing of models."""

    evidence: ClassVar[EvidenceClass]

    def prepare(self, runner: Runner) -> None:
        """Let `runner` get ready beside other work; it may be asked for again."""

    def run(self, program: Program) -> list[dict[str, Any]]:
        """The lines that the runner printed, without the closing one. Raises ProgramFailed."""

    def machine(self) -> Machine:
        """The facts of the machine that runs the programs."""


def scripts(runner: Runner) -> list[Path]:
    """The runner's own file first, then those that must lie beside it."""
    return [_source(name) for name in dict.fromkeys((runner.script, *runner.needs, *_WITH_EVERY_RUNNER))]


def module_of(runner: Runner) -> str:
    """What the runner's own file is imported as, where it is shipped to."""
    return runner.script.rpartition(".")[2]


def new_nonce() -> str:
    """Unpredictable, so that no earlier output can pass for this run's."""
    return secrets.token_hex(16)


def lines_of(output: str, nonce: str) -> list[dict[str, Any]]:
    """The runner's lines, if the last one closes the run with `nonce` and none is an error. Else ProgramFailed."""
    lines = [_parsed(text) for text in output.splitlines() if text.startswith("{")]
    whole = [line for line in lines if line is not None]
    if not whole or whole[-1] != {"done": True, "nonce": nonce}:
        raise ProgramFailed("the runner ended before its closing line")
    errors = [line["error"] for line in whole if "error" in line]
    if errors:
        raise ProgramFailed(str(errors[0]))
    return whole[:-1]


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        value = codec.read_untrusted(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _source(module: str) -> Path:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ProgramFailed(f"the runner's file '{module}' is not installed")
    return Path(spec.origin)
