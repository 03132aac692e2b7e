"""Timing: figures from raw lines, looks that stop when there is nothing left to learn, samples used again."""

from __future__ import annotations

import dataclasses
import math
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from bench_lane import MACHINE, Bench, line, ratio

from deployspec.contract import probe_files, record
from deployspec.errors import StoreError
from deployspec.ir.artifact import Job
from deployspec.ir.evidence import Measurement, NotMeasured, Processes
from deployspec.ir.model import Input, Model
from deployspec.ir.plan import Runner, Toolchain
from deployspec.lanes.program import ProgramFailed
from deployspec.measure import timing
from deployspec.measure.energy import WINDOW_S
from deployspec.measure.samples import SampleStore
from deployspec.measure.timing import FIGURES, Samples, Timed, measurements, one_timed_run, time_artifact

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deployspec.lanes.program import Program


class Failing(Bench):
    """A lane whose second program hangs until its time is over."""

    def run(self, program: Program) -> list[dict[str, Any]]:
        if self.programs:
            self.programs.append(program)
            threading.Event().wait(program.time_limit_s)
            raise ProgramFailed("no answer")
        return super().run(program)


@pytest.fixture
def timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Timed:
    """Timed under a lock of its own: nothing else that is timed on this machine is waited for."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    out = tmp_path / "lowered"
    out.mkdir()
    model = Model(name="m", source="m.py:b", inputs=(Input(name="x", shape=(1,)),))
    record(Job(inputs={}, out=out, options={}, model=model), [np.ones((2, 1))], [np.ones((2, 1))], options={"o": 1})
    return Timed(
        target="t",
        lowered=out,
        runner=Runner(script="deployspec.runners.tflite", toolchain=Toolchain(name="x")),
        artifact=tmp_path / "m.bin",
        digest="d",
        calls=100,
        inputs=probe_files(out, "input"),
        time_limit_s=60,
    )


def values(found: Sequence[Measurement], name: str) -> list[Decimal]:
    (statistic,) = [each.statistic for each in found if each.name == name]
    assert isinstance(statistic, Processes)
    return list(statistic.values)


def figures(timed: Timed, *processes: dict[str, Any], ratios: Sequence[dict[str, Any]] = ()) -> list[Measurement]:
    lines = {"time": list(processes), "ratio": list(ratios)}
    samples = Samples(measured_at="2026-01-01T00:00:00Z", runtime="r 1", lines=lines)
    return measurements(timed, Bench(), samples)


@pytest.mark.parametrize(
    ("name", "milliseconds"),
    [("latency.p50", 50), ("latency.p90", 90), ("latency.p95", 95), ("latency.max", 100), ("load", 7),
     ("first_call", Decimal("3.5")), ("cold_start", Decimal("10.5"))],
)  # fmt: skip
def test_a_figure_is_a_call_that_happened_in_milliseconds(timed: Timed, name: str, milliseconds: Decimal) -> None:
    assert values(figures(timed, line()), name) == [Decimal(milliseconds)]


def test_percentiles_are_of_the_nearest_rank_whatever_the_order(timed: Timed) -> None:
    generator = np.random.default_rng(0)
    calls = generator.integers(1, 10**9, 137)
    ranked = sorted(calls)
    found = figures(timed, line(calls_ns=[int(each) for each in calls]))
    for percent in (50, 90, 95):
        nearest = ranked[math.ceil(percent / 100 * 137) - 1]
        assert values(found, f"latency.p{percent}") == [Decimal(int(nearest)) / 1_000_000]


def test_a_percentile_needs_enough_calls(timed: Timed) -> None:
    names = {each.name for each in figures(timed, line())}
    assert "latency.p99" not in names
    many = dataclasses.replace(timed, calls=1000)
    assert "latency.p99" in {each.name for each in figures(many, line(calls_ns=[1] * 1000))}


def test_there_is_one_figure_for_each_process_in_order(timed: Timed) -> None:
    found = figures(timed, line(load_ns=3_000_000), line(load_ns=1_000_000), line(load_ns=2_000_000))
    assert values(found, "load") == [3, 1, 2]
    assert values(found, "memory_peak") == [4096] * 3


def test_a_start_that_waited_could_have_been_quicker_by_as_much(timed: Timed) -> None:
    found = figures(timed, line(), line(start={"wall_s": 0.0105, "cpu_s": 0.0065}))
    for name, value, least in (("load", 7, 3), ("first_call", Decimal("3.5"), 0), ("cold_start", Decimal("10.5"), 6.5)):
        (statistic,) = [each.statistic for each in found if each.name == name]
        assert isinstance(statistic, Processes)
        assert (statistic.values, statistic.least) == ((value, value), (value, Decimal(least)))
        assert statistic.contended == (False, True)


def test_memory_that_a_system_does_not_tell_is_not_measured(timed: Timed) -> None:
    found = figures(timed, line(), line(memory_peak_bytes=None))
    (statistic,) = [each.statistic for each in found if each.name == "memory_peak"]
    assert isinstance(statistic, NotMeasured)


def with_baseline(timed: Timed) -> Timed:
    return dataclasses.replace(timed, baseline=Path("b.bin"), baseline_options={"b": 2})


def test_a_reduction_is_one_less_the_ratio_of_what_the_quickest_blocks_took(timed: Timed) -> None:
    slowed = [(160, 200)] * 45 + [(30, 210), (150, 20)]  # others had the processor for nearly all of the time
    quick = [(60, 100), (61, 100), (62, 100), (63, 100), (64, 100)]
    blocks = [ratio(*slowed, *quick), ratio((3, 3)), ratio((200, 100), cpu_s=0.1)]
    found = figures(with_baseline(timed), line(), ratios=blocks)
    assert values(found, "latency_reduction") == [Decimal("0.38"), 0, -1]
    (statistic,) = [each.statistic for each in found if each.name == "latency_reduction"]
    assert isinstance(statistic, Processes)
    assert statistic.contended == (False, False, True)
    assert "latency_reduction" not in {each.name for each in figures(timed, line())}


def test_what_is_asked_of_the_lane(timed: Timed) -> None:
    bench = Bench(line(), ratio((1, 1)))
    time_artifact(with_baseline(timed), bench, (6,), lambda _: True)
    (program,) = bench.programs
    assert program.job["options"] == {"o": 1}
    assert (program.job["baseline"], program.job["baseline_options"]) == ("baseline", {"b": 2})
    assert set(program.files) == {"artifact.bin", "input-0.npy", "baseline"}
    time_task, ratio_task = program.job["tasks"]
    assert (time_task["task"], ratio_task["task"]) == ("time", "ratio")
    assert time_task["calls"] == 100
    assert min(time_task["warmup_calls"], ratio_task["warmup_calls"]) >= 20
    assert min(time_task["warmup_s"], ratio_task["warmup_s"]) >= 0.1
    assert (ratio_task["calls"], ratio_task["seconds"], ratio_task["most"]) == (50, 2, 20_000)


def test_sustained_runs_and_energy_are_measured_where_they_are_asked_for(timed: Timed) -> None:
    quarters = [{"median_ns": each, "calls": 1, "wall_s": 1.0, "cpu_s": 1.0} for each in (100, 0, 0, 150)]
    answers = (line(), {"task": 1, "quarters": quarters}, {"task": 2, "missing": "no counter"})
    asked = dataclasses.replace(timed, sustained_s=60, energy=True)
    _, found = time_artifact(asked, bench := Bench(*answers), (6,), lambda _: True)
    assert [(task["task"], task.get("seconds")) for task in bench.programs[0].job["tasks"]] == [
        ("time", None), ("sustain", 60), ("energy", WINDOW_S)
    ]  # fmt: skip
    assert values(found, "sustained_slowdown") == [Decimal("0.5")] * 6
    assert [each.statistic for each in found if each.name == "energy"] == [NotMeasured(reason="no counter")]
    _, broken = time_artifact(asked, Broken(), (6,), lambda _: True)
    assert {"sustained_slowdown", "energy"} <= {each.name for each in broken}
    metered = dataclasses.replace(asked, metered=True)
    assert "energy" not in {each.name for each in time_artifact(metered, Bench(*answers), (6,), lambda _: True)[1]}


def test_looks_go_on_until_the_first_that_decides(timed: Timed) -> None:
    bench, seen = Bench(), []

    def decided(found: Sequence[Measurement]) -> bool:
        seen.append(len(values(found, "load")))
        return len(seen) == 2

    samples, found = time_artifact(timed, bench, (6, 12, 24), decided)
    assert seen == [6, 12]
    assert [program.job["tasks"][0]["processes"] for program in bench.programs] == [6, 6], "only those that are missing"
    assert samples is not None
    assert len(samples.lines["time"]) == len(values(found, "load")) == 12


def test_the_last_look_is_the_last(timed: Timed) -> None:
    samples, _ = time_artifact(timed, bench := Bench(), (6, 12, 24), lambda _: False)
    assert samples is not None
    assert len(samples.lines["time"]) == 24
    assert len(bench.programs) == 3


def test_at_the_time_cap_what_earlier_looks_gave_remains(timed: Timed) -> None:
    capped = dataclasses.replace(timed, time_limit_s=2)
    samples, found = time_artifact(capped, lane := Failing(), (6, 12), lambda _: False)
    assert len(lane.programs) == 2
    assert samples is not None
    assert len(values(found, "latency.p50")) == 6


class Broken(Bench):
    """A lane on which nothing runs."""

    def run(self, program: Program) -> list[dict[str, Any]]:
        raise ProgramFailed("killed by SIGSEGV")


@pytest.mark.parametrize("baseline", [False, True])
def test_a_run_that_fails_measures_nothing_and_says_why(timed: Timed, baseline: bool) -> None:
    samples, found = time_artifact(with_baseline(timed) if baseline else timed, Broken(), (6,), lambda _: True)
    assert samples is None
    assert {each.name for each in found} == {*FIGURES, *(["latency_reduction"] if baseline else [])}
    assert {each.statistic for each in found} == {NotMeasured(reason="killed by SIGSEGV")}


class FailsLater(Bench):
    """A lane whose second program crashes at once."""

    def run(self, program: Program) -> list[dict[str, Any]]:
        if self.programs:
            raise ProgramFailed("killed by SIGKILL")
        return super().run(program)


def test_a_crash_in_a_later_look_is_not_passed_over(timed: Timed) -> None:
    samples, found = time_artifact(timed, FailsLater(), (6, 12), lambda _: False)
    assert samples is None
    assert {each.statistic for each in found} == {NotMeasured(reason="killed by SIGKILL")}


def test_waiting_for_another_timed_run_does_not_use_up_the_time(timed: Timed) -> None:
    busy, bench = threading.Event(), Bench()

    def another() -> float:
        with one_timed_run():
            busy.set()
            threading.Event().wait(1.2)
            return time.monotonic()

    with ThreadPoolExecutor() as threads:
        other = threads.submit(another)
        assert busy.wait(10)
        time_artifact(dataclasses.replace(timed, time_limit_s=2), bench, (6,), lambda _: True)
        assert time.monotonic() > other.result()
    assert bench.programs[0].time_limit_s == 2


NOW = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC)
KEPT = Samples(measured_at="2026-05-01T11:00:00Z", runtime="r 1", lines={"time": [line()]})


@pytest.mark.parametrize(("later_s", "found"), [(0, True), (1, False), (-3599, True), (-3600, True), (-3601, False)])
def test_samples_are_used_again_up_to_their_age_and_never_from_the_future(
    tmp_path: Path, timed: Timed, later_s: int, found: bool
) -> None:
    store = SampleStore(tmp_path / "samples")
    store.keep(timed, MACHINE, KEPT)
    got = store.newest(timed, MACHINE, 3600, NOW + timedelta(seconds=later_s))
    assert got == (KEPT if found else None)


@pytest.mark.parametrize(
    "change",
    [
        {"digest": "other"},
        {"calls": 1000},
        {"baseline": Path("b"), "baseline_options": {"b": 1}},
        {"rows": 2},
        {"sustained_s": 9},
        {"energy": True},
    ],
)
def test_samples_of_something_else_are_not_used(tmp_path: Path, timed: Timed, change: dict[str, Any]) -> None:
    store = SampleStore(tmp_path / "samples")
    store.keep(timed, MACHINE, KEPT)
    assert store.newest(dataclasses.replace(timed, **change), MACHINE, 3600, NOW) is None
    assert store.newest(timed, dataclasses.replace(MACHINE, processor="other"), 3600, NOW) is None
    assert store.newest(timed, MACHINE, 3600, NOW) == KEPT


@pytest.mark.parametrize(
    ("constant", "change"),
    [("WARM_UP_CALLS", {}), ("WARM_UP_S", {}), ("RATIO_S", {"baseline": Path("b")}),
     ("MOST_BLOCKS", {"baseline": Path("b")}), ("WINDOW_S", {"energy": True})],
)  # fmt: skip
def test_samples_of_another_protocol_are_not_used(
    tmp_path: Path, timed: Timed, monkeypatch: pytest.MonkeyPatch, constant: str, change: dict[str, Any]
) -> None:
    store, timed = SampleStore(tmp_path / "samples"), dataclasses.replace(timed, **change)
    store.keep(timed, MACHINE, KEPT)
    monkeypatch.setattr(timing, constant, getattr(timing, constant) + 1)
    assert store.newest(timed, MACHINE, 3600, NOW) is None


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"{}", b'{"measured_at": "yesterday", "runtime": "", "lines": {}}']
)
def test_samples_that_cannot_be_read_are_not_there(tmp_path: Path, timed: Timed, content: bytes) -> None:
    store = SampleStore(tmp_path / "samples")
    store.keep(timed, MACHINE, KEPT)
    (path,) = (tmp_path / "samples").iterdir()
    path.write_bytes(content)
    assert store.newest(timed, MACHINE, 3600, NOW) is None


def test_newer_samples_take_the_place_of_older_ones(tmp_path: Path, timed: Timed) -> None:
    store = SampleStore(tmp_path / "samples")
    newer = Samples(measured_at="2026-05-01T11:30:00Z", runtime="r 2", lines={"time": [line()]})
    store.keep(timed, MACHINE, KEPT)
    store.keep(timed, MACHINE, newer)
    assert store.newest(timed, MACHINE, 3600, NOW) == newer
    assert len(list((tmp_path / "samples").iterdir())) == 1


def test_a_store_that_cannot_keep_samples_is_said(tmp_path: Path, timed: Timed) -> None:
    (tmp_path / "samples").touch()
    store = SampleStore(tmp_path / "samples")
    with pytest.raises(StoreError, match=r"cannot write in the store .*samples: File exists"):
        store.keep(timed, MACHINE, KEPT)
