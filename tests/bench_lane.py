"""A lane that answers at once, with the lines that a runner would print: timing without time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from deployspec.ir.evidence import EvidenceClass, Machine

if TYPE_CHECKING:
    from deployspec.ir.plan import Runner
    from deployspec.lanes.program import Program

MACHINE = Machine(system="s", architecture="a", processor="p", cores=2, memory_bytes=1, python="3")
QUIET = {"wall_s": 1.0, "cpu_s": 0.999, "involuntary_switches": 0, "voluntary_switches": 0, "stolen_s": 0}


def line(task: int = 0, **changes: Any) -> dict[str, Any]:
    """A process as a runner reports it: 100 calls of 1 to 100 ms, at a machine's one speed."""
    calls = [each * 1_000_000 for each in range(1, 101)]
    told = {
        "task": task,
        "warmup_ns": [calls[49]] * 5000,
        "calls_ns": calls,
        "load_ns": 7_000_000,
        "first_call_ns": 3_500_000,
        "start": {"wall_s": 0.0105, "cpu_s": 0.0105},
        "memory_peak_bytes": 4096,
    }
    return told | QUIET | changes


def ratio(*blocks: tuple[int, int], **changes: Any) -> dict[str, Any]:
    return {"task": 1, "blocks_ns": list(blocks), "inputs": 1} | QUIET | changes


class Bench:
    """A lane that answers at once, as often as it is asked, with the lines it was given for each process."""

    evidence: ClassVar[EvidenceClass] = EvidenceClass.HOST

    def __init__(self, *answers: dict[str, Any]) -> None:
        self.answers = answers or (line(),)
        self.programs: list[Program] = []

    def prepare(self, *runners: Runner) -> None:
        """Nothing to prepare."""

    def run(self, program: Program) -> list[dict[str, Any]]:
        self.programs.append(program)
        processes = program.job["tasks"][0]["processes"]
        return [{"runtime": "r 1"}, *[answer for _ in range(processes) for answer in self.answers]]

    def machine(self) -> Machine:
        return MACHINE
