"""Logs of what a machine drew, kept by another program: macOS's powermetrics, or the table of a meter."""

from __future__ import annotations

import csv
import math
import re
import time
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from typing import TYPE_CHECKING, Final

import numpy as np

from deployspec.errors import DataFault

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PATIENCE_S: Final = 15
"""How long a log may be behind: powermetrics tells of every five seconds unless it is told otherwise."""

_HEADER: Final = re.compile(r"^\*\*\* Sampled system activity \((.+?)\) \(([\d.]+) ?ms elapsed\)")
_COMBINED: Final = re.compile(r"^Combined Power \(.*\): ([\d.]+) mW$")
_UNITS_MW: Final = {"power_mw": 1.0, "power_w": 1000.0}
_FORMS: Final = (
    "the text of `powermetrics --samplers cpu_power`, or a table with the columns timestamp (seconds since 1970) and "
    "power_w or power_mw"
)


@dataclass(frozen=True)
class PowerLog:
    """Moments in seconds since 1970, rising, and the energy in mJ from the first of them up to each.

    Both are empty as long as the log holds too little to tell of any energy.
    """

    moments: tuple[float, ...] = ()
    energies_mj: tuple[float, ...] = ()

    def reaches(self, moment: float) -> bool:
        """Whether the log ends after."""
        return max(self.moments, default=-math.inf) >= moment

    def covers(self, began: float, ended: float) -> bool:
        """Whether the log begins before and ends after."""
        return self.moments[0] <= began and ended <= self.moments[-1]

    def energy_mj(self, began: float, ended: float) -> float:
        """What was drawn between two moments that it covers."""
        first, last = np.interp([began, ended], self.moments, self.energies_mj)
        return float(last - first)


def read_log(path: Path, until: float = -math.inf) -> PowerLog:
    """The log of either form. Raises DataFault, which tells the line.

    One that ends before `until` is waited for a while: who keeps it writes now and then, and may begin it anew.
    """
    deadline = time.monotonic() + PATIENCE_S
    while not (log := _read(path)).reaches(until) and time.monotonic() < deadline:
        time.sleep(0.2)
    if not log.moments:
        raise _no_power_log(path, "it tells of less than two moments")
    return log


def _read(path: Path) -> PowerLog:
    try:
        whole, _, _ = path.read_text().rpartition("\n")  # the last line may be at its beginning
    except (OSError, UnicodeDecodeError) as error:
        raise DataFault(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    lines = whole.splitlines()
    try:
        return powermetrics(lines) if any(map(_HEADER.match, lines)) else table(lines)
    except ValueError as error:
        raise _no_power_log(path, error) from None


def _no_power_log(path: Path, why: object) -> DataFault:
    return DataFault(f"{path} is no power log: {why}; it takes {_FORMS}")


def powermetrics(lines: Sequence[str]) -> PowerLog:
    """Each sample's header says when it ended, to a second, and how long it took; then comes what the chip drew.

    The samples follow each other without a gap, so that their lengths tell the moments but for one shift: the least
    that puts none of them before its header's second. Raises ValueError.
    """
    ended: list[float] = []
    seconds: list[float] = []
    power_mw: list[float] = []
    for number, line in enumerate(lines, 1):
        if header := _HEADER.match(line):
            ended.append(_moment(header[1], number))
            seconds.append(float(header[2]) / 1000)
        elif (found := _COMBINED.match(line)) and len(power_mw) < len(ended):
            power_mw.append(float(found[1]))
    whole = len(power_mw)  # the last sample may be cut short
    if whole < len(ended) - 1:
        raise ValueError(f"{len(ended)} samples and {whole} lines of 'Combined Power'")
    if not whole:
        return PowerLog()
    passed = [0.0, *accumulate(seconds[:whole])]
    start = max(moment - after for moment, after in zip(ended, passed[1:], strict=False))
    energies = accumulate((mw * s for mw, s in zip(power_mw, seconds, strict=False)), initial=0.0)
    return PowerLog(tuple(start + each for each in passed), tuple(energies))


def table(lines: Sequence[str]) -> PowerLog:
    """Samples of power, straight lines between them. Raises ValueError."""
    if not lines:
        return PowerLog()
    rows = csv.DictReader(lines)
    column = next((name for name in rows.fieldnames or () if name in _UNITS_MW), None)
    if column is None or "timestamp" not in (rows.fieldnames or ()):
        raise ValueError(f"its columns are {', '.join(rows.fieldnames or ()) or 'none'}")
    samples = [
        (_number(row["timestamp"], n), _number(row[column], n) * _UNITS_MW[column]) for n, row in enumerate(rows, 2)
    ]
    if len(samples) < 2:
        return PowerLog()
    moments, power_mw = np.array(samples).T
    steps = np.diff(moments)
    if late := np.flatnonzero(steps <= 0).tolist():
        raise ValueError(f"line {late[0] + 3}: the time does not rise")
    energies = np.cumsum((power_mw[1:] + power_mw[:-1]) / 2 * steps)
    return PowerLog(tuple(moments.tolist()), (0.0, *energies.tolist()))


def _moment(text: str, number: int) -> float:
    try:
        return datetime.strptime(text, "%a %b %d %H:%M:%S %Y %z").timestamp()
    except ValueError:
        raise ValueError(f"line {number}: {text!r} is no time") from None


def _number(text: str | None, number: int) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"line {number}: {text!r} is no figure")
    return value
