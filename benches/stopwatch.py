"""Times whole processes, and two things that take turns."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

_BYTES_PER_MAXRSS = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True)
class Run:
    """A process that ended as asked, with those it waited for: what it took, the largest one's memory, its output."""

    wall_s: float
    cpu_s: float
    peak_bytes: int
    output: str


def run(command: Sequence[str | Path], *, given: str = "", exits: Collection[int] = (0,), **environment: str) -> Run:
    """Run `command` with `given` on its standard input.

    Raises RuntimeError, with what it said, when it exits with another code than those of `exits`.
    """
    with (
        tempfile.TemporaryFile("w+") as source,
        tempfile.TemporaryFile("w+") as said,
        tempfile.TemporaryFile("w+") as printed,
    ):
        source.write(given)
        source.seek(0)
        start = time.perf_counter()
        process = subprocess.Popen(command, stdin=source, stdout=printed, stderr=said, env=os.environ | environment)
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        printed.seek(0)
        said.seek(0)
        if process.returncode not in exits:
            raise RuntimeError(f"{' '.join(map(str, command))}\n{said.read()}")
        cpu_s = usage.ru_utime + usage.ru_stime
        return Run(wall_s, cpu_s, usage.ru_maxrss * _BYTES_PER_MAXRSS, printed.read())


def taking_turns(ours: Callable[[], T], theirs: Callable[[], T], pairs: int) -> list[tuple[T, T]]:
    """What both give, pair by pair, in the order ABBA: whatever drifts meanwhile hits both alike."""
    found = []
    for number in range(pairs):
        if number % 2 == 0:
            one, other = ours(), theirs()
        else:
            other, one = theirs(), ours()
        found.append((one, other))
    return found
