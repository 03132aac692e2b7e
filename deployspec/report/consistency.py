"""What a report may not contradict within itself, before any of its figures is worth judging again.

A report is read from a file that others wrote. Its statistics reach arithmetic that takes them at their word, so
impossible tables stop here.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from itertools import chain
from typing import TYPE_CHECKING, Final, TypeVar

from deployspec.ir.budget import BUDGETS, CHANGES, Budget, EvidenceKind
from deployspec.ir.evidence import (
    ERRORS,
    LEAST_CALLS,
    Churn,
    Classified,
    Count,
    Drift,
    EvidenceClass,
    Multilabel,
    NotMeasured,
    Processes,
    Scores,
    Share,
    Stability,
    Statistic,
)
from deployspec.ir.report import is_plain_name
from deployspec.report.possible import is_possible, is_possible_contract, is_sane
from deployspec.report.provenance import pretences
from deployspec.units import Dimension, QuantityError, parse_bound

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator

    from deployspec.ir.evidence import Measurement, Rules
    from deployspec.ir.report import Report, TargetReport
    from deployspec.ir.verdict import Verdict

_SHA256: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)

_ENDS: Final = frozenset({"built", "cached", "failed"})
_OF_TIMED: Final = frozenset({EvidenceClass.DEVICE, EvidenceClass.HOST})
_DEMANDABLE: Final = {
    EvidenceKind.STATIC: frozenset({EvidenceClass.STATIC}),
    EvidenceKind.QUALITY: _OF_TIMED | {EvidenceClass.EMULATOR, EvidenceClass.REFERENCE},
    EvidenceKind.LATENCY: _OF_TIMED,
    EvidenceKind.MEMORY: _OF_TIMED,
    EvidenceKind.ENERGY: _OF_TIMED,
}
"""The least classes that a spec can name: with another one, its rules are not what the report says."""

_WITHOUT_SPLIT: Final = frozenset(row.measured_from for row in BUDGETS.values() if not row.needs_split)

_OF_ONE_KIND: Final = {"stable": Stability, "churn": Churn, "drift_psi": Drift}
"""Figures that one kind of statistic tells, which tells nothing else."""

_ROUNDED: Final = Decimal("0.99998")
_NOTHING: Final = Decimal("1e-29")
"""What rounding to six digits may leave of a square, and what it may take from one that is next to nothing."""

T = TypeVar("T", bound="Hashable")


def contradictions(report: Report) -> tuple[str, ...]:
    """Everything in the report that cannot be, in its order; empty for a sound one."""
    return tuple(
        chain(
            _targets(report),
            chain.from_iterable(map(_target, report.targets)),
            _steps(report),
            _contracts(report),
            _digests(report),
            _measurements(report),
            pretences(report),
            _class_sizes(report),
            _agreements(report),
            _errors(report),
            chain.from_iterable(map(_verdict, report.verdicts)),
        )
    )


def _targets(report: Report) -> Iterator[str]:
    if not report.targets:
        yield "it has no target, and so it proves nothing"
    for name in _repeated([*(target.name for target in report.targets), *set(report.left_out)]):
        yield f"target {name!r} is there twice"
    for target in report.targets:
        released = report.result.exit_code == 0
        if released and target.artifact is None:
            yield f"target {target.name!r} is released without an artifact"
        if target.folder and target.artifact is None:
            yield f"target {target.name!r} is a folder that is not there"


def _target(target: TargetReport) -> Iterator[str]:
    if not is_plain_name(target.name):
        yield f"{target.name!r} is not the plain name of a target"
    if target.artifact and not is_plain_name(target.artifact.name):
        yield f"{target.artifact.name!r} is not the plain name of an artifact"
    if bool(target.artifact) is bool(target.failure):
        yield f"target {target.name!r} must have either an artifact or a failure"
    if not target.budgets:
        yield f"target {target.name!r} has no budget, and so it proves nothing"
    for name in _repeated(budget.name for budget in target.budgets):
        yield f"target {target.name!r} has budget {name!r} twice"
    yield from (f"target {target.name!r}: {problem}" for problem in _rules(target.rules))
    for budget in target.budgets:
        if not _means_what_it_says(budget):
            yield f"budget {budget.name!r} of target {target.name!r} is not what its text {budget.limit.text!r} says"


def _steps(report: Report) -> Iterator[str]:
    """A target is built when every step of its route is."""
    results = {step.id: step.result for step in report.steps}
    for name in _repeated(step.id for step in report.steps):
        yield f"step {name!r} is there twice"
    for step in report.steps:
        if step.result not in _ENDS:
            yield f"step {step.id!r} ended as no step does"
    for target in report.targets:
        ended = {results.get(step, "missing") for step in target.steps}
        if not ended <= _ENDS:
            yield f"the steps of target {target.name!r} are not all told of"
        if target.steps and ("failed" in ended) is not bool(target.failure):
            yield f"the steps of target {target.name!r} do not say whether it was built"


def _contracts(report: Report) -> Iterator[str]:
    """What ran keeps what it was held to, and says how far from it it was; what failed found nothing."""
    for step in report.steps:
        held = step.contract
        if held is None:
            continue
        if bool(held.found) is (step.result == "failed"):
            yield f"step {step.id!r} does not say what came of its contract"
        if not is_possible_contract(held):
            yield f"the differences of step {step.id!r} are impossible"
        if held.difference is not None and held.difference > held.tolerance:
            yield f"step {step.id!r} is {step.result} and differs by {held.difference:f}: {held.tolerance:f} is allowed"


def _digests(report: Report) -> Iterator[str]:
    artifacts = (target.artifact for target in report.targets if target.artifact)
    files = (each.file for each in report.imports)
    for each in chain((report.spec,), report.sources, report.data, report.policies, artifacts, files):
        if not _SHA256.fullmatch(each.sha256):
            yield f"{each.sha256!r}, of {each.name!r}, is no SHA-256 digest"


def _rules(rules: Rules) -> Iterator[str]:
    if rules.confidence is not None and not Decimal("0.5") <= rules.confidence < 1:
        yield f"a confidence of {rules.confidence} is not in [0.5, 1)"
    if rules.min_support < 1 or rules.seed < 0:
        yield "min_support must be at least 1, and seed at least 0"
    for kind, least in rules.least.items():
        if kind not in _DEMANDABLE:
            yield f"no kind of evidence is called {kind!r}"
        elif least not in _DEMANDABLE[EvidenceKind(kind)]:
            yield f"no spec takes {least.value!r} for evidence of {kind}"


def _means_what_it_says(budget: Budget) -> bool:
    """Whether the limits are those that their texts spell, in the dimension of the table of budgets."""
    row = BUDGETS.get(budget.metric)
    if row and (budget.dimension, budget.ceiling) != (row.dimension, row.ceiling):
        return False
    if row is None and not _is_of_own_metric(budget):
        return False
    bounds = [budget.limit] + ([budget.good] if budget.good else [])
    if any(bound.comparator.bounds_above is not budget.ceiling for bound in bounds):
        return False
    try:
        return all(parse_bound(bound.text, budget.dimension) == bound for bound in bounds)
    except QuantityError:
        return False


def _is_of_own_metric(budget: Budget) -> bool:
    """Whether a budget that is in no table can be one on the figure of a spec's own metric, or on its change."""
    changes = budget.metric.endswith(tuple(f"_{change}" for change in CHANGES)) and budget.ceiling
    return budget.dimension is Dimension.NUMBER or (budget.dimension is Dimension.RISE and changes)


def _measurements(report: Report) -> Iterator[str]:
    known = {target.name for target in report.targets}
    for each in report.measurements:
        if each.target not in known:
            yield f"{each.name!r} was measured on {each.target!r}, which is no target"
        if not (is_possible(each.statistic) and _suits(each)):
            yield f"the statistics of {each.name!r} of target {each.target!r} are impossible"
    keys = [_key(each) for each in report.measurements]
    for target, split, evidence, *_, name in _repeated(keys):
        place = f" on {split!r}" if split else ""
        yield f"{name!r} of target {target!r} was measured twice{place} with evidence of class {evidence.value!r}"
    plain = {key for key in keys if not key[4]}
    for each in report.measurements:
        if each.variant and _key(replace(each, variant="")) not in plain:
            yield f"{each.name!r} of target {each.target!r} is counted {each.variant!r}, and not plainly as well"


def _key(of: Measurement) -> tuple[str, str, EvidenceClass, str, str, str]:
    """What tells one figure of a report from every other."""
    return of.target, of.split, of.evidence, of.runtime, of.variant, of.name


def _suits(measured: Measurement) -> bool:
    """Whether the figure can be of what it is called: on a split or on none, from enough calls, not below nothing."""
    if measured.split and measured.name in _WITHOUT_SPLIT:
        return False
    match measured.statistic:
        case NotMeasured():
            return True
        case statistic if measured.name in _OF_ONE_KIND or type(statistic) in _OF_ONE_KIND.values():
            return type(statistic) is _OF_ONE_KIND.get(measured.name)
        case Scores(aggregate=aggregate):
            return measured.name not in ERRORS or aggregate is ERRORS[measured.name].aggregate
        case Processes() as processes:
            return _could_take(processes, measured.name)
        case Count(value=value):
            return value >= 0
        case _:
            return True


def _could_take(processes: Processes, name: str) -> bool:
    """Whether processes can have had such figures: no time is below nothing, and no ratio of two."""
    enough = processes.calls >= LEAST_CALLS.get(name, 0)
    match name:
        case "latency_reduction":
            return enough and max(processes.values, default=0) <= 1
        case "sustained_slowdown":
            return min(processes.values, default=0) >= -1
        case _:
            return enough and min(processes.values, default=0) >= 0


def _class_sizes(report: Report) -> Iterator[str]:
    """Tables of one split count the same samples, whoever measured: as many of each class."""
    first: dict[tuple[str, str, str], dict[str, int]] = {}
    for each in report.measurements:
        table = each.statistic
        if isinstance(table, Classified | Multilabel) and is_possible(table):
            sizes = {label: table.support(label) for label in table.labels} | {"": table.n}
            if first.setdefault((each.target, each.split, each.variant), sizes) != sizes:
                yield f"the tables of target {each.target!r} on {each.split!r} are not of the same samples"


def _agreements(report: Report) -> Iterator[str]:
    """What two tables tell of the same decisions: both right agree, and one right and one wrong never do."""
    places = {_key(each): each.statistic for each in report.measurements}
    for (target, split, evidence, runtime, variant, name), share in places.items():
        if name != "agreement" or not isinstance(share, Share):
            continue
        table, churn = (
            places.get((target, split, evidence, runtime, variant, other)) for other in ("quality", "churn")
        )
        where = f"of target {target!r} on {split!r}"
        if not _may_agree(share, table):
            yield f"the agreement {where} is not that of its confusion matrices"
        if isinstance(churn, Churn) and churn.outcomes.n != share.n:
            yield f"the churn {where} is not of the samples that its agreement counts"


def _may_agree(share: Share, table: Statistic | None) -> bool:
    """Whether decisions can agree as often as that, by what the table of the same decisions says."""
    match table:
        case Classified(paired=(_, *_) as paired):
            both, neither = (sum(getattr(pair, cell) for pair in paired) for cell in ("both", "neither"))
            return share.n == table.n and both <= share.hits <= both + neither
        case Multilabel(inside=inside, outside=outside) if is_possible(table):
            changed = [
                of.broken + of.repaired + others.broken + others.repaired
                for of, others in zip(inside, outside, strict=True)
            ]
            return share.n == table.n and max(changed) <= share.n - share.hits <= sum(changed)
        case _:
            return True


def _errors(report: Report) -> Iterator[str]:
    """Of the same errors the mean square is never below the square of the mean (Jensen), sample by sample."""
    places = {_key(each): each.statistic for each in report.measurements}
    for (target, split, *run, name), absolute in places.items():
        square = places.get((target, split, *run, "squared_error"))  # type: ignore[arg-type]
        if name != "absolute_error" or not isinstance(absolute, Scores) or not isinstance(square, Scores):
            continue
        pairs = zip(
            chain(absolute.artifact, absolute.reference), chain(square.artifact, square.reference), strict=False
        )
        if len(absolute.artifact) != len(square.artifact) or any(
            low * low * _ROUNDED > high + _NOTHING for low, high in pairs
        ):
            yield f"the squared errors of target {target!r} on {split!r} are not those of its absolute ones"


def _verdict(verdict: Verdict) -> Iterator[str]:
    figures = (verdict.estimate, verdict.lower, verdict.upper)
    if verdict.unit not in set(Dimension) or not all(figure is None or is_sane(figure) for figure in figures):
        yield f"the figures of {verdict.budget!r} of target {verdict.target!r} are impossible"


def _repeated(values: Iterable[T]) -> list[T]:
    return [value for value, count in Counter(values).items() if count > 1]
