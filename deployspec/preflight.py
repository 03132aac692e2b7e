"""What is known before anything runs: the spec, its plan, what the store holds, what the data can decide."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from deployspec.build import BuildContext, foresee, missing_distributions
from deployspec.diagnostics import At, Diagnostic
from deployspec.errors import SpecFaults, UsageError
from deployspec.ir.plan import Action, pip_install
from deployspec.judge.decidable import decidable
from deployspec.parse import check_pin, missing_data, parse_spec
from deployspec.plan import JUDGED_SPLITS, make_plan
from deployspec.sources.dataset import refuse_ahead
from deployspec.sources.identity import origins
from deployspec.sources.support import split_support

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from deployspec.build import Due, Store
    from deployspec.diagnostics import KeyPath
    from deployspec.ir.artifact import Done
    from deployspec.ir.plan import Plan, Toolchain
    from deployspec.ir.spec import Spec
    from deployspec.judge.decidable import Decidable
    from deployspec.sources.identity import Origin


def read(path: Path, targets: Sequence[str] = ()) -> tuple[Spec, Plan]:
    """The spec, narrowed to `targets`, and its plan. Raises as `read_spec` does, and for data that is missing."""
    spec = read_spec(path, targets)
    plan = make_plan(spec)
    faults = [*missing_data(spec), *_idle_options(spec, plan)]
    if faults:
        raise SpecFaults(faults)
    return spec, plan


def read_spec(path: Path, targets: Sequence[str] = ()) -> Spec:
    """The spec, narrowed to `targets`, with no look at its data.

    Raises SpecFaults, and DigestMismatch for a model that is not the pinned one.
    """
    spec = _narrowed(parse_spec(path), targets)
    check_pin(spec)
    return spec


def _idle_options(spec: Spec, plan: Plan) -> Iterator[Diagnostic]:
    """Options of a target that no step of its route heeds: what changes nothing was meant to change something."""
    steps = plan.by_id()
    for target, route in zip(spec.targets, plan.routes, strict=True):
        made = [step for step in route.steps if steps[step].action is Action.CONVERT]
        heeded = {name for step in made for name in steps[step].options}
        for name in (name for name, _ in target.options if name not in heeded):
            yield Diagnostic(
                code="idle-option",
                message=f"'{name}' changes nothing here: no step of {' → '.join(made)} heeds it",
                file=spec.path,
                path=("targets", target.name, name),
                help="leave it out",
            )


def refuse_unfit_data(spec: Spec, plan: Plan) -> None:
    """Raises DataFault for what `check` would refuse in a split, as far as headers and labels show it."""
    for step in plan.steps:
        if step.action is Action.PREPARE:
            refuse_ahead(spec.folder, spec.model, step.options)


def decide_ahead(spec: Spec) -> dict[str, tuple[Decidable, ...]]:
    """For each target, what its splits can decide at their size, before any compute."""
    found_in = {split: split_support(spec, split) for split in spec.data.splits() if split in JUDGED_SPLITS}
    support = {split: each for split, each in found_in.items() if each}
    known: dict[tuple[object, ...], tuple[Decidable, ...]] = {}
    found = {}
    for target in spec.targets:
        # Targets mostly share their budgets, and one exact test may cost a tenth of a second.
        same = (target.budgets, target.rules.confidence, target.rules.min_support, target.rules.seed)
        if same not in known:
            known[same] = decidable(target.budgets, support, target.rules)
        found[target.name] = known[same]
    return found


def foreseen_steps(spec: Spec, plan: Plan, store: Store) -> dict[str, Done | Due]:
    """Each step of the plan as the store already holds it, or what it is due for. Starts and writes nothing."""
    return foresee(plan, store, build_context(spec, origins(spec)))


def build_context(spec: Spec, found: Mapping[str, Origin]) -> BuildContext:
    """What the plan leaves open: where the spec lies, and the digests of what no step makes."""
    digests = {origin.id: origin.sha256 for origin in found.values()}
    seed, judged = spec.targets[0].rules.seed, tuple(_judged_files(spec))
    return BuildContext(folder=spec.folder, model=spec.model.as_built(), digests=digests, seed=seed, judged=judged)


def _judged_files(spec: Spec) -> Iterator[Path]:
    """Where the judged splits lie; one that code yields lies nowhere that could be known."""
    for split, value in spec.data.splits().items():
        if split in JUDGED_SPLITS and not (isinstance(value, str) and ":" in value):
            yield from (spec.folder / each for each in ([value] if isinstance(value, str) else value))


def refuse_missing_extras(spec: Spec, plan: Plan) -> None:
    """Raises SpecFaults with the extra to install, for every target, and every budget, whose toolchain is not there."""
    found: list[Diagnostic] = []
    steps = plan.by_id()
    for route in plan.routes:
        where: KeyPath = ("targets", route.target, "format")
        found += _lacks(f"format '{route.format}'", [steps[step].toolchain for step in route.steps], spec, where)
    searching = [steps[step].toolchain for _, step in plan.near_duplicates]
    found += _lacks("'near_duplicates'", searching, spec, ("budgets", "near_duplicates"))
    if found:
        raise SpecFaults(found)


def _lacks(what: str, toolchains: Iterable[Toolchain], spec: Spec, where: KeyPath) -> Iterator[Diagnostic]:
    """A fault for each extra that is missing, and one for the distributions that are in none."""
    missing: dict[str, list[str]] = {}
    for each in dict.fromkeys(toolchains):
        if lacking := missing_distributions(each):
            missing[each.extra] = list(dict.fromkeys([*missing.get(each.extra, ()), *lacking]))
    for extra, names in sorted(missing.items()):
        needed = f"the extra '{extra}'" if extra else " and ".join(names)
        message = f"{what} needs {needed}, which {'is' if extra or len(names) == 1 else 'are'} not installed"
        help = pip_install(extra, names)
        yield Diagnostic(code="missing-extra", message=message, file=spec.path, path=where, at=At.VALUE, help=help)


def _narrowed(spec: Spec, names: Sequence[str]) -> Spec:
    unknown = set(names) - {target.name for target in spec.targets}
    if unknown:
        have = ", ".join(target.name for target in spec.targets)
        raise UsageError(f"the spec has no target '{min(unknown)}'; it has {have}")
    kept = tuple(target for target in spec.targets if not names or target.name in names)
    left_out = tuple(target.name for target in spec.targets if target not in kept)
    waivers = tuple(waiver for waiver in spec.waivers if waiver.target not in left_out)
    return replace(spec, targets=kept, waivers=waivers, left_out=left_out)
