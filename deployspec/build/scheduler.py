"""Plan to artifacts: each step once, as soon as its inputs are there, none that the store already holds."""

from __future__ import annotations

import json
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import asdict, dataclass
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Any, Final

from deployspec.build.executor import Executor, LocalExecutor
from deployspec.build.keys import (
    code_sha256,
    differences,
    key_ingredients,
    missing_distributions,
    step_key,
    toolchain_versions,
)
from deployspec.build.messages import Answer, Task
from deployspec.build.progress import Progress, Silent
from deployspec.build.store import OUT_FOLDER, Entry, Store
from deployspec.build.tracked import refuse_tracked
from deployspec.errors import DigestMismatch, StepFailed, StoreError
from deployspec.ir.artifact import ARTIFACT_FOLDER, Done, Failed, Job, NotOneArtifact, StepResult, the_artifact
from deployspec.ir.plan import Action
from deployspec.isolation import Policy

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from filelock import BaseFileLock

    from deployspec.ir.model import Model
    from deployspec.ir.plan import Plan, Step

POLL_S: Final = 0.2
"""How often a step that another run is at is looked for: the kernel's lock on a file has no event to wait for."""


@dataclass(frozen=True, kw_only=True)
class BuildContext:
    """What a plan leaves open, since it depends on the machine.

    `digests` names what no step makes, by the id that steps take it under: "model", the source and its weights,
    and whatever else the plan refers to. All of it lies in `folder`, the spec's.
    """

    folder: Path
    model: Model
    digests: Mapping[str, str]
    seed: int = 0
    memory_limit_bytes: int | None = None
    hidden: tuple[Path, ...] = ()
    """Files that no step may read: the signing key."""
    judged: tuple[Path, ...] = ()
    """The files of the judged splits, which only the steps that prepare them may read."""


def build(
    plan: Plan,
    store: Store,
    context: BuildContext,
    *,
    jobs: int = 2,
    progress: Progress | None = None,
    executor: Executor | None = None,
) -> dict[str, StepResult]:
    """Every step's result, in the plan's order. A step that fails blocks those that need it, and no others.

    At most `jobs` steps run at once, in `executor` (closed at the end) or in processes of this machine; none is
    started when the store holds everything. Raises DataFault or SourceFault as soon as a step does, StoreError
    when the store cannot be written or came with a repository, UsageError when a toolchain that is needed is not
    installed.
    """
    refuse_tracked(store.root)
    run = _Run(plan, store, context, progress or Silent())
    run.gather()
    if run.unfinished:
        with store.workspace() as workspace:
            limit = context.memory_limit_bytes
            policy = Policy(hidden=(*context.hidden, store.root))
            used = executor or LocalExecutor(jobs=jobs, scratch=workspace, policy=policy, memory_limit_bytes=limit)
            run.work(used, workspace)
    return {step.id: run.results[step.id] for step in plan.steps}


@dataclass(frozen=True, kw_only=True)
class Due:
    """A step that the store does not hold, and what changed since it was last run: nothing where it never was."""

    step: str
    changes: tuple[str, ...] = ()


def foresee(plan: Plan, store: Store, context: BuildContext) -> dict[str, Done | Due]:
    """Each step as the store holds it or does not, as far as that is known before anything runs, in the plan's order.

    Starts and writes nothing.
    """
    run = _Run(plan, store, context, Silent())
    run.gather()
    done = {step: result for step, result in run.results.items() if isinstance(result, Done)}
    last = {} if len(done) == len(plan.steps) else run.last_made()
    return {step.id: done.get(step.id) or Due(step=step.id, changes=run.changes(step, last)) for step in plan.steps}


@dataclass(frozen=True, kw_only=True)
class _Claim:
    """A step under way, with its place in the store and the lock that makes it ours."""

    step: Step
    key: str
    ingredients: dict[str, Any]
    home: Path
    log: Path
    lock: BaseFileLock


class _Run:
    """The state of one build: a step is first known to the sorter, then ready, then claimed, then has a result."""

    def __init__(self, plan: Plan, store: Store, context: BuildContext, progress: Progress) -> None:
        self.results: dict[str, StepResult] = {}
        self._store = store
        self._context = context
        self._progress = progress
        self._steps = plan.by_id()
        self._lowered = {route.artifact for route in plan.routes}
        self._model = json.loads(json.dumps(asdict(context.model), default=str))
        self._urgency = _remaining_cost_s(plan)
        self._sorter = TopologicalSorter({step.id: self._needs(step) for step in plan.steps})
        self._sorter.prepare()
        self._ready: list[Step] = []
        self._claims: dict[Future[Answer], _Claim] = {}
        self._told: set[str] = set()

    @property
    def unfinished(self) -> bool:
        """Whether a step has no result yet."""
        return self._sorter.is_active()

    def gather(self) -> None:
        """Settle all that the store or an earlier failure settles, and make ready what is left, most urgent first."""
        while fresh := self._sorter.get_ready():
            for step in (self._steps[step_id] for step_id in fresh):
                result = self._blocked(step) or self._found(step)
                if result:
                    self._settle(step, result)
                else:
                    self._ready.append(step)
        self._ready.sort(key=lambda step: -self._urgency[step.id])

    def work(self, executor: Executor, workspace: Path) -> None:
        """Run what is left. Leaves no process and no lock behind, however it ends."""
        try:
            while self.unfinished:
                looked = [self._start(step, executor, workspace) for step in tuple(self._ready)]
                over, _ = wait(self._claims, POLL_S if False in looked else None, FIRST_COMPLETED)
                for future in over:
                    self._collect(future)
                self.gather()
        finally:
            executor.close()
            for claim in self._claims.values():
                claim.lock.release()

    def last_made(self) -> dict[str, dict[str, Any]]:
        """Of each step that was ever run for a model of this name, the ingredients of the newest entry."""
        name = self._model["name"]
        return {step: made for step, made in self._store.ingredients() if made.get("model", {}).get("name") == name}

    def changes(self, step: Step, last: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
        """In words, what of the step changed since it was last made; empty where that is not known."""
        if step.id not in last or missing_distributions(step.toolchain):
            return ()
        now, was = self._ingredients(step), last[step.id]
        return differences(step, was, now) if was.keys() == now.keys() else ()

    def _needs(self, step: Step) -> list[str]:
        return [source for _, source in step.takes if source in self._steps]

    def _blocked(self, step: Step) -> Failed | None:
        failures = (self.results[source] for source in self._needs(step))
        for failure in failures:
            if isinstance(failure, Failed):
                cause = failure.blocked_by or failure.step
                return Failed(step=step.id, reason=f"needs '{cause}', which failed", blocked_by=cause)
        return None

    def _found(self, step: Step) -> Done | None:
        """The step's result when the store holds it; a step whose toolchain is not installed has no key."""
        if step.volatile or missing_distributions(step.toolchain):
            return None
        key = step_key(self._ingredients(step))
        entry = self._store.get(key)
        return self._done(step, entry, self._store.log(step.id, key), cached=True) if entry else None

    def _start(self, step: Step, executor: Executor, workspace: Path) -> bool:
        """Start a ready step if there is room. False when another run is at it or has just finished it."""
        if not executor.has_room():
            return True
        ingredients = self._ingredients(step)
        key = step_key(ingredients)
        lock = self._store.lock(key, timeout_s=0 if self._claims else POLL_S)
        if lock is None:
            self._tell_once(step)
            return False
        self._ready.remove(step)
        if found := self._found(step):
            lock.release()
            self._settle(step, found)
            return False
        home, log = workspace / key, self._store.log(step.id, key)
        self._submit(_Claim(step=step, key=key, ingredients=ingredients, home=home, log=log, lock=lock), executor)
        return True

    def _submit(self, claim: _Claim, executor: Executor) -> None:
        step, log = claim.step, claim.log
        log.unlink(missing_ok=True)
        inputs = {role: self._folder(source) for role, source in step.takes}
        context = self._context
        out = claim.home / OUT_FOLDER
        job = Job(inputs=inputs, out=out, options=step.options, model=context.model, seed=context.seed)
        self._progress.started(step)
        hidden = () if step.action is Action.PREPARE else context.judged
        future = executor.submit(Task(step=step, job=job, log=log, hidden=hidden), self._to_come(step))
        self._claims[future] = claim

    def _to_come(self, starting: Step) -> set[str]:
        """The families of the steps that are yet to start once `starting` has."""
        begun = {starting.id, *self.results, *(claim.step.id for claim in self._claims.values())}
        return {step.toolchain.family for step in self._steps.values() if step.id not in begun}

    def _collect(self, future: Future[Answer]) -> None:
        claim = self._claims.pop(future)
        try:
            result = self._publish(claim, future)
        except StepFailed as failure:
            result = Failed(step=claim.step.id, reason=failure.reason, log=failure.log)
        except (DigestMismatch, NotOneArtifact) as fault:
            result = Failed(step=claim.step.id, reason=f"its output: {fault}", log=claim.log)
        finally:
            claim.lock.release()
        self._settle(claim.step, result)

    def _publish(self, claim: _Claim, future: Future[Answer]) -> StepResult:
        try:
            answer = future.result()
            out = claim.home / OUT_FOLDER
            if claim.step.id in self._lowered or (out / ARTIFACT_FOLDER).exists():
                the_artifact(out)  # the files that a folder holds have no order: what is judged is what ships
            entry = self._store.publish(
                claim.key,
                claim.home,
                facts=answer.facts,
                seconds=answer.seconds,
                step=claim.step.id,
                ingredients=claim.ingredients,
                by_content=claim.step.volatile,
            )
        except StoreError as error:
            raise StoreError(
                f"step '{claim.step.id}' ran, yet its output is lost: {error}\n  log: {claim.log}"
            ) from error
        return self._done(claim.step, entry, claim.log, cached=False)

    def _done(self, step: Step, entry: Entry, log: Path, *, cached: bool) -> Done:
        return Done(
            step=step.id,
            folder=entry.folder,
            sha256=entry.sha256,
            cached=cached,
            seconds=entry.seconds,
            facts=entry.facts,
            log=log if log.exists() else None,
        )

    def _settle(self, step: Step, result: StepResult) -> None:
        self.results[step.id] = result
        self._sorter.done(step.id)
        self._progress.finished(step, result)

    def _tell_once(self, step: Step) -> None:
        if step.id not in self._told:
            self._told.add(step.id)
            self._progress.waiting(step)

    def _ingredients(self, step: Step) -> dict[str, Any]:
        return key_ingredients(
            step,
            inputs={role: self._digest(source) for role, source in step.takes},
            versions=toolchain_versions(step.toolchain),
            code_sha256=code_sha256(step),
            model=self._model,
            seed=self._context.seed,
        )

    def _digest(self, source: str) -> str | None:
        """The digest of what fills a role, None as long as the step that gives it has no result."""
        if source not in self._steps:
            return self._context.digests[source]
        return self._result(source).sha256 if source in self.results else None

    def _folder(self, source: str) -> Path:
        return self._result(source).folder if source in self._steps else self._context.folder

    def _result(self, source: str) -> Done:
        result = self.results[source]
        assert isinstance(result, Done), "a step is ready only when all that it needs is done"
        return result


def _remaining_cost_s(plan: Plan) -> dict[str, float]:
    """For each step, the expected seconds of the longest chain that starts with it."""
    after: dict[str, float] = {}
    for step in reversed(plan.steps):
        after[step.id] = step.cost_s + after.get(step.id, 0.0)
        for _, source in step.takes:
            after[source] = max(after.get(source, 0.0), after[step.id])
    return after
