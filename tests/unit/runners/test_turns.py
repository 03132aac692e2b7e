"""Timed calls take turns among the samples that they are given: in processes, through the host's lane."""

from __future__ import annotations

from itertools import cycle, islice
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from deployspec.ir.plan import Runner, Toolchain
from deployspec.lanes.host import HostLane
from deployspec.lanes.program import Program
from deployspec.runners.joules import counted
from deployspec.runners.protocol import STRIDE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RUNNER = Runner(script="unit.runners.doubling_runner", toolchain=Toolchain(name="doubling"))
SAMPLES = 5
WARM_UP = {"warmup_calls": 3, "warmup_s": 0.0}


@pytest.fixture
def lane() -> Iterator[HostLane]:
    with HostLane() as opened:
        yield opened


def called(lane: HostLane, folder: Path, task: dict[str, Any]) -> tuple[list[int], dict[str, Any]]:
    """The samples that were called, in order, and the last process's answer."""
    np.save(folder / "samples.npy", np.arange(SAMPLES, dtype=np.float32).reshape(-1, 1))
    told = folder / "called"
    options = {"samples": str(told)}
    job = {"artifact": "model", "options": options, "baseline": "model", "baseline_options": options}
    files = {"x.npy": folder / "samples.npy", "model": folder / "samples.npy"}
    tasks = {"tasks": [{"inputs": ["x.npy"]} | WARM_UP | task]}
    fetch = folder / "fetched"
    *_, answer = lane.run(Program(runner=RUNNER, job=job | tasks, files=files, fetch=fetch, time_limit_s=30))
    return [int(float(each)) for each in told.read_text().split()], answer


def turns(count: int, first: int = 0) -> list[int]:
    return list(islice(cycle(range(SAMPLES)), first, first + count))


def test_each_call_is_of_the_next_sample_from_the_first_on(lane: HostLane, tmp_path: Path) -> None:
    samples, answer = called(lane, tmp_path, {"task": "time", "calls": 7})
    assert samples == turns(1 + 3 + 7)
    assert len(answer["calls_ns"]) == 7


def test_each_process_begins_with_another_sample(lane: HostLane, tmp_path: Path) -> None:
    samples, _ = called(lane, tmp_path, {"task": "time", "calls": 1, "processes": 2})
    assert samples == turns(5) + turns(5, STRIDE % SAMPLES)
    assert samples[0] != samples[5]


def test_both_sides_of_a_block_are_called_with_one_sample(lane: HostLane, tmp_path: Path) -> None:
    samples, answer = called(lane, tmp_path, {"task": "ratio", "calls": 6, "seconds": 0, "most": 6})
    blocks = samples[2 * 3 :]
    assert blocks == [each for each in turns(6, first=2 * 3) for _ in range(4)]
    assert (len(answer["blocks_ns"]), answer["inputs"]) == (6, SAMPLES)


def test_a_sustained_run_goes_on_in_turn(lane: HostLane, tmp_path: Path) -> None:
    samples, answer = called(lane, tmp_path, {"task": "sustain", "seconds": 0.02})
    each = [quarter["calls"] for quarter in answer["quarters"]]
    assert set(samples) == set(range(SAMPLES))
    assert len(samples) == 3 + sum(each)


def test_the_energy_is_that_of_all_samples_in_turn() -> None:
    seen: list[float] = []
    task = WARM_UP | {"seconds": 0.01, "metered": True}
    inputs = [(np.full(1, each),) for each in range(SAMPLES)]
    counted(None, lambda *_: lambda arrays: seen.append(arrays[0][0]), {"artifact": "m", "options": {}}, task, inputs)
    assert seen == turns(len(seen))
    assert len(seen) > 3 + SAMPLES
