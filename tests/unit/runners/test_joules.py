"""Energy counters, read from folders laid out as the kernels' documentation and recorded readings show them."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deployspec.runners.joules import ABSENT, Powercap, Rails, count_energy, counted, open_counter, rails, spent

ODPM = """t=8505103
CH0(T=8505103)[S10M_VDD_TPU], 3048
CH1(T=8505103)[VSYS_PWR_MODEM], 19834722
CH3(T=8505103)[S2M_VDD_CPUCL2], 1095440
CH5(T=8505103)[S4M_VDD_CPUCL0], 9876543210
"""


def zone(root: Path, place: str, name: str, energy_uj: int, wraps_at: int = 262143328850) -> Path:
    folder = root / place
    folder.mkdir(parents=True)
    (folder / "name").write_text(f"{name}\n")
    (folder / "energy_uj").write_text(f"{energy_uj}\n")
    (folder / "max_energy_range_uj").write_text(f"{wraps_at}\n")
    return folder


@pytest.fixture
def powercap(tmp_path: Path) -> Path:
    """A desktop's zones, as the class folder lists them: two levels, and the same package by another bus."""
    (tmp_path / "intel-rapl").mkdir()
    zone(tmp_path, "intel-rapl:0", "package-0", 1_000)
    zone(tmp_path, "intel-rapl:0:0", "core", 700)
    zone(tmp_path, "intel-rapl:0:1", "uncore", 20)
    zone(tmp_path, "intel-rapl:0:2", "dram", 50, 65532610987)
    zone(tmp_path, "intel-rapl:1", "psys", 5_000)
    zone(tmp_path, "intel-rapl-mmio:0", "package-0", 1_000)
    return tmp_path


def test_a_package_and_its_memory_count_once_and_nothing_that_holds_or_is_in_them(powercap: Path) -> None:
    counter = Powercap(powercap)
    assert counter.read() == {"package-0 (intel-rapl:0)": 1000, "dram (intel-rapl:0:2)": 50}
    assert counter.wraps == {"package-0 (intel-rapl:0)": 262143328850, "dram (intel-rapl:0:2)": 65532610987}


def test_a_counter_that_starts_again_has_spent_what_lies_on_both_sides() -> None:
    assert spent({"a": 90, "b": 5}, {"a": 10, "b": 7}, {"a": 100, "b": 100}) == 21 + 2
    assert spent({"a": 5}, {"a": 9}, {}) == 4


def test_rails_of_a_phone_are_told_apart_by_device(tmp_path: Path) -> None:
    assert rails(ODPM) == {
        "S10M_VDD_TPU": 3048,
        "VSYS_PWR_MODEM": 19834722,
        "S2M_VDD_CPUCL2": 1095440,
        "S4M_VDD_CPUCL0": 9876543210,
    }
    for device in ("iio:device0", "iio:device1"):
        (tmp_path / device).mkdir()
        (tmp_path / device / "energy_value").write_text(ODPM)
    assert len(Rails(tmp_path).read()) == 8


def test_what_counts_is_found_and_what_is_in_the_way_is_said(tmp_path: Path, powercap: Path) -> None:
    none = tmp_path / "none"
    assert open_counter(none, none) == ABSENT
    assert isinstance(open_counter(powercap, none), Powercap)
    (powercap / "intel-rapl:0:2" / "energy_uj").unlink()
    assert "intel-rapl:0:2/energy_uj cannot be read (No such file" in str(open_counter(powercap, none))


TASK = {"seconds": 0.05, "warmup_calls": 1, "warmup_s": 0, "metered": False}


def busy(_: str, __: dict[str, Any]) -> Any:
    return lambda arrays: arrays


CALLED = (busy, {"artifact": "m", "options": {}}, TASK, [(np.ones(1),)])


def test_rest_and_work_are_counted_apart(powercap: Path) -> None:
    answer = counted(Powercap(powercap), *CALLED)
    assert answer["calls"] > 0
    for window in (answer["rest"], answer["work"]):
        assert window["spent_uj"] == 0
        assert window["ended"] - window["began"] >= 0.05
    assert answer["rest"]["ended"] <= answer["work"]["began"]


def busy_s() -> float:
    """CPU seconds that the machine has spent so far, whoever had them."""
    user, nice, system, _, _, *rest = map(int, Path("/proc/stat").read_text().split(maxsplit=9)[1:9])
    return (user + nice + system + sum(rest)) / os.sysconf("SC_CLK_TCK")


@pytest.mark.skipif(sys.platform != "linux", reason="nothing tells what others had")
def test_what_the_model_itself_takes_is_not_said_to_be_others(powercap: Path) -> None:
    load, job, task, arrays = CALLED
    own, everybody = time.process_time(), busy_s()
    answer = counted(Powercap(powercap), load, job, task | {"seconds": 0.5}, arrays)
    own, everybody = time.process_time() - own, busy_s() - everybody
    others = answer["rest"]["others_cpu_s"] + answer["work"]["others_cpu_s"]
    assert others < everybody - own + 0.1


def test_calls_that_warm_up_are_none_of_those_counted(powercap: Path) -> None:
    made: list[Any] = []
    _, job, task, arrays = CALLED
    answer = counted(Powercap(powercap), lambda *_: made.append, job, task | {"warmup_calls": 5}, arrays)
    assert len(made) == answer["calls"] + 5


def test_a_machine_that_counts_nothing_says_so_at_once(tmp_path: Path) -> None:
    assert counted(open_counter(tmp_path, tmp_path), *CALLED) == {"missing": ABSENT}


def test_where_a_meter_counts_the_times_are_enough() -> None:
    load, job, task, arrays = CALLED
    answer = count_energy(load, job, task | {"metered": True}, arrays)
    assert answer["calls"] > 0
    assert answer["work"]["spent_uj"] is None
