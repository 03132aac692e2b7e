"""The task "energy": what the machine's own counters say of doing nothing, and of calling the model over and over.

Counters count for all that the machine does, so the same is told of others' work beside ours. No counter is ever
estimated from a time or a nominal power: a machine that counts nothing says so.

This file is shipped to devices beside `protocol.py`: the standard library and numpy, and nothing else of deployspec.
"""

from __future__ import annotations

import os
import re
import time
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING or __package__:
    from deployspec.runners.stopwatch import warm_up
else:
    from stopwatch import warm_up  # its neighbour, where it is shipped to

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from deployspec.runners.protocol import Load
    from deployspec.runners.stopwatch import Arrays, Timed

POWERCAP = Path("/sys/class/powercap")
DEVICES = Path("/sys/bus/iio/devices")

ABSENT = (
    "this machine shows no energy counter: on Linux /sys/class/powercap (RAPL, mostly not in virtual machines) or "
    "/sys/bus/iio/devices/*/energy_value (the power rails of some phones)"
)


class Counter(Protocol):
    """Counts energy in one or more domains that do not overlap."""

    wraps: dict[str, int]
    """The value after which a domain starts again from 0; a domain that is not here never does."""

    def read(self) -> dict[str, int]:
        """Microjoules so far, by domain. Raises OSError where the system does not let us."""


class Powercap:
    """RAPL of Intel and AMD as Linux's powercap shows it: each package and its memory.

    Cores and graphics are part of their package, `psys` holds it, and `intel-rapl-mmio` is it once more: none of them
    is counted beside it. (Linux, Documentation/power/powercap/powercap.rst.)
    """

    def __init__(self, root: Path) -> None:
        names = {zone: (zone / "name").read_text().strip() for zone in sorted(root.glob("intel-rapl:*"))}
        counted = {zone: name for zone, name in names.items() if name.startswith(("package", "dram"))}
        self._zones = {f"{name} ({zone.name})": zone for zone, name in counted.items()}
        self.wraps = {domain: int((zone / "max_energy_range_uj").read_text()) for domain, zone in self._zones.items()}

    def read(self) -> dict[str, int]:
        """Microjoules of each package and of each package's memory."""
        return {domain: int((zone / "energy_uj").read_text()) for domain, zone in self._zones.items()}


class Rails:
    """The on-device power monitor of Pixel phones: `CH3(T=8503870)[S2M_VDD_CPUCL2], 1095440`, in microwattseconds.

    Every rail that is switched on is counted, also those of the screen and the modem, which idling takes away again.
    """

    def __init__(self, root: Path) -> None:
        self._files = {file.parent.name: file for file in sorted(root.glob("*/energy_value"))}
        self.wraps: dict[str, int] = {}

    def read(self) -> dict[str, int]:
        """Microjoules of each rail of each device."""
        return {
            f"{rail} ({device})": count
            for device, file in self._files.items()
            for rail, count in rails(file.read_text()).items()
        }


def rails(text: str) -> dict[str, int]:
    """Microjoules by rail in an `energy_value` file."""
    found = re.findall(r"^CH\d+\(T=\d+\)\[([^\]]+)\], *(\d+)$", text, re.MULTILINE)
    return {rail: int(count) for rail, count in found}


def spent(before: Mapping[str, int], after: Mapping[str, int], wraps: Mapping[str, int]) -> int:
    """Microjoules between two readings, of which each domain may have started again once."""
    return sum((after[domain] - count) % (wraps[domain] + 1) if domain in wraps else after[domain] - count
               for domain, count in before.items())  # fmt: skip


def open_counter(powercap: Path = POWERCAP, devices: Path = DEVICES) -> Counter | str:
    """The machine's counter in one of these folders, or what is in the way."""
    kinds: tuple[tuple[Callable[[Path], Counter], Path], ...] = ((Powercap, powercap), (Rails, devices))
    for kind, root in kinds:
        try:
            counter = kind(root)
            if counter.read():
                return counter
        except OSError as error:
            return f"{error.filename} cannot be read ({error.strerror}): mostly only the administrator may"
    return ABSENT


def count_energy(load: Load, job: dict[str, Any], task: dict[str, Any], inputs: Sequence[Arrays]) -> dict[str, Any]:
    """`task["seconds"]` of rest, then as many of calls, each with what the machine's counter says of them.

    With `task["metered"]` something else counts, and when each began and ended is enough.
    """
    return counted(None if task["metered"] else open_counter(), load, job, task, inputs)


def counted(
    counter: Counter | str | None, load: Load, job: dict[str, Any], task: dict[str, Any], inputs: Sequence[Arrays]
) -> dict[str, Any]:
    """The same by `counter`, by none of ours, or not at all for a reason."""
    if isinstance(counter, str):
        return {"missing": counter}
    run, turns = load(job["artifact"], job["options"]), cycle(inputs)
    warm_up(task, run, turns)
    calls = 0

    def call_for(seconds: float) -> None:
        nonlocal calls
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            run(next(turns))
            calls += 1

    rest = _window(counter, time.sleep, task["seconds"])
    work = _window(counter, call_for, task["seconds"])
    return {"rest": rest, "work": work, "calls": calls}


def _window(counter: Counter | None, pass_time: Callable[[float], None], seconds: float) -> dict[str, Any]:
    """When it began and ended (seconds since 1970), microjoules spent, CPU seconds that others had meanwhile."""
    others, before = _others_cpu_s(), counter.read() if counter else {}
    began = time.time()
    pass_time(seconds)
    ended = time.time()
    after, others_later = counter.read() if counter else {}, _others_cpu_s()
    return {
        "began": began,
        "ended": ended,
        "spent_uj": spent(before, after, counter.wraps) if counter else None,
        "others_cpu_s": None if others is None or others_later is None else others_later - others,
    }


def _others_cpu_s() -> float | None:
    """CPU seconds that all but this process have had since the start; None where that is not told."""
    try:
        ticks = list(map(int, Path("/proc/stat").read_text().split(maxsplit=9)[1:9]))
    except (OSError, ValueError):
        return None
    idle = ticks[3] + ticks[4]
    return (sum(ticks) - idle) / os.sysconf("SC_CLK_TCK") - time.process_time()


TASKS: dict[str, Timed] = {"energy": count_energy}
