"""What every runner speaks: `python protocol.py RUNNER`, folders of jobs in, JSON lines out.

The runner's module is imported once, with its runtime, and a child is forked for each repetition, before anything
is loaded or computed, so that every repetition is a fresh process and none pays for the import. A child that
crashes is an error line; a return code is never trusted, only a job's closing line is, which carries its nonce.
The runner carries its own watchdog, because a lane that is cut off cannot kill it, and ends when its input does.

This file is shipped to devices, with its neighbours that it imports beside it: they may import the standard
library and numpy, and nothing else of deployspec.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import math
import os
import signal
import sys
import tempfile
import time
import traceback
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING or __package__:
    from deployspec import isolation
    from deployspec.runners import joules, steadiness, stopwatch
else:
    import isolation  # its neighbours, where it is shipped to
    import joules
    import steadiness
    import stopwatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from deployspec.runners.stopwatch import Timed

    Load = Callable[[str, dict[str, Any]], "Run"]
    Task = Callable[[Load, dict[str, Any], dict[str, Any]], dict[str, Any]]

CHUNK_BYTES = 4 << 20
CHUNK_ROWS = 1024

STRIDE = 11
"""So many calls' inputs further on each repetition begins than the one before."""


class Run(Protocol):
    """A loaded model."""

    def __call__(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Arrays in the order of the job's inputs to new arrays, the caller's own, in the order of its outputs."""


class Runner(Protocol):
    """What a runner's module brings."""

    RUNTIME: str
    """Name and version."""

    def load(self, artifact: str, options: dict[str, Any]) -> Run:
        """Load one artifact of the runner's kind; `options` are the runner's own."""


def serve(first: str) -> None:
    """Say that the runtime is there, then do the job in each folder that standard input names, a line each.

    A job may name a runner beside `first`; its runtime is then imported before the job.
    """
    _watchdog.listen()
    _emit({"ready": _imported(first).RUNTIME})
    for line in sys.stdin:
        os.chdir(line.rstrip("\n"))
        job = json.loads(Path("job.json").read_text())
        _do(_imported(job.get("runner", first)), job)


def _imported(name: str) -> Runner:
    """The runner's module, its runtime with it."""
    if name not in sys.modules:
        gc.disable()  # importing a runtime makes a great many objects and no garbage to look for
        importlib.import_module(name)
        gc.freeze()  # children share these objects' pages as long as nobody walks over them
        gc.enable()
    found: Any = sys.modules[name]
    return found


def _do(runner: Runner, job: dict[str, Any]) -> None:
    """Every task of the job, as often as it asks, each repetition in a child of its own."""
    _watchdog.arm(job["time_limit_s"])
    _emit({"runtime": runner.RUNTIME})
    for number, task in enumerate(job["tasks"]):
        for repetition in range(task.get("processes", 1)):
            answer = _in_child(runner, job, task | {"repetition": repetition})
            _emit(_outcome(task, answer) | {"task": number})
    _watchdog.disarm()
    _emit({"done": True, "nonce": job["nonce"]})


def _outcome(task: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    """The answer; the failure of a task that may fail is an answer too, and no error."""
    return {"failed": answer["error"]} if task.get("may_fail") and "error" in answer else answer


def _emit(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


class _Watchdog:
    """Ends the runner and the child it waits for, after a job's time or when told to."""

    child: int | None = None

    def listen(self) -> None:
        signal.signal(signal.SIGALRM, self._end)
        signal.signal(signal.SIGTERM, self._end)

    def arm(self, seconds: float) -> None:
        signal.alarm(max(1, math.ceil(seconds)))

    def disarm(self) -> None:
        signal.alarm(0)

    def _end(self, number: int, _: object) -> None:
        if self.child is not None:
            with contextlib.suppress(ProcessLookupError, ChildProcessError):  # it may have ended by itself just now
                os.kill(self.child, signal.SIGKILL)
                os.waitpid(self.child, 0)
        os._exit(128 + number)


_watchdog = _Watchdog()


def _in_child(runner: Runner, job: dict[str, Any], task: dict[str, Any]) -> dict[str, Any]:
    """Perform one repetition in a forked child and return its result, or `{"error": …}`."""
    read_end, write_end = os.pipe()
    signals = (signal.SIGTERM, signal.SIGALRM)
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)  # until the watchdog knows the child
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
        os.close(read_end)
        _perform_and_exit(write_end, runner, job, task)
    _watchdog.child = child
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as pipe:
        answer = pipe.readline()  # and not to the end: what the model's code left running may hold the pipe open
    _, status = os.waitpid(child, 0)
    _watchdog.child = None
    if job.get("apart"):
        isolation.end_orphans()
    if os.WIFSIGNALED(status):
        return {"error": f"killed by {signal.Signals(os.WTERMSIG(status)).name}"}
    return json.loads(answer) if answer else {"error": f"exited {os.waitstatus_to_exitcode(status)} without an answer"}


def _perform_and_exit(write_end: int, runner: Runner, job: dict[str, Any], task: dict[str, Any]) -> None:
    try:
        _leave_the_lane_alone()
        if job.get("apart"):
            _keep_apart()
        answer = _TASKS[task["task"]](runner.load, job, task)
    except BaseException as error:  # noqa: BLE001, RUF100 - whatever it is, it is this repetition's answer
        traceback.print_exc()
        answer = {"error": str(error) if hasattr(error, "tells_all") else f"{type(error).__name__}: {error}"}
    with os.fdopen(write_end, "wb") as pipe:
        pipe.write(json.dumps(answer).encode() + b"\n")
    os._exit(0)


def _leave_the_lane_alone() -> None:
    """Take the model's code off our input and output: it reads nothing, and what it prints goes to the log."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)


def _keep_apart() -> None:
    """Let the model's code write nowhere but in the job's folder, where temporary files then go too."""
    folder = Path.cwd()
    isolation.keep_within(folder)
    os.environ["TMPDIR"] = str(folder)
    tempfile.tempdir = None  # to be looked up anew


# --- task "outputs": run a whole split, sample by sample, in memory that does not grow with it ---


def _outputs(load: Load, job: dict[str, Any], task: dict[str, Any]) -> dict[str, Any]:
    """Run every sample of `task["inputs"]` (one .npy per input) and write one .npy per output to `task["out"]`.

    One sample at a time, or `task["batch"]` of them together.
    """
    run = load(job["artifact"], job["options"])
    started = time.perf_counter()
    answers = map(run, _batches(_readers(job, task), task.get("batch", 1)))
    first = next(answers, [])
    writers = [Writer(Path(task["out"]) / f"{i}.npy", result) for i, result in enumerate(first)]
    block_rows = _rows_in_a_chunk(sum(result.nbytes for result in first))
    blocks = chain([first], answers)
    while block := list(islice(blocks, block_rows)):
        for writer, rows in zip(writers, zip(*block, strict=True), strict=True):
            writer.add(np.concatenate(rows, dtype=rows[0].dtype, casting="no"))
    seconds = time.perf_counter() - started
    samples = max((writer.close() for writer in writers), default=0)
    return _facts(run) | {"samples": samples, "seconds": seconds}


def _readers(job: dict[str, Any], task: dict[str, Any]) -> list[Reader]:
    """The task's files; `job["axes"]` holds the order of axes that the artifact wants, where it differs."""
    axes = job.get("axes") or [None] * len(task["inputs"])
    return [Reader(path, order) for path, order in zip(task["inputs"], axes, strict=True)]


def _rows_in_a_chunk(sample_bytes: int) -> int:
    """So many that their bytes, and the objects that hold them, stay small beside a runtime."""
    return min(CHUNK_ROWS, max(1, CHUNK_BYTES // max(1, sample_bytes)))


def _batches(readers: list[Reader], size: int) -> Iterator[tuple[np.ndarray, ...]]:
    """`size` samples of every input at a time (of the last ones fewer), from chunks that hold the same rows."""
    rows = _rows_in_a_chunk(sum(reader.sample_bytes for reader in readers))
    whole = max(size, rows - rows % size)
    for arrays in zip(*(reader.chunks(whole) for reader in readers), strict=True):
        yield from zip(*(_cut(array, size) for array in arrays), strict=True)


def _cut(array: np.ndarray, size: int) -> Iterator[np.ndarray]:
    return (array[start : start + size] for start in range(0, len(array), size))


def read_header(stream: Any) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, whether in Fortran order, and dtype of the .npy that `stream` begins with. Raises ValueError."""
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    return read(stream)


class Reader:
    """An .npy file, read in chunks of whole samples; memory-mapping it would count as ours while it is read."""

    def __init__(self, path: str, axes: list[int] | None = None) -> None:
        self._file = Path(path).open("rb")  # noqa: SIM115 - lives as long as this object
        self.shape, fortran, self.dtype = read_header(self._file)
        if fortran:
            self._file.close()
            raise ValueError(f"{path} is in Fortran order: its samples do not lie one after the other")
        self.sample_bytes = self.dtype.itemsize * math.prod(self.shape[1:])
        self._axes = axes

    def chunks(self, rows: int) -> Iterator[np.ndarray]:
        """Up to `rows` samples at a time; closes the file after the last."""
        with self._file:
            for start in range(0, self.shape[0], rows):
                shape = (min(rows, self.shape[0] - start), *self.shape[1:])
                chunk = np.fromfile(self._file, self.dtype, math.prod(shape)).reshape(shape)
                yield chunk if self._axes is None else np.ascontiguousarray(chunk.transpose(self._axes))


class Writer:
    """An .npy file that grows; numpy leaves room in the header for the first axis to be written again."""

    def __init__(self, path: Path, like: np.ndarray) -> None:
        self._file = path.open("wb")
        self._tail, self._dtype, self._count = like.shape[1:], like.dtype, 0
        self._header()

    def _header(self) -> None:
        descr = np.lib.format.dtype_to_descr(self._dtype)
        shape = (self._count, *self._tail)
        np.lib.format.write_array_header_1_0(self._file, {"descr": descr, "fortran_order": False, "shape": shape})

    def add(self, rows: np.ndarray) -> None:
        """Append `rows` (same dtype and trailing shape as the first ones)."""
        if rows.shape[1:] != self._tail or rows.dtype != self._dtype:
            raise ValueError(f"output changed from {self._dtype}{self._tail} to {rows.dtype}{rows.shape[1:]}")
        self._file.write(rows.tobytes())
        self._count += len(rows)

    def close(self) -> int:
        """Write the final header; returns the number of rows."""
        self._file.seek(0)
        self._header()
        self._file.close()
        return self._count


# --- task "describe", and those that stopwatch.py times sample by sample ---


def _describe(load: Load, job: dict[str, Any], task: dict[str, Any]) -> dict[str, Any]:
    """What the loaded model tells of itself."""
    del task
    return _facts(load(job["artifact"], job["options"]))


def _facts(run: Run) -> dict[str, Any]:
    """The `facts` of a loaded model, where it has them."""
    facts: dict[str, Any] = getattr(run, "facts", {})
    return facts


def _watch(load: Load, job: dict[str, Any], task: dict[str, Any]) -> dict[str, Any]:
    """Whether the model is steady: see `steadiness.py`. The task's files are few rows, and are read whole."""
    return steadiness.watch(load, job, task, [next(each.chunks(each.shape[0])) for each in _readers(job, task)])


def _in_turn(perform: Timed) -> Task:
    """The task that reads the samples of `task["inputs"]`, `task["rows"]` for each call, and times calls of them.

    Each repetition begins elsewhere. They are read call by call: memory that reading had needed and freed again could
    serve the model without its peak rising.
    """

    def perform_task(load: Load, job: dict[str, Any], task: dict[str, Any]) -> dict[str, Any]:
        inputs = list(zip(*(each.chunks(task.get("rows", 1)) for each in _readers(job, task)), strict=True))
        first = task["repetition"] * STRIDE % len(inputs)
        return perform(load, job, task, inputs[first:] + inputs[:first])

    return perform_task


_TASKS: dict[str, Task] = {"describe": _describe, "outputs": _outputs, "watch": _watch}
_TASKS |= {name: _in_turn(perform) for name, perform in (stopwatch.TASKS | joules.TASKS).items()}


if __name__ == "__main__":
    serve(sys.argv[1])
