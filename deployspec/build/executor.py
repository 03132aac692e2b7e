"""Where steps run: an interface that a cluster can stand behind, and the processes of this machine."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol

from deployspec.build.messages import Answer, Task, decode_answer
from deployspec.build.process import TRIED_AGAIN, WorkerLost, WorkerProcess, last_lines
from deployspec.errors import StepFailed

if TYPE_CHECKING:
    from pathlib import Path

    from deployspec.ir.plan import Toolchain


class Executor(Protocol):
    """Runs tasks somewhere; all that the scheduler knows of it."""

    def has_room(self, toolchain: Toolchain) -> bool:
        """Whether a task of `toolchain` would start at once. True of an executor that runs nothing."""

    def submit(self, task: Task) -> Future[Answer]:
        """Start `task`. The future raises StepFailed, or the DataFault or SourceFault that the step raised."""

    def close(self) -> None:
        """Stop whatever runs, leave no process behind."""


class LocalExecutor:
    """One worker process per toolchain, kept for its later steps; at most `jobs` of them busy at once.

    A worker that dies under a step is replaced. Where it had served other steps before, which may have harmed
    it, the step gets a second try, alone in the fresh worker.
    """

    def __init__(self, *, jobs: int, scratch: Path, memory_limit_bytes: int | None = None) -> None:
        self._jobs = jobs
        self._scratch = scratch
        self._memory_limit_bytes = memory_limit_bytes
        self._threads = ThreadPoolExecutor(jobs)
        self._busy: set[str] = set()
        self._workers: dict[str, WorkerProcess] = {}
        self._guard = threading.Lock()
        self._closed = False

    def has_room(self, toolchain: Toolchain) -> bool:
        """Whether fewer than `jobs` workers are busy and that of `toolchain` is idle or yet to start."""
        return len(self._busy) < self._jobs and toolchain.name not in self._busy

    def submit(self, task: Task) -> Future[Answer]:
        """Run `task` in the worker of its toolchain, from a thread that waits for it."""
        self._busy.add(task.step.toolchain.name)
        return self._threads.submit(self._run, task)

    def close(self) -> None:
        """Kill every worker's group; a task that was under way raises StepFailed."""
        with self._guard:
            self._closed = True
            workers = list(self._workers.values())
        for worker in workers:
            worker.kill()
        self._threads.shutdown(cancel_futures=True)
        for worker in workers:
            worker.close()

    def _run(self, task: Task) -> Answer:
        try:
            answer = decode_answer(self._ask(task))
        except OSError as error:
            raise StepFailed(task.step.id, f"its worker could not be started: {error}", task.log) from error
        finally:
            self._busy.discard(task.step.toolchain.name)
        if isinstance(answer, Answer):
            return answer
        if isinstance(answer, str):
            raise StepFailed(task.step.id, answer, task.log)
        raise type(answer)(f"{answer}\n  step: {task.step.id}\n  log: {task.log}")

    def _ask(self, task: Task) -> bytes:
        worker = self._worker(task)
        try:
            return worker.ask(task)
        except TimeoutError as hung:
            self._drop(task, worker)
            raise StepFailed(task.step.id, str(hung), task.log) from None
        except WorkerLost as lost:
            self._drop(task, worker)
            if worker.served == 0 or self._closed:
                raise StepFailed(task.step.id, _story(lost, task.log), task.log) from None
        with task.log.open("a") as log:
            log.write(f"\n{TRIED_AGAIN}\n")
        return self._ask(task)

    def _worker(self, task: Task) -> WorkerProcess:
        """The live worker of the task's toolchain, started where there is none."""
        name = task.step.toolchain.name
        with self._guard:
            if self._closed:
                raise StepFailed(task.step.id, "the run was stopped", task.log)
            if name not in self._workers:
                self._workers[name] = WorkerProcess(
                    task.log, memory_limit_bytes=self._memory_limit_bytes, scratch=self._scratch
                )
            return self._workers[name]

    def _drop(self, task: Task, worker: WorkerProcess) -> None:
        with self._guard:
            del self._workers[task.step.toolchain.name]
        worker.close()


def _story(lost: WorkerLost, log: Path) -> str:
    """How the worker ended, why it may have, and what it said last."""
    cause = " (the system may have run out of memory)" if "SIGKILL" in str(lost) else ""
    said = last_lines(log)
    return f"its worker {lost}{cause}" + (f"; last lines: {said}" if said else "")
