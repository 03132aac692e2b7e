"""The memory of a process and of all that it starts, read from Linux's /proc."""

import os
import subprocess
import threading
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

SAMPLED_EVERY_S = 0.2


@dataclass(frozen=True)
class Footprint:
    """The peak resident memory of the first process alone, and that of all together.

    What several processes share, a library's pages above all, counts once (the kernel's proportional set size).
    """

    first_bytes: int
    all_bytes: int


def footprint(command: Sequence[str | Path], **environment: str) -> Footprint:
    """Run `command` and sample. Raises RuntimeError when it fails."""
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ | environment
    )
    seen, over = [(0, 0)], threading.Event()
    sampler = threading.Thread(target=_sample, args=(process.pid, seen, over))
    sampler.start()
    code = process.wait()
    over.set()
    sampler.join()
    if code:
        raise RuntimeError(f"{' '.join(map(str, command))} exited with code {code}")
    firsts, alls = zip(*seen, strict=True)
    return Footprint(max(firsts), max(alls))


def _sample(first: int, seen: list[tuple[int, int]], over: threading.Event) -> None:
    while not over.wait(SAMPLED_EVERY_S):
        alone = _bytes(first, "Rss")
        seen.append((alone, sum(_bytes(pid, "Pss") for pid in _family(first))))


def _family(first: int) -> list[int]:
    """The process and all that descend from it."""
    children = defaultdict(list)
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            children[int(parent)].append(int(folder.name))
    found = [first]
    for pid in found:
        found += children[pid]
    return found


def _bytes(pid: int, field: str) -> int:
    """A field of the kernel's summary of a process's memory; 0 of one that has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:")), 0)
