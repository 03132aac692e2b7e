"""The protocol of every runner, spoken for real: a runner of numpy alone, in processes, through the host's lane."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from deployspec.ir.plan import Runner, Toolchain
from deployspec.lanes.host import HostLane
from deployspec.lanes.program import Program, ProgramFailed, lines_of
from deployspec.runners import protocol
from deployspec.runners.protocol import Reader, Writer

if TYPE_CHECKING:
    from collections.abc import Iterator

RUNNER = Runner(script="unit.runners.doubling_runner", toolchain=Toolchain(name="doubling"))
TIMING = {"inputs": ["x.npy"], "warmup_calls": 3, "warmup_s": 0.0}
OUTPUTS = {"task": "outputs", "inputs": ["x.npy"], "out": "out"}


@pytest.fixture
def lane() -> Iterator[HostLane]:
    with HostLane() as opened:
        yield opened


@pytest.fixture
def x(tmp_path: Path) -> np.ndarray:
    """Five samples, in a file that the programs call `x.npy`."""
    samples = np.arange(40, dtype=np.float32).reshape(5, 2, 4)
    np.save(tmp_path / "samples.npy", samples)
    return samples


def program(folder: Path, *tasks: dict[str, Any], time_limit_s: int = 30, **more: Any) -> Program:
    files = {"x.npy": folder / "samples.npy", "model": folder / "samples.npy"}
    job = {"artifact": "model", "options": {}, "tasks": list(tasks)} | more
    fetch, log = folder / "fetched", folder / "log"
    return Program(runner=RUNNER, job=job, files=files, fetch=fetch, time_limit_s=time_limit_s, log=log)


def troubled(folder: Path, kind: str, **more: Any) -> Program:
    return program(folder, OUTPUTS, options={"trouble": kind, "trouble_at": 2}, **more)


def test_outputs_are_written_sample_by_sample(lane: HostLane, x: np.ndarray, tmp_path: Path) -> None:
    runtime, answer = lane.run(program(tmp_path, OUTPUTS))
    assert runtime == {"runtime": "doubling 1"}
    assert answer.pop("seconds") > 0
    assert answer == {"task": 0, "samples": 5}
    np.testing.assert_array_equal(np.load(tmp_path / "fetched" / "0.npy"), 2 * x)


def test_outputs_of_a_batch_are_those_of_its_samples(lane: HostLane, x: np.ndarray, tmp_path: Path) -> None:
    lane.run(program(tmp_path, OUTPUTS | {"batch": 2}, options={"widest": 2}))
    np.testing.assert_array_equal(np.load(tmp_path / "fetched" / "0.npy"), 2 * x)
    with pytest.raises(ProgramFailed, match="more than 1 samples at a time"):
        lane.run(program(tmp_path, OUTPUTS | {"batch": 2}, options={"widest": 1}))


def test_a_batch_is_whole_whatever_the_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "CHUNK_BYTES", 400)
    np.save(tmp_path / "x.npy", np.arange(130.0).reshape(13, 10))  # five rows to a chunk
    for size, sizes in ((2, [2, 2, 2, 2, 2, 2, 1]), (4, [4, 4, 4, 1]), (8, [8, 5]), (20, [13])):
        batches = [batch for (batch,) in protocol._batches([Reader(str(tmp_path / "x.npy"))], size)]
        assert [len(batch) for batch in batches] == sizes
        assert np.concatenate(batches).ravel().tolist() == list(range(130))


def test_inputs_reach_the_artifact_in_its_own_order_of_axes(lane: HostLane, x: np.ndarray, tmp_path: Path) -> None:
    lane.run(program(tmp_path, OUTPUTS, axes=[[0, 2, 1]]))
    np.testing.assert_array_equal(np.load(tmp_path / "fetched" / "0.npy"), 2 * x.transpose(0, 2, 1))


@pytest.mark.parametrize(
    ("change", "told"),
    [("narrow_at", "ValueError: all the input array dimensions"), ("widen_at", "TypeError: Cannot cast array data")],
)
def test_an_output_that_changes_its_shape_or_dtype_is_refused(
    change: str, told: str, lane: HostLane, x: np.ndarray, tmp_path: Path
) -> None:
    with pytest.raises(ProgramFailed, match=told):
        lane.run(program(tmp_path, OUTPUTS, options={change: 4}))


def test_an_exception_is_told_and_the_runner_goes_on(lane: HostLane, x: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(ProgramFailed, match="ValueError: no such operator"):
        lane.run(troubled(tmp_path, "raise"))
    assert "in trouble" in (tmp_path / "log").read_text()
    assert lane.run(program(tmp_path, OUTPUTS))[1]["samples"] == 5


def test_a_crash_is_named_by_its_signal(lane: HostLane, x: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(ProgramFailed, match="killed by SIGSEGV"):
        lane.run(troubled(tmp_path, "segfault"))


def test_a_good_return_code_is_no_answer(lane: HostLane, x: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(ProgramFailed, match="exited 0 without an answer"):
        lane.run(troubled(tmp_path, "exit"))


def test_what_a_model_prints_is_not_taken_for_the_runners_word(lane: HostLane, x: np.ndarray, tmp_path: Path) -> None:
    assert lane.run(troubled(tmp_path, "print"))[1]["samples"] == 5
    assert "a layer was skipped" in (tmp_path / "log").read_text()


def test_an_answer_is_that_of_the_task_it_was_asked_for(lane: HostLane, x: np.ndarray, tmp_path: Path) -> None:
    told = lane.run(program(tmp_path, OUTPUTS, {"task": "describe"}, options={"facts": {"task": 7, "size": 2}}))
    assert [(line["task"], line["size"]) for line in told[1:]] == [(0, 2), (1, 2)]


def test_a_runner_that_is_killed_is_told_and_replaced(lane: HostLane, x: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(ProgramFailed, match="was killed by SIGKILL before its closing line"):
        lane.run(troubled(tmp_path, "kill the runner"))
    assert lane.run(program(tmp_path, OUTPUTS))[1]["samples"] == 5


def test_a_runner_that_cannot_be_imported_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "halving_runner.py").write_text("import a_runtime_that_is_not_there")
    monkeypatch.syspath_prepend(tmp_path)
    broken = Runner(script="halving_runner", toolchain=RUNNER.toolchain)
    with HostLane() as lane, pytest.raises(ProgramFailed, match=r"exited with code 1 .*a_runtime_that_is_not_there"):
        lane.run(Program(runner=broken, job={}, files={}, fetch=tmp_path, time_limit_s=9))


@pytest.mark.parametrize("how", ["its own watchdog", "being told"])
def test_a_hang_is_ended_and_leaves_no_process(
    how: str, x: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tmp_path / "pid"
    monkeypatch.setenv("DOUBLING_PID", str(told))
    with HostLane() as lane:
        if how == "being told":
            threading.Thread(target=end_the_runner_of, args=(told,)).start()
            reason, limit_s = "exited with code 143 before its closing line", 60
        else:
            reason, limit_s = "no answer within 1 s", 1
        with pytest.raises(ProgramFailed, match=reason):
            lane.run(troubled(tmp_path, "hang", time_limit_s=limit_s))
    with pytest.raises(ProcessLookupError):
        os.kill(int(told.read_text()), 0)


def end_the_runner_of(told: Path) -> None:
    """Send SIGTERM to the parent of the child that is about to write its id to `told`."""
    while not (told.exists() and told.read_text()):
        time.sleep(0.01)
    status = Path(f"/proc/{told.read_text()}/status").read_text().splitlines()
    runner = next(int(line.split()[1]) for line in status if line.startswith("PPid:"))
    os.kill(runner, signal.SIGTERM)


def test_each_repetition_is_a_fresh_process_with_every_figure(lane: HostLane, x: np.ndarray, tmp_path: Path) -> None:
    _, *answers = lane.run(program(tmp_path, TIMING | {"task": "time", "calls": 7, "processes": 3}))
    assert [answer["task"] for answer in answers] == [0, 0, 0]
    for answer in answers:
        assert len(answer["calls_ns"]) == 7
        assert min(answer["load_ns"], answer["first_call_ns"], *answer["calls_ns"]) > 0
        assert answer["wall_s"] > 0
        assert answer["memory_peak_bytes"] is None or answer["memory_peak_bytes"] >= 0
        assert {"cpu_s", "involuntary_switches", "voluntary_switches", "stolen_s", "load_average"} <= answer.keys()
        assert answer["start"]["wall_s"] * 1e9 >= answer["load_ns"] + answer["first_call_ns"]


@pytest.mark.parametrize("timed", [{"task": "time", "calls": 7}, {"task": "sustain", "seconds": 0.1}])
def test_calls_that_warm_up_are_made_and_not_counted(
    timed: dict[str, Any], lane: HostLane, x: np.ndarray, tmp_path: Path
) -> None:
    options = {"seconds": 0.001, "tell": [str(tmp_path / "calls"), "."]}
    (_, answer) = lane.run(program(tmp_path, TIMING | timed, options=options))
    made = len((tmp_path / "calls").read_text())
    if timed["task"] == "time":
        assert (len(answer["warmup_ns"]), len(answer["calls_ns"]), made) == (3, 7, 1 + 3 + 7)
    else:
        assert made == 3 + sum(quarter["calls"] for quarter in answer["quarters"])


def test_memory_is_what_the_artifact_takes_beyond_its_runtime(lane: HostLane, x: np.ndarray, tmp_path: Path) -> None:
    (_, answer) = lane.run(program(tmp_path, TIMING | {"task": "time", "calls": 1}))
    assert answer["memory_peak_bytes"] is None or answer["memory_peak_bytes"] < 8 * 2**20, "numpy alone takes more"


def test_a_runner_that_has_answered_is_not_ended_while_it_waits(lane: HostLane, x: np.ndarray, tmp_path: Path) -> None:
    task = TIMING | {"task": "time", "calls": 1}
    lane.run(program(tmp_path, task))  # from here on its runtime is imported
    lane.run(program(tmp_path, task, time_limit_s=2))
    time.sleep(2.2)
    assert "calls_ns" in lane.run(program(tmp_path, task))[1]


def test_rows_of_a_sample_are_called_together(lane: HostLane, x: np.ndarray, tmp_path: Path) -> None:
    task = TIMING | {"task": "time", "calls": 1}
    assert "calls_ns" in lane.run(program(tmp_path, task | {"rows": 3}, options={"widest": 3}))[1]
    with pytest.raises(ProgramFailed, match="more than 2 samples at a time"):
        lane.run(program(tmp_path, task | {"rows": 3}, options={"widest": 2}))


def test_the_same_artifact_on_both_sides_is_as_fast_as_itself(lane: HostLane, x: np.ndarray, tmp_path: Path) -> None:
    options = {"seconds": 0.002}
    task = TIMING | {"task": "ratio", "calls": 20, "seconds": 0, "most": 20}
    job = program(tmp_path, task, options=options, baseline="model", baseline_options=options)
    blocks = np.array(lane.run(job)[1]["blocks_ns"])
    assert blocks.shape == (20, 2)
    assert np.median(blocks[:, 0] / blocks[:, 1]) == pytest.approx(1, abs=0.1)


def test_blocks_that_take_no_time_go_on_for_as_long_as_is_asked(lane: HostLane, x: np.ndarray, tmp_path: Path) -> None:
    task = TIMING | {"task": "ratio", "calls": 1, "seconds": 0.2, "most": 10**6}
    (_, told) = lane.run(program(tmp_path, task, baseline="model", baseline_options={}))
    assert len(told["blocks_ns"]) > 100
    assert told["wall_s"] >= 0.2


def test_blocks_are_no_more_than_a_report_needs(lane: HostLane, x: np.ndarray, tmp_path: Path) -> None:
    task = TIMING | {"task": "ratio", "calls": 1, "seconds": 60, "most": 30}
    (_, told) = lane.run(program(tmp_path, task, baseline="model", baseline_options={}))
    assert len(told["blocks_ns"]) == 30


def test_each_side_of_a_pair_comes_first_in_every_other_process(lane: HostLane, x: np.ndarray, tmp_path: Path) -> None:
    told = tmp_path / "order"
    task = TIMING | {"task": "ratio", "calls": 2, "seconds": 0, "most": 2, "processes": 2, "warmup_calls": 1}
    sides = {side: {"tell": [str(told), name]} for side, name in (("options", "A"), ("baseline_options", "B"))}
    lane.run(program(tmp_path, task, baseline="model", **sides))
    assert told.read_text() == "ABABBABAAB" + "BAABBABAAB"


def test_a_sustained_run_rests_and_then_tells_of_each_quarter(lane: HostLane, x: np.ndarray, tmp_path: Path) -> None:
    lane.run(program(tmp_path, OUTPUTS))  # from here on its runtime is imported
    begun = time.monotonic()
    (_, answer) = lane.run(program(tmp_path, TIMING | {"task": "sustain", "seconds": 0.8}, options={"seconds": 0.001}))
    calling_s = sum(quarter["wall_s"] for quarter in answer["quarters"])
    assert time.monotonic() - begun >= calling_s + 0.8
    assert len(answer["quarters"]) == 4
    for quarter in answer["quarters"]:
        assert 1 <= quarter["calls"] <= 200
        assert quarter["median_ns"] >= 1e6
        assert quarter["wall_s"] >= 0.2


@pytest.mark.parametrize(
    "output",
    [
        "",
        '{"runtime": "r"}\n',
        '{"runtime": "r"}\n{"done": true, "nonce": "of another run"}\n',
        '{"done": true, "nonce": "n"}\n{"task": 0}\n',
        '{"runtime": "r"}\n{"done": true, "non',
    ],
)
def test_only_the_closing_line_with_its_nonce_closes_a_run(output: str) -> None:
    with pytest.raises(ProgramFailed, match="closing line"):
        lines_of(output, "n")


def test_what_a_runner_says_can_be_written_again() -> None:
    closing = '{"done": true, "nonce": "n"}\n'
    assert lines_of('{"runtime": "r\\udce9"}\n' + closing, "n") == [{"runtime": "r?"}]
    with pytest.raises(ProgramFailed, match=r"^no caf\?$"):
        lines_of('{"error": "no caf\\udce9"}\n' + closing, "n")


@given(
    arrays.arrays(
        dtype=st.sampled_from(["<f4", "<i8", "|u1", "|b1"]), shape=arrays.array_shapes(min_dims=1, max_dims=4)
    ),
    st.integers(1, 4),
)
def test_what_a_writer_wrote_numpy_and_a_reader_read(
    tmp_path_factory: pytest.TempPathFactory, samples: np.ndarray, rows: int
) -> None:
    path = tmp_path_factory.mktemp("round-trip") / "samples.npy"
    writer = Writer(path, samples[:1])
    for start in range(0, len(samples), rows):
        writer.add(samples[start : start + rows])
    assert writer.close() == len(samples)
    np.testing.assert_array_equal(np.load(path), samples)
    chunks = list(Reader(str(path)).chunks(rows))
    assert all(len(chunk) == rows for chunk in chunks[:-1])
    np.testing.assert_array_equal(np.concatenate(chunks), samples)


def test_inputs_of_different_sizes_stay_in_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "CHUNK_BYTES", 100)
    large, small = np.arange(70.0).reshape(7, 10), np.arange(7.0).reshape(7, 1)
    readers = []
    for name, array in (("large", large), ("small", small)):
        np.save(tmp_path / name, array)
        readers.append(Reader(f"{tmp_path / name}.npy"))
    samples = list(protocol._batches(readers, 1))
    assert [float(one[0, 0]) for one, _ in samples] == large[:, 0].tolist()
    assert [float(other[0, 0]) for _, other in samples] == small[:, 0].tolist()


def test_samples_that_do_not_lie_one_after_the_other_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.asfortranarray(np.ones((3, 4))))
    with pytest.raises(ValueError, match="Fortran order"):
        Reader(str(tmp_path / "x.npy"))
