"""Energy of a call: from counters and from logs that other programs keep, in the forms that these write."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from deployspec.errors import DataFault
from deployspec.ir.evidence import NotMeasured, Processes
from deployspec.measure.energy import energies
from deployspec.measure.power_log import PowerLog, read_log

if TYPE_CHECKING:
    from pathlib import Path

POWERMETRICS = """Machine model: Mac14,2
OS version: 22G90

*** Sampled system activity (Tue Apr 22 23:30:01 2026 +0000) (501.02ms elapsed) ***

**** Processor usage ****

E-Cluster HW active frequency: 1020 MHz
CPU Power: 450 mW
GPU Power: 120 mW
ANE Power: 0 mW
Combined Power (CPU + GPU + ANE): 570 mW

*** Sampled system activity (Tue Apr 22 23:30:01 2026 +0000) (498.98 ms elapsed) ***

CPU Power: 900 mW
Combined Power (CPU + GPU + ANE): 3000 mW

**** GPU usage ****
GPU Power: 118 mW
Combined Power (CPU + GPU + ANE): 3001 mW

*** Sampled system activity (Tue Apr 22 23:30:02 2026 +0000) (1000.00ms elapsed) ***
CPU Power: 1 m"""
END = datetime(2026, 4, 22, 23, 30, 1, tzinfo=UTC).timestamp()


def line(rest_uj: int, work_uj: int, calls: int = 1000, *, others_s: float | None = 0.0) -> dict[str, Any]:
    """Two seconds of rest and four of calls."""
    rest = {"began": 0.0, "ended": 2.0, "spent_uj": rest_uj, "others_cpu_s": others_s}
    work = {"began": 2.0, "ended": 6.0, "spent_uj": work_uj, "others_cpu_s": 0.0}
    return {"rest": rest, "work": work, "calls": calls}


def test_what_the_machine_takes_at_rest_is_taken_away() -> None:
    found = energies([line(2_000_000, 9_000_000), line(2_000_000, 4_000_001, 10)])
    assert found == Processes(values=(Decimal(5), Decimal("0.0001")), calls=10, contended=(False, False))


def test_a_counter_counts_for_others_too() -> None:
    found = energies([line(0, 10**6), line(0, 10**6, others_s=0.21), line(0, 10**6, others_s=None)])
    assert isinstance(found, Processes)
    assert found.contended == (False, True, False)


@pytest.mark.parametrize("work_uj", [4_000_000, 3_000_000, 0])
def test_no_more_than_at_rest_is_below_what_a_counter_resolves(work_uj: int) -> None:
    found = energies([line(2_000_000, 9_000_000), line(2_000_000, work_uj)])
    assert isinstance(found, NotMeasured)
    assert "does not resolve it" in found.reason


def test_a_machine_without_a_counter_measures_nothing() -> None:
    for lines in ([{"missing": "none here"}], [line(0, 10**6), {"missing": "none here"}]):
        assert energies(lines) == NotMeasured(reason="none here")


def written(folder: Path, text: str) -> Path:
    path = folder / "power.log"
    path.write_text(text)
    return path


def test_powermetrics_samples_follow_each_other_and_end_when_their_headers_say(tmp_path: Path) -> None:
    log = read_log(written(tmp_path, POWERMETRICS))
    assert [each - END for each in log.moments] == pytest.approx([-0.50102, 0, 0.49898], abs=1e-6)
    assert log.energies_mj == pytest.approx((0, 0.50102 * 570, 0.50102 * 570 + 0.49898 * 3000))


@pytest.mark.parametrize(("column", "unit"), [("power_w", 1000), ("power_mw", 1)])
def test_between_the_samples_of_a_meter_power_is_a_straight_line(tmp_path: Path, column: str, unit: int) -> None:
    log = read_log(written(tmp_path, f"timestamp,volts,{column}\n10,5,0\n12,5,4\n13,5,4\n"))
    assert log.energy_mj(10, 13) == pytest.approx(8 * unit)
    assert log.energy_mj(12.5, 13) == pytest.approx(2 * unit)


def test_a_line_that_is_still_being_written_does_not_count(tmp_path: Path) -> None:
    assert read_log(written(tmp_path, "timestamp,power_w\n10,4\n12,4\n13,1")).moments == (10, 12)


def test_a_log_counts_where_it_covers_every_process() -> None:
    steady = PowerLog((0.0, 2.0, 6.0), (0.0, 2000.0, 11000.0))
    assert energies([line(0, 0)], steady) == Processes(values=(Decimal(5),), calls=1000, contended=(False,))
    for short in (PowerLog((0.0, 5.9), (0.0, 1.0)), PowerLog((0.1, 6.0), (0.0, 1.0))):
        assert energies([line(0, 0)], short) == NotMeasured(reason="the power log says nothing of 1 of 1 processes")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "it tells of less than two moments"),
        ("time,watts\n1,2\n", "its columns are time, watts"),
        ("timestamp,power_w\n1,2\n", "it tells of less than two moments"),
        ("\n\n", "its columns are none"),
        ("timestamp,power_w\n1,2\n2,x\n", "line 3: 'x' is no figure"),
        ("timestamp,power_w\n1,2\n2\n", "line 3: None is no figure"),
        ("timestamp,power_w\n1,2\n2,nan\n", "line 3: 'nan' is no figure"),
        ("timestamp,power_w\n1,2\n2,-1\n", "line 3: '-1' is no figure"),
        ("timestamp,power_w\n1,2\n2,2\n2,2\n", "line 4: the time does not rise"),
        (POWERMETRICS.replace("Tue Apr 22", "Tuesday 22"), "line 4: 'Tuesday 22 23:30:01 2026 +0000' is no time"),
        (POWERMETRICS.replace("ANE): 300", "ANE) = 300"), "3 samples and 1 lines of 'Combined Power'"),
        (POWERMETRICS.partition("CPU Power")[0], "it tells of less than two moments"),
        (POWERMETRICS.replace("Combined Power", "Power"), "3 samples and 0 lines of 'Combined Power'"),
    ],
)
def test_what_is_no_power_log_is_refused_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(DataFault) as refused:
        read_log(written(tmp_path, text))
    assert f"is no power log: {told}; it takes" in str(refused.value)


@pytest.mark.parametrize("so_far", ["", "timestamp,power_w\n", "timestamp,power_w\n1,2\n2,2\n"])
def test_a_log_that_is_behind_is_waited_for(tmp_path: Path, so_far: str) -> None:
    path = written(tmp_path, so_far)
    later = threading.Timer(0.5, lambda: path.write_text("timestamp,power_w\n1,2\n2,2\n3,2\n"))
    later.start()
    assert read_log(path, until=2.5).moments == (1, 2, 3)
    later.join()


def test_a_log_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataFault, match="cannot be read: No such file"):
        read_log(tmp_path / "none")
