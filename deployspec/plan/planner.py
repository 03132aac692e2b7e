"""Lays the targets' routes into one graph, in which equal steps are one step."""

from __future__ import annotations

import dataclasses
import itertools
from typing import TYPE_CHECKING, Any, Final

from deployspec import registry
from deployspec.ir.plan import (
    DATASET,
    OUTPUTS,
    SOURCE_FORMS,
    STRUCTURE,
    Action,
    Form,
    Inspector,
    Lowering,
    Plan,
    Route,
    Runner,
    Scored,
    Step,
    Toolchain,
)
from deployspec.ir.spec import SourceKind
from deployspec.plan import hygiene, scoring, trials
from deployspec.routes import find_route

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from deployspec.ir.budget import Budget
    from deployspec.ir.spec import Spec, Target
    from deployspec.registry import Pass

DATA_TOOLCHAIN: Final = Toolchain(name="data", distributions=("numpy",))
EAGER: Final = Runner(
    script="deployspec.runners.torchscript",
    needs=("deployspec.runners.protocol", "deployspec.runners.callables", "deployspec.runners.eager"),
    toolchain=Toolchain(name="torch", distributions=("torch", "safetensors"), extra="torch"),
)
KERAS: Final = Runner(
    script="deployspec.runners.keras_eager",
    needs=("deployspec.runners.protocol", "deployspec.runners.callables"),
    toolchain=Toolchain(name="keras", distributions=("tensorflow-cpu|tensorflow", "keras"), extra="keras"),
)
KERAS_SOURCES: Final = frozenset({SourceKind.KERAS_CALLABLE, SourceKind.KERAS_FILE, SourceKind.SAVED_MODEL})
JUDGED_SPLITS: Final = ("test", "field")
LATENCY_REDUCTION: Final = "latency_reduction"
SIZE_REDUCTION: Final = "size_reduction"
MODEL: Final = "model"


def make_plan(spec: Spec) -> Plan:
    """The plan of `spec`, the same on every machine. Raises NoRoute for a target that cannot be reached."""
    graph = _Graph(spec)
    weighed = [""] if _asks_for(SIZE_REDUCTION, spec.targets) else []
    references = tuple((split, graph.reference(split)) for split in graph.judged_splits or weighed)
    routes = tuple(_route(graph, target) for target in spec.targets)
    near = tuple((split, graph.near_duplicates(split)) for split in hygiene.searched_splits(spec))
    shared = tuple((split, graph.leaks(split)) for split in graph.judged_splits if len(spec.data.splits()) > 1)
    noisy = dict.fromkeys(split for route in routes for split, _ in route.noisy)
    noisy_references = tuple((split, graph.reference(f"{split}{trials.NOISY}")) for split in noisy)
    drift = graph.drift() if len(graph.judged_splits) == len(JUDGED_SPLITS) else None
    return Plan(
        steps=graph.steps(),
        routes=routes,
        references=references,
        noisy_references=noisy_references,
        hygiene=shared,
        near_duplicates=near,
        drift=drift,
    )


def _route(graph: _Graph, target: Target) -> Route:
    plugin = registry.load(registry.Family.TARGETS, target.format)(**dict(target.options))
    passes = [registry.load(registry.Family.PASSES, use.name)(**dict(use.options)) for use in target.passes]
    lowerings = (*plugin.lowerings(), *(edge for each in passes for edge in each.lowerings()))
    usual = find_route(graph.start, plugin.form, [each.wanted() for each in passes], lowerings)
    chain = tuple(_held(edge, passes) for edge in usual)
    loosened = tuple(_loosened(usual, chain))
    made, runner = graph.convert(target, chain), plugin.runner()
    structure = graph.inspect(target, made[-1], plugin.inspector())
    checks, evaluations = _checks(graph, target, made, chain, runner) if runner else ([], ())
    baseline = _baseline(graph, target, plugin.form, lowerings, runner) if runner else None
    return Route(
        target=target.name,
        format=plugin.form,
        steps=tuple(dict.fromkeys([*made, structure, *checks, *(step for _, step in evaluations)])),
        artifact=made[-1],
        structure=structure,
        runner=runner,
        evaluations=evaluations,
        baseline=baseline,
        scores=_scores(graph, target, evaluations),
        notes=(*_notes(plugin, passes, chain, runner), *loosened),
        loosened=loosened,
        watches=graph.watches(target, made[-1], runner) if runner else (),
        noisy=_noisy(graph, target, made[-1], chain[-1], runner) if runner else (),
    )


def _held(edge: Lowering, passes: Sequence[Pass]) -> Lowering:
    """The lowering, held to the tolerance that the spec states in the pass that it realises."""
    stated = [each.tolerance for each in passes if each.wanted() == edge.realises and each.tolerance is not None]
    return dataclasses.replace(edge, tolerance=stated[0]) if stated else edge


def _loosened(usual: Sequence[Lowering], held: Sequence[Lowering]) -> Iterator[str]:
    for own, stated in zip(usual, held, strict=True):
        if stated.tolerance > own.tolerance:
            allowed = f"its {own.realises} pass was allowed {stated.tolerance:g} of the output's spread"
            yield f"{allowed}, {own.tolerance:g} is usual"


def _notes(plugin: Any, passes: Sequence[Any], chain: Sequence[Lowering], runner: Runner | None) -> tuple[str, ...]:
    """What its makers say of the format, what to know of the passes and steps, and what cannot be had of it here."""
    unrun = "" if runner else f"nothing here executes {plugin.form}: what takes running it is not measured"
    said = (plugin.remark, *(each.remark for each in (*passes, *chain)), unrun)
    return tuple(note for note in said if note)


def _checks(
    graph: _Graph, target: Target, made: Sequence[str], chain: Sequence[Lowering], runner: Runner
) -> tuple[list[str], tuple[tuple[str, str], ...]]:
    """The steps that hold the contract of each file on the way, and those that run the last one over a split.

    An evaluation holds the contract before it runs its split; what none evaluates is checked by itself. What a pass
    made of the source's form is no file that a runner could load: the lowering that takes it is held to it.
    """
    splits = graph.judged_splits
    evaluations = tuple(
        (split, graph.check(target, made[-1], chain[-1], runner, split, mode))
        for split in splits
        for mode in runner.modes or ("",)
    )
    files = [(step, edge) for step, edge in zip(made, chain, strict=True) if edge.gives == chain[-1].gives]
    unevaluated = files[: -1 if splits else None]
    return [graph.check(target, step, lowering, runner) for step, lowering in unevaluated], evaluations


def _scores(graph: _Graph, target: Target, evaluations: Sequence[tuple[str, str]]) -> tuple[Scored, ...]:
    """The steps that score each run of a split, and the reference's, by the metrics that budgets name."""
    return tuple(
        Scored(
            metric=metric,
            evaluation=evaluation,
            reference=graph.score(metric, split, graph.reference(split)),
            artifact=graph.score(metric, split, evaluation, target),
        )
        for split, evaluation in evaluations
        for metric in scoring.metrics_of(target, split)
    )


def _noisy(
    graph: _Graph, target: Target, artifact: str, lowering: Lowering, runner: Runner
) -> tuple[tuple[str, str], ...]:
    """The steps that run a split with noise, in each mode, where a budget asks."""
    return tuple(
        (split, graph.check(target, artifact, lowering, runner, f"{split}{trials.NOISY}", mode))
        for split in trials.noisy_splits(graph.spec, target)
        for mode in runner.modes or ("",)
    )


def _baseline(graph: _Graph, target: Target, form: Form, lowerings: Sequence[Lowering], runner: Runner) -> str | None:
    """What `latency_reduction` compares with: the eager source where the runner can, else plain float32."""
    if not _asks_for(LATENCY_REDUCTION, [target]):
        return None
    if runner.runs_source:
        return MODEL
    chain = find_route(graph.start, form, (), lowerings)
    made = graph.convert(target, chain)
    graph.check(target, made[-1], chain[-1], runner)
    return made[-1]


def _asks_for(metric: str, targets: Sequence[Target]) -> bool:
    return any(budget.metric == metric for target in targets for budget in target.budgets)


class _Graph:
    """The steps so far, in an order in which they can run; equal work is one step."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self._steps: dict[str, Step] = {}
        self._splits = spec.data.splits()
        self._need_labels = {budget.split for target in spec.targets for budget in target.budgets if _counts(budget)}
        self.start = SOURCE_FORMS[spec.model.kind]
        self._eager = KERAS if spec.model.kind in KERAS_SOURCES else EAGER
        self.judged_splits = [split for split in JUDGED_SPLITS if split in self._splits]

    def steps(self) -> tuple[Step, ...]:
        return tuple(self._steps.values())

    def data(self, split: str, target: str = "", *, digests_only: bool = False) -> str:
        """The step that prepares a split, or no more of it than what tells its samples apart."""
        if split.endswith(trials.NOISY):
            calm = split.removesuffix(trials.NOISY)
            return self._add(trials.noise(calm, self.data(calm, target), self.spec, DATA_TOOLCHAIN))
        task = self.spec.task
        value = self._splits[split]
        options = {
            "split": split,
            "value": value if isinstance(value, str) else list(value),
            "task": task.kind if task else None,
            "classes": len(task.labels) if task else 0,
            "labelled": split in self._need_labels,
        }
        return self._add(
            Step(
                id=f"digests.{split}" if digests_only else f"data.{split}",
                action=Action.PREPARE,
                takes=(("data", f"data:{split}"),),
                gives=DATASET,
                function="deployspec.sources.dataset:prepare",
                toolchain=DATA_TOOLCHAIN,
                options=options | ({"digests_only": True} if digests_only else {}),
                targets=(target,) if target else (),
                volatile=isinstance(value, str) and ":" in value,
            )
        )

    def reference(self, split: str) -> str:
        """The step that runs the source itself, eagerly, over a split; without one it is only weighed."""
        model, runner = self.spec.model, self._eager
        data = (("data", self.data(split)),) if split else ()
        return self._add(
            Step(
                id=f"reference@{split}" if split else "reference",
                action=Action.EVALUATE,
                takes=(("model", MODEL), *data),
                gives=OUTPUTS,
                function="deployspec.measure.evaluate:evaluate_reference",
                toolchain=_on_lane(runner),
                options={"runner": _runner_options(runner), "source": model.source, "weights": model.weights},
                cost_s=4.0,
            )
        )

    def score(self, metric: str, split: str, outputs: str, target: Target | None = None) -> str:
        """The step that scores a run of a split, the reference's where there is no target."""
        return self._add(scoring.score(self.spec, metric, outputs, self.data(split), target))

    def leaks(self, split: str) -> str:
        """The step that looks for a judged split's samples in the others; planned last, to use what is prepared."""
        others = [(other, self._digests(other)) for other in self._splits if other != split]
        return self._add(hygiene.leaks(split, self.data(split), others))

    def near_duplicates(self, split: str) -> str:
        """The step that looks for samples much like those of a judged split in the splits that are not judged."""
        others = [(other, self.data(other)) for other in hygiene.unjudged_splits(self.spec)]
        return self._add(hygiene.near_duplicates(split, self.data(split), others))

    def drift(self) -> str:
        """The step that compares the inputs of the test and the field split."""
        return self._add(hygiene.drift(self.data("test"), self.data("field")))

    def _digests(self, split: str) -> str:
        """The step whose output tells the samples of a split apart."""
        return self.data(split, digests_only=f"data.{split}" not in self._steps)

    def convert(self, target: Target, chain: Sequence[Lowering]) -> list[str]:
        """The steps of a route, each taking what the one before gave."""
        made: list[str] = []
        for lowering in chain:
            model = (("model", MODEL),) if self.start in lowering.takes else ()
            given = (("input", made[-1]),) if made else ()
            needs = [(split, self.data(split, target.name)) for split in self._needs(lowering)]
            hooks = [(name, f"hook:{lowering.options[name]}") for name in lowering.hooks]
            made.append(
                self._add(
                    Step(
                        id=f"{lowering.gives}.{lowering.name}",
                        action=Action.CONVERT,
                        takes=(*model, *given, *needs, *hooks),
                        gives=lowering.gives,
                        function=lowering.function,
                        toolchain=lowering.toolchain,
                        options=lowering.options,
                        targets=(target.name,),
                        cost_s=lowering.cost_s,
                        time_limit_s=target.time_limit_s,
                    )
                )
            )
        return made

    def _needs(self, lowering: Lowering) -> list[str]:
        """The splits it reads; calibration samples are also its probe, where there are any."""
        probe = [split for split in ("calibration",) if split in self._splits]
        return list(dict.fromkeys([*lowering.needs, *probe]))

    def inspect(self, target: Target, artifact: str, inspector: Inspector) -> str:
        """The step that reads an artifact's own bytes."""
        return self._add(
            Step(
                id=f"{artifact}@structure",
                action=Action.INSPECT,
                takes=(("artifact", artifact),),
                gives=STRUCTURE,
                function="deployspec.measure.structure:inspect_artifact",
                toolchain=inspector.toolchain,
                options={"inspector": inspector.function},
                targets=(target.name,),
                cost_s=0.5,
                time_limit_s=target.time_limit_s,
            )
        )

    def check(
        self, target: Target, artifact: str, lowering: Lowering, runner: Runner, split: str = "", mode: str = ""
    ) -> str:
        """The step that reloads an artifact in a fresh process, holds the contract and runs a split."""
        options = {"runner": _runner_options(runner), "tolerance": lowering.tolerance}
        return self._add(
            Step(
                id=f"{artifact}@{split or 'contract'}{f'.{mode}' if mode else ''}",
                action=Action.EVALUATE,
                takes=(("artifact", artifact), *([("data", self.data(split))] if split else [])),
                gives=OUTPUTS,
                function="deployspec.measure.evaluate:evaluate_artifact",
                toolchain=_on_lane(runner),
                options=options | ({"mode": mode} if mode else {}),
                targets=(target.name,),
                cost_s=2.0,
                time_limit_s=target.time_limit_s,
            )
        )

    def watches(self, target: Target, artifact: str, runner: Runner) -> tuple[str, ...]:
        """The steps that find out whether an artifact is stable, one for each mode, where a budget asks."""
        if not _asks_for(trials.STABLE, [target]):
            return ()
        splits = [(split, self.data(split, target.name)) for split in trials.range_splits(self.spec)]
        cases = self._add(trials.cases(splits, DATA_TOOLCHAIN))
        options = {"runner": _runner_options(self._eager)}
        reference = self._add(trials.reference_watch(cases, _on_lane(self._eager), options))
        modes = [{"mode": mode} for mode in runner.modes] or [{}]
        options = {"runner": _runner_options(runner)}
        return tuple(
            self._add(trials.watch(target, artifact, cases, reference, _on_lane(runner), options | mode))
            for mode in modes
        )

    def _add(self, wanted: Step) -> str:
        """Share an equal step, or insert `wanted`, numbered where another step has its name."""
        for number in itertools.count(1):
            step_id = wanted.id if number == 1 else f"{wanted.id}-{number}"
            there = self._steps.get(step_id)
            if there is None:
                self._steps[step_id] = dataclasses.replace(wanted, id=step_id)
                return step_id
            if _same_work(there, wanted):
                self._steps[step_id] = _shared(there, wanted)
                return step_id
        raise AssertionError


def _counts(budget: Budget) -> bool:
    """Whether it compares outputs with y."""
    return budget.row.needs_labels


def _same_work(one: Step, other: Step) -> bool:
    return (one.function, one.takes, one.options) == (other.function, other.takes, other.options)


def _shared(there: Step, wanted: Step) -> Step:
    targets = tuple(dict.fromkeys([*there.targets, *wanted.targets]))
    return dataclasses.replace(there, targets=targets, time_limit_s=max(there.time_limit_s, wanted.time_limit_s))


def _on_lane(runner: Runner) -> Toolchain:
    """The light worker that starts runners: it imports nothing, but the runtime's version is part of the key."""
    return dataclasses.replace(runner.toolchain, name="lane", shares="", preload=(), block=())


def _runner_options(runner: Runner) -> dict[str, Any]:
    return {"script": runner.script, "needs": list(runner.needs), "family": runner.toolchain.family}
