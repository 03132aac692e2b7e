"""Where steps run: an interface that a cluster can stand behind, and the processes of this machine."""

from __future__ import annotations

import threading
from collections import defaultdict
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol

from deployspec.build.messages import Answer, Task, decode_answer
from deployspec.build.place import Place
from deployspec.build.process import TRIED_AGAIN, WorkerLost, WorkerProcess, last_lines
from deployspec.errors import DeploySpecError, StepFailed

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from deployspec.ir.plan import Step
    from deployspec.isolation import Policy


class Executor(Protocol):
    """Runs tasks somewhere; all that the scheduler knows of it."""

    def has_room(self) -> bool:
        """Whether a task would start at once. True of an executor that runs nothing."""

    def submit(self, task: Task, to_come: Collection[str]) -> Future[Answer]:
        """Start `task`; of the families `to_come` others will follow, so that what serves none of them can go.

        The future raises StepFailed, the DataFault or SourceFault that the step raised, DigestMismatch for an output
        that nobody could name, and StoreError where there is no room for it.
        """

    def close(self) -> None:
        """Stop whatever runs, leave no process behind."""


class LocalExecutor:
    """Worker processes, each for the toolchains of one family; at most `jobs` of them busy at once.

    A task goes to the idle worker of its family that has most of its distributions loaded, and to a new one where
    none is idle. A worker stays as long as tasks of its family are to come.

    Under a policy each worker has a place of its own, from where the program takes what a step wrote: no worker
    reaches what another one wrote, nor its own output once it is taken. One that ran code which no digest covers
    serves no other step.

    A worker that dies under a step is replaced. Where it had served other steps before, which may have harmed
    it, the step gets a second try, alone in a fresh worker.
    """

    def __init__(
        self, *, jobs: int, scratch: Path, policy: Policy | None = None, memory_limit_bytes: int | None = None
    ) -> None:
        self._jobs = jobs
        self._policy = policy
        self._scratch = scratch
        self._memory_limit_bytes = memory_limit_bytes
        self._threads = ThreadPoolExecutor(jobs)
        self._guard = threading.Lock()
        self._under_way = 0
        self._alive: set[WorkerProcess] = set()
        self._idle: defaultdict[str, list[WorkerProcess]] = defaultdict(list)
        self._to_come: Collection[str] = ()
        self._closed = False

    def has_room(self) -> bool:
        """Whether fewer than `jobs` tasks are under way."""
        return self._under_way < self._jobs

    def submit(self, task: Task, to_come: Collection[str]) -> Future[Answer]:
        """Run `task` in a worker of its toolchain's family, from a thread that waits for it."""
        with self._guard:
            self._under_way += 1
            self._to_come = to_come
            worker = self._best_idle(task)
            needless = [each for family in self._idle.keys() - set(to_come) for each in self._idle.pop(family)]
        for each in needless:
            self._end(each)
        return self._threads.submit(self._run, task, worker)

    def close(self) -> None:
        """Kill every worker's group; a task that was under way raises StepFailed."""
        with self._guard:
            self._closed = True
            workers = tuple(self._alive)
        for worker in workers:
            worker.kill()
        self._threads.shutdown(cancel_futures=True)
        for worker in workers:
            worker.close()

    def _run(self, task: Task, worker: WorkerProcess | None) -> Answer:
        try:
            answer = self._ask(task, worker or self._started(task))
        except OSError as error:
            raise StepFailed(task.step.id, f"its worker could not be started: {error}", task.log) from error
        finally:
            with self._guard:
                self._under_way -= 1
        if isinstance(answer, Answer):
            return answer
        if isinstance(answer, str):
            raise StepFailed(task.step.id, answer, task.log)
        raise type(answer)(f"{answer}\n  step: {task.step.id}\n  log: {task.log}")

    def _ask(self, task: Task, worker: WorkerProcess) -> Answer | DeploySpecError | str:
        """The worker's answer, its output taken; where one that had served before dies, a fresh one's."""
        try:
            said = worker.ask(worker.place.bring(task))
        except TimeoutError as hung:
            self._end(worker)
            raise StepFailed(task.step.id, str(hung), task.log) from None
        except WorkerLost as lost:
            self._end(worker)
            if worker.served == 0 or self._closed:
                raise StepFailed(task.step.id, _story(lost, task.log), task.log) from None
        else:
            return self._taken(task, said, worker)
        with task.log.open("a") as log:
            log.write(f"\n{TRIED_AGAIN}\n")
        return self._ask(task, self._started(task))

    def _taken(self, task: Task, said: bytes, worker: WorkerProcess) -> Answer | DeploySpecError | str:
        answer = decode_answer(said)
        try:
            if isinstance(answer, Answer):
                worker.place.take(task)
        finally:
            self._keep(worker, task.step)
        return answer

    def _best_idle(self, task: Task) -> WorkerProcess | None:
        """The idle worker of the family that has most of the toolchain loaded, no longer among the idle."""
        toolchain = task.step.toolchain
        idle = [worker for worker in self._idle[toolchain.family] if worker.place.hidden == task.hidden]
        if not idle:
            return None
        best = max(idle, key=lambda worker: len(worker.loaded & set(toolchain.distributions)))
        self._idle[toolchain.family].remove(best)
        return best

    def _started(self, task: Task) -> WorkerProcess:
        with self._guard:
            if self._closed:
                raise StepFailed(task.step.id, "the run was stopped", task.log)
            worker = WorkerProcess(task.log, self._place(task), memory_limit_bytes=self._memory_limit_bytes)
            self._alive.add(worker)
            return worker

    def _place(self, task: Task) -> Place:
        if self._policy is None:
            return Place(scratch=self._scratch)
        return Place.apart(self._scratch, self._policy, task.hidden)

    def _keep(self, worker: WorkerProcess, step: Step) -> None:
        """For the tasks of its family that are to come; without any, or where code of a split's has run, end it."""
        family = step.toolchain.family
        with self._guard:
            if family in self._to_come and not step.volatile:
                self._idle[family].append(worker)
                return
        self._end(worker)

    def _end(self, worker: WorkerProcess) -> None:
        with self._guard:
            self._alive.discard(worker)
        worker.close()


def _story(lost: WorkerLost, log: Path) -> str:
    """How the worker ended, why it may have, and what it said last."""
    cause = " (the system may have run out of memory)" if "SIGKILL" in str(lost) else ""
    said = last_lines(log)
    return f"its worker {lost}{cause}" + (f"; last lines: {said}" if said else "")
