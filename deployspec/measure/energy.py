"""Energy of one call above rest, from what a counter or a meter's log says of both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from deployspec.ir.evidence import NotMeasured, Processes
from deployspec.measure.processes import decimal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deployspec.measure.power_log import PowerLog

WINDOW_S: Final = 3.0
"""How long to rest, and how long to call: counters tell of a millisecond at the earliest, meters of much less often."""

DISTURBED_SHARE: Final = 0.1
"""A process is marked when others had more than this share of a core meanwhile: a counter counts for them too."""

_UJ_PER_MJ: Final = 1000


@dataclass(frozen=True)
class _Spent:
    """Seconds and microjoules."""

    seconds: float
    energy_uj: float


def energies(processes: Sequence[dict[str, Any]], log: PowerLog | None = None) -> Processes | NotMeasured:
    """mJ of one call above rest, one value a process, from lines of the runner's task `energy`.

    With a `log`, from that instead of the machine's own counter. NotMeasured where there is neither, where the log
    does not cover a process, and where a process spent no more than at rest: then the counter does not resolve it.
    """
    if missing := [each["missing"] for each in processes if "missing" in each]:
        return NotMeasured(reason=missing[0])
    if log and (
        outside := [each for each in processes if not log.covers(each["rest"]["began"], each["work"]["ended"])]
    ):
        return NotMeasured(reason=f"the power log says nothing of {len(outside)} of {len(processes)} processes")
    values = [_above_rest(_spent(each["rest"], log), _spent(each["work"], log), each["calls"]) for each in processes]
    if min(values) <= 0:
        return NotMeasured(reason="a process spent no more than the machine at rest: its counter does not resolve it")
    return Processes(
        values=tuple(decimal(value) for value in values),
        calls=min(each["calls"] for each in processes),
        contended=tuple(_is_disturbed(each["rest"]) or _is_disturbed(each["work"]) for each in processes),
    )


def _spent(window: dict[str, Any], log: PowerLog | None) -> _Spent:
    seconds = window["ended"] - window["began"]
    if log is not None:
        return _Spent(seconds, log.energy_mj(window["began"], window["ended"]) * _UJ_PER_MJ)
    return _Spent(seconds, window["spent_uj"])


def _above_rest(rest: _Spent, work: _Spent, calls: int) -> float:
    """mJ of one call."""
    at_rest_uj = rest.energy_uj / rest.seconds * work.seconds
    return (work.energy_uj - at_rest_uj) / calls / _UJ_PER_MJ


def _is_disturbed(window: dict[str, Any]) -> bool:
    others = window["others_cpu_s"]
    return others is not None and others > DISTURBED_SHARE * (window["ended"] - window["began"])
