"""`deployspec plan`: what would be done for each target, and what the data can decide, before anything runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from deployspec.cli.named import NamedPath
from deployspec.cli.options import format_option
from deployspec.ir.artifact import Done
from deployspec.judge.words import provable
from deployspec.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from deployspec.build import Due
    from deployspec.ir.budget import Budget
    from deployspec.ir.plan import Plan, Route, Step
    from deployspec.ir.spec import Spec
    from deployspec.judge.decidable import Decidable

    Foreseen = Mapping[str, Done | Due]


@click.command(
    epilog="""\b
Examples:
  deployspec plan specs/digits.toml
  deployspec plan specs/digits.toml --format json > plan.json
"""
)
@click.argument("spec", type=NamedPath())
@click.option("--target", "targets", multiple=True, metavar="NAME", help="Only this target; may be repeated.")
@format_option(
    "text", "json", help="json is the same on every machine: no time, path, version or state of the store is in it."
)
def command(spec: Path, targets: tuple[str, ...], form: str) -> None:  # fmt: skip
    """Show the steps of every target, and what the data can decide.

    For each step: what it takes, what it gives, whether the store holds it, and what changed since it was last run. For
    each split: the highest floor and the smallest drop that its samples can prove. A split that `check` would refuse
    for its arrays' names, shapes, types or labels is refused here already. Needs no framework and starts nothing.
    """
    from deployspec.build import default_store
    from deployspec.preflight import decide_ahead, foreseen_steps, read, refuse_unfit_data

    parsed, plan = read(spec, targets)
    refuse_unfit_data(parsed, plan)
    decidable = decide_ahead(parsed)
    if form == "json":
        click.echo(_as_json(parsed, plan, decidable))
    else:
        click.echo(_as_text(parsed, plan, decidable, foreseen_steps(parsed, plan, default_store(spec))))


def _as_json(spec: Spec, plan: Plan, decidable: Mapping[str, Sequence[Decidable]]) -> str:
    from deployspec.ir.codec import encode
    from deployspec.plan import as_json

    ahead = {target: [encode(each) for each in found] for target, found in decidable.items()}
    return json.dumps(as_json(spec, plan, ahead), indent=2, sort_keys=True)


def _as_text(spec: Spec, plan: Plan, decidable: Mapping[str, Sequence[Decidable]], ahead: Foreseen) -> str:
    head = f"{spec.model.name} {spec.model.version}: {counted(len(plan.routes), 'target')}, "
    held = sum(isinstance(each, Done) for each in ahead.values())
    head += f"{counted(len(plan.steps), 'step')}, {held} of them in the store"
    blocks = [head, *_shared(plan, ahead)]
    blocks += ["\n".join(_route(route, plan, ahead)) for route in plan.routes]
    first = ", before leaked samples are left out" if plan.hygiene else ""
    blocks += ["\n".join(_ahead(*each, "" if i else first)) for i, each in enumerate(_alike(spec, decidable))]
    return "\n\n".join(blocks)


def _shared(plan: Plan, ahead: Foreseen) -> Iterator[str]:
    """Steps that are no single target's: the reference, the splits, whatever several targets use."""
    steps = plan.by_id()
    routed = {step for route in plan.routes for step in _own(route) if len(steps[step].targets) == 1}
    common = [step for step in plan.steps if step.id not in routed]
    if common:
        yield "\n".join(["for all targets", *_table(common, ahead)])


def _route(route: Route, plan: Plan, ahead: Foreseen) -> Iterator[str]:
    steps = plan.by_id()
    yield f"{route.target} ({route.format})"
    yield from _table([steps[step] for step in _own(route)], ahead)
    if route.baseline:
        yield f"  latency_reduction compares with {route.baseline}"
    yield from (f"  note: {note}" for note in route.notes)


def _own(route: Route) -> tuple[str, ...]:
    return (*route.steps, *route.beside)


def _table(steps: Sequence[Step], ahead: Foreseen) -> Iterator[str]:
    flows = (" + ".join(source for _, source in step.takes) + f" → {step.gives}" for step in steps)
    states = (_state(ahead[step.id]) for step in steps)
    yield from _columns(list(zip((step.id for step in steps), flows, states, strict=True)))


def _state(foreseen: Done | Due) -> str:
    """Whether the store holds a step, else what changed since it was last run."""
    if isinstance(foreseen, Done):
        return "cached"
    return f"to do: {', '.join(foreseen.changes)}" if foreseen.changes else "to do"


def _alike(
    spec: Spec, decidable: Mapping[str, Sequence[Decidable]]
) -> list[tuple[list[str], list[tuple[Budget, Decidable]]]]:
    """Targets whose data can decide the same, together."""
    groups: list[tuple[list[str], list[tuple[Budget, Decidable]]]] = []
    for target in spec.targets:
        budgets = {budget.name: budget for budget in target.budgets}
        found = [(budgets[each.budget], each) for each in decidable[target.name]]
        same = [names for names, known in groups if known == found]
        if same:
            same[0].append(target.name)
        elif found:
            groups.append(([target.name], found))
    return groups


def _ahead(targets: Sequence[str], found: Sequence[tuple[Budget, Decidable]], note: str) -> Iterator[str]:
    """A table: what each budget would need to pass, and the best that a faultless artifact could prove."""
    yield f"what the data can decide ({', '.join(targets)}){note}"
    rows = [("budget", "limit", "samples", "passes with", "best it could prove")]
    for budget, each in found:
        rows.append((each.budget, budget.limit.text, str(each.n), _needed(budget, each), _best(budget, each)))
    yield from _columns(rows)


def _best(budget: Budget, each: Decidable) -> str:
    if each.best is None:
        return "as their spread allows" if each.passable else "nothing"
    return provable(each.best, budget)


def _needed(budget: Budget, each: Decidable) -> str:
    if not each.passable:
        return "! nothing" if each.needed is None else f"! nothing: it needs about {each.needed:,} samples"
    if each.errors is None:
        return "depends on where errors fall"
    if budget.ceiling:
        return f"at most {each.errors} net broken"
    return f"{each.n - each.errors} right or more"


def _columns(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield ("  " + "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))).rstrip()
