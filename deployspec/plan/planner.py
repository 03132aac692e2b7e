"""The route of every target, and the steps that measure where it leads: what each target asks of the graph."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final

from deployspec import registry
from deployspec.ir.plan import Form, Lowering, Plan, Route, Runner, Scored
from deployspec.plan import hygiene, scoring, trials
from deployspec.plan.graph import JUDGED_SPLITS, MODEL, Graph
from deployspec.routes import find_route

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from deployspec.ir.spec import Spec, Target
    from deployspec.registry import Pass

LATENCY_REDUCTION: Final = "latency_reduction"
SIZE_REDUCTION: Final = "size_reduction"


def make_plan(spec: Spec) -> Plan:
    """The plan of `spec`, the same on every machine. Raises NoRoute for a target that cannot be reached."""
    graph = Graph(spec)
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


def _route(graph: Graph, target: Target) -> Route:
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
        format=target.format,
        steps=tuple(dict.fromkeys([*made, structure, *checks, *(step for _, step in evaluations)])),
        artifact=made[-1],
        structure=structure,
        runner=runner,
        evaluations=evaluations,
        baseline=baseline,
        scores=_scores(graph, target, evaluations),
        notes=(*_notes(target, plugin, passes, chain, runner), *loosened),
        loosened=loosened,
        watches=_watches(graph, target, made[-1], runner) if runner else (),
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


def _notes(
    target: Target, plugin: Any, passes: Sequence[Any], chain: Sequence[Lowering], runner: Runner | None
) -> tuple[str, ...]:
    """What its makers say of the format, what to know of the passes and steps, and what cannot be had of it here."""
    unrun = "" if runner else f"nothing here executes {target.format}: what takes running it is not measured"
    said = (plugin.remark, *(each.remark for each in (*passes, *chain)), unrun)
    return tuple(note for note in said if note)


def _checks(
    graph: Graph, target: Target, made: Sequence[str], chain: Sequence[Lowering], runner: Runner
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


def _scores(graph: Graph, target: Target, evaluations: Sequence[tuple[str, str]]) -> tuple[Scored, ...]:
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
    graph: Graph, target: Target, artifact: str, lowering: Lowering, runner: Runner
) -> tuple[tuple[str, str], ...]:
    """The steps that run a split with noise, in each mode, where a budget asks."""
    return tuple(
        (split, graph.check(target, artifact, lowering, runner, f"{split}{trials.NOISY}", mode))
        for split in trials.noisy_splits(graph.spec, target)
        for mode in runner.modes or ("",)
    )


def _watches(graph: Graph, target: Target, artifact: str, runner: Runner) -> tuple[str, ...]:
    """The steps that find out whether the artifact is stable, where a budget asks."""
    return graph.watches(target, artifact, runner) if _asks_for(trials.STABLE, [target]) else ()


def _baseline(graph: Graph, target: Target, form: Form, lowerings: Sequence[Lowering], runner: Runner) -> str | None:
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
