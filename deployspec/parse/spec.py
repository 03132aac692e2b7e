"""The stage itself: a file to a Spec, or every fault at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, cast

from deployspec.digests import sha256_bytes, sha256_path
from deployspec.errors import DigestMismatch
from deployspec.ir.spec import Spec, Target
from deployspec.parse import budgets, meaning, paths, policy, rules, shape, targets, toml
from deployspec.parse.document import VERSION, Document, TargetTable
from deployspec.parse.faults import Faults
from deployspec.parse.kinds import Kind, kind_of
from deployspec.registry import Family
from deployspec.units import QuantityError, parse_duration_s

if TYPE_CHECKING:
    from decimal import Decimal
    from pathlib import Path

    from deployspec.ir.budget import Budget
    from deployspec.ir.model import Model
    from deployspec.ir.rules import Rules
    from deployspec.ir.verdict import Waiver

_OTHERS: Final = {
    Kind.POLICY: "this file is a policy, which specs extend, not a spec",
    Kind.TRUST: "this file is a trust policy, which `verify` is given with --trust, not a spec",
}

MAX_TARGETS: Final = 10_000
MAX_BUDGETS: Final = 1_000_000
"""Of all targets together: many classes times many targets would fill any memory."""


def parse_spec(path: Path) -> Spec:
    """Read, check and resolve the spec at `path`. Raises SpecFaults with every fault of shape and of meaning."""
    return spec_in(toml.read(path))


def spec_in(file: toml.File) -> Spec:
    """The spec in a file that was read, checked and resolved. Raises SpecFaults with every fault in it."""
    path, faults = file.path, Faults(file.path)
    _check_head(file.tree, faults)
    document = shape.read(Document, file.tree, (), faults)
    if document is None:
        faults.raise_if_any()
        raise AssertionError("a document without faults is whole")
    root = paths.project_root(path)
    meaning.check_files(document, path.parent, root, faults)
    _check_tables(document, faults)
    shared = _share(document, path.parent, root, faults)
    found = _read_targets(shared, faults)
    _check_routes(document, found, faults)
    _check_waivers(document, shared, found, faults)
    valid_s = _valid_s(document, faults)
    faults.raise_if_any()
    return Spec(
        path=path,
        root=root,
        sha256=sha256_bytes(file.data),
        model=cast("Model", document.model),
        targets=tuple(each.target for each in found),
        task=document.task,
        metrics=document.metrics,
        data=document.data,
        waivers=_waivers(document),
        policies=tuple(each.use for each in shared.policies),
        valid_s=valid_s,
        churn_noise=shared.churn_noise,
        usual_tolerance=shared.usual_tolerance,
    )


def _check_head(tree: dict[str, Any], faults: Faults) -> None:
    """What makes reading on pointless: another kind of file, no version, another version, too many targets."""
    kind, version = kind_of(tree), tree.get("deployspec")
    if kind is not Kind.SPEC:
        faults.add("not-a-spec", _OTHERS[kind], help="a spec has [model] and [targets]; validate reads all three")
    elif version is None:
        faults.add("missing-key", "the file does not say its language version", help=f"add deployspec = {VERSION}")
    elif version is True or version != VERSION:
        faults.at_value("unknown-version", f"version {version} is not known", ("deployspec",), f"known: {VERSION}")
    elif isinstance(tree.get("targets"), dict) and len(tree["targets"]) > MAX_TARGETS:
        faults.add("too-many-targets", f"a spec has at most {MAX_TARGETS:,} targets", ("targets",), help="split it")
    faults.raise_if_any()


def _check_tables(document: Document, faults: Faults) -> None:
    if document.model is not None:
        meaning.check_model(document.model, faults)
    if document.task is not None:
        meaning.check_task(document.task, document.model, faults)
    meaning.check_metrics(document.metrics, faults)


@dataclass(frozen=True, kw_only=True)
class _Shared:
    """What every target is read with."""

    document: Document
    folder: Path
    root: Path
    kinds: dict[str, Any]
    limits: tuple[budgets.Limit, ...]
    policies: tuple[policy.Policy, ...]
    floor: policy.Expanded
    rules: dict[rules.Reach, Rules]
    churn_noise: Decimal
    usual_tolerance: float
    least_sustained_s: int
    faults: Faults

    @cached_property
    def common(self) -> tuple[Budget, ...]:
        """The budgets of every target that has none of its own."""
        return self.with_own(())

    def with_own(self, own: tuple[budgets.Limit, ...]) -> tuple[Budget, ...]:
        """The budgets of a target with limits of its own."""
        return policy.bound_by(_expand(self.document, self.limits, own), self.floor, self.faults)


@dataclass(frozen=True, kw_only=True)
class _Found:
    """A target, and what it asks of the planner."""

    target: Target
    asked: targets.Asked


def _share(document: Document, folder: Path, root: Path, faults: Faults) -> _Shared:
    kinds = budgets.kinds_with(document.metrics)
    policies = policy.read_policies(document.policy.extends, folder, root, kinds, faults)
    demanded = [
        (
            each.path,
            _expand(document, tuple(limit for limit in each.limits if _sound(limit, document, each.path, faults)), ()),
        )
        for each in policies
    ]
    evidence = tuple(each.evidence for each in policies)
    return _Shared(
        document=document,
        folder=folder,
        root=root,
        kinds=kinds,
        limits=_read_limits(document.budgets, ("budgets",), kinds, document, faults),
        policies=policies,
        floor=policy.floor(tuple(demanded), faults),
        churn_noise=rules.churn_noise(document.evidence, evidence, faults),
        usual_tolerance=rules.usual_tolerance(document.task, evidence, faults),
        least_sustained_s=rules.least_sustained_s(evidence),
        rules=rules.resolve(document.evidence, evidence, faults),
        faults=faults,
    )


def _read_limits(
    table: dict[str, Any], path: tuple[str, ...], kinds: dict[str, Any], document: Document, faults: Faults
) -> tuple[budgets.Limit, ...]:
    found = budgets.read_limits(table, path, kinds, faults)
    return tuple(limit for limit in found if _sound(limit, document, limit.path, faults))


def _sound(limit: budgets.Limit, document: Document, at: Any, faults: Faults) -> bool:
    return meaning.check_limit(limit, document.task, document.data, at, faults)


def _expand(document: Document, common: tuple[budgets.Limit, ...], own: tuple[budgets.Limit, ...]) -> policy.Expanded:
    task = document.task
    if task is None:
        return budgets.expand(budgets.merge(common, own), (), None, None)
    return budgets.expand(budgets.merge(common, own), task.labels, task.task, task.positive)


def _read_targets(shared: _Shared, faults: Faults) -> list[_Found]:
    """The targets that can be read."""
    found: list[_Found] = []
    total = 0
    folded: dict[str, str] = {}
    for name, raw in shared.document.targets.items():
        other = folded.setdefault(name.casefold(), name)
        if other != name:
            message = f"'{other}' and '{name}' differ by case only, and name the same folder on some systems"
            faults.add("repeated-name", message, ("targets", name), help="rename one")
        each = _read_target(name, raw, shared, faults)
        if each is not None:
            found.append(each)
            total += len(each.target.budgets)
        if total > MAX_BUDGETS:
            message = f"the targets have more than {MAX_BUDGETS:,} budgets together"
            faults.add("too-many-budgets", message, ("targets",), help="split the spec")
            faults.raise_if_any()
    return found


def _read_target(name: str, raw: dict[str, Any], shared: _Shared, faults: Faults) -> _Found | None:
    path = ("targets", name)
    targets.check_name(name, path, faults)
    common, options = targets.split_table(raw)
    table = shape.read(TargetTable, common, path, faults)
    if table is None:
        return None
    resolved = _budgets(name, table, shared, faults)
    passes = targets.read_passes(table.passes, path, faults)
    for place, hook in targets.hook_places(passes, path):
        meaning.check_code(hook, shared.folder, shared.root, place, faults)
    limit_s = targets.time_limit_s(table.time_limit, path, faults)
    run = any(budget.metric == "sustained_slowdown" for budget in resolved)
    run_s = targets.sustained_s(table.sustained, shared.least_sustained_s, path, faults)
    if run:
        targets.check_sustained(table.sustained, run_s, limit_s, path, faults)
    plugin = targets.read_plugin(Family.TARGETS, table.format, options, path, "format", faults)
    if plugin is None:
        return None
    asked = targets.Asked(plugin=plugin, format=table.format, path=path, passes=passes)
    targets.check_passes(asked, shared.document.data, faults)
    target = Target(
        name=name,
        format=table.format,
        budgets=resolved,
        rules=shared.rules[rules.Reach(table.device is not None, asked.evaluated)],
        passes=tuple(use for use, _ in passes.values()),
        options=targets.given(plugin, options),
        device=table.device,
        time_limit_s=limit_s,
        sustained_s=run_s,
    )
    return _Found(target=target, asked=asked)


def _budgets(name: str, table: TargetTable, shared: _Shared, faults: Faults) -> tuple[Budget, ...]:
    """Every budget of one target: common, its own, and what the policies demand."""
    path = ("targets", name)
    own = _read_limits(table.budgets, (*path, "budgets"), shared.kinds, shared.document, faults)
    for limit in (*shared.limits, *own):
        if limit.kind.needs_delegates and not targets.has_delegates(table.format):
            message = f"'{limit.kind.name}' is counted for {targets.with_delegates()}, not for {table.format}"
            faults.add("wrong-format", message, limit.path, help="put it under the budgets of those targets")
    resolved = shared.with_own(own) if own else shared.common
    if not resolved and not faults.touch("budgets") and not faults.touch(*path, "budgets"):
        faults.add("no-budget", f"target '{name}' has no budget at all", path, help='e.g. budgets.size = "< 20 MB"')
    return resolved


def _check_routes(document: Document, found: list[_Found], faults: Faults) -> None:
    if not document.targets:
        faults.add("no-target", "the spec has no target", help='add [targets.NAME] with format = "…"')
    if document.model is None:
        if not faults.touch("model"):
            faults.add("missing-key", "'model' is missing", help="add a [model] table")
        return
    # Targets mostly ask for the same few things: one that is out of reach is told once.
    different = {(each.target.format, each.asked.wanted): each.asked for each in found}
    for asked in different.values():
        if not faults.touch("model", "source") and not faults.touch(*asked.path, "passes"):
            targets.check_route(document.model.kind, asked, faults)


def _check_waivers(document: Document, shared: _Shared, found: list[_Found], faults: Faults) -> None:
    known = {each.target.name: frozenset(budget.name for budget in each.target.budgets) for each in found}
    meaning.check_waivers(document, known, faults)
    strict = [each.use.name for each in shared.policies if not each.waivers]
    if strict and document.waivers:
        faults.add("loosens-policy", f"the policy '{strict[0]}' allows no waivers", ("waivers", 0), help="remove them")


def _waivers(document: Document) -> tuple[Waiver, ...]:
    if not document.waivers:
        return ()
    from deployspec.ir.verdict import Waiver  # the nouns of judging: most specs need none of them

    return tuple(Waiver(**vars(each)) for each in document.waivers)


def _valid_s(document: Document, faults: Faults) -> int | None:
    text = document.report.valid
    if text is None:
        return None
    try:
        return parse_duration_s(text)
    except QuantityError as error:
        faults.at_value("bad-duration", str(error), ("report", "valid"), 'e.g. "90 d"')
        return None


def check_pin(spec: Spec) -> None:
    """Hold the model's file against `[model] sha256`. Raises DigestMismatch (exit 5)."""
    if spec.model.sha256 is None:
        return
    name = spec.model.weights or paths.file_part(spec.model.source)
    found = sha256_path(spec.folder / name)
    if found != spec.model.sha256:
        raise DigestMismatch(
            f"'{name}' has the sha256 {found}, and the spec pins {spec.model.sha256}: "
            "restore the file, or pin the new one after review"
        )
