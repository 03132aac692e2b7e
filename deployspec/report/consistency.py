"""What a report may not contradict within itself, before any of its figures is worth judging again.

A report is read from a file that others wrote. Its statistics reach arithmetic that takes them at their word, so
impossible tables stop here.
"""

from __future__ import annotations

import re
from collections import Counter
from decimal import Decimal
from itertools import chain
from typing import TYPE_CHECKING, Final, TypeVar, assert_never

from deployspec.ir.budget import BUDGETS, Budget, EvidenceKind
from deployspec.ir.evidence import (
    CALLS_FOR_PERCENTILE,
    Classified,
    Count,
    EvidenceClass,
    NotMeasured,
    Operators,
    Processes,
    Reduction,
    Share,
    Statistic,
)
from deployspec.units import Dimension, QuantityError, parse_bound

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator

    from deployspec.ir.evidence import Measurement, PairedOutcomes, Rules
    from deployspec.ir.report import Report, TargetReport
    from deployspec.ir.verdict import Verdict

_HUGE: Final = Decimal(10) ** 18

_SHA256: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)

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

T = TypeVar("T", bound="Hashable")


def contradictions(report: Report) -> tuple[str, ...]:
    """Everything in the report that cannot be, in its order; empty for a sound one."""
    return tuple(
        chain(
            _targets(report),
            chain.from_iterable(map(_target, report.targets)),
            _steps(report),
            _digests(report),
            _measurements(report),
            _agreements(report),
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
    for target in report.targets:
        ended = {results.get(step, "missing") for step in target.steps}
        if not ended <= {"built", "cached", "failed"}:
            yield f"the steps of target {target.name!r} are not all told of"
        if not target.steps or ("failed" in ended) is not bool(target.failure):
            yield f"the steps of target {target.name!r} do not say whether it was built"


def _digests(report: Report) -> Iterator[str]:
    artifacts = (target.artifact for target in report.targets if target.artifact)
    for each in chain((report.spec,), report.sources, report.data, report.policies, artifacts):
        if not _SHA256.fullmatch(each.sha256):
            yield f"{each.sha256!r}, of {each.name!r}, is no SHA-256 digest"


def is_plain_name(name: str) -> bool:
    """Whether `name` is one component of a path, the same on every system, and safe to show."""
    return name not in ("", ".", "..") and name.isprintable() and not set(name) & set("/\\:")


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
    bounds = [budget.limit] + ([budget.good] if budget.good else [])
    if any(bound.comparator.bounds_above is not budget.ceiling for bound in bounds):
        return False
    try:
        return all(parse_bound(bound.text, budget.dimension) == bound for bound in bounds)
    except QuantityError:
        return False


def _measurements(report: Report) -> Iterator[str]:
    known = {target.name for target in report.targets}
    for each in report.measurements:
        if each.target not in known:
            yield f"{each.name!r} was measured on {each.target!r}, which is no target"
        if not (_is_possible(each.statistic) and _suits(each)):
            yield f"the statistics of {each.name!r} of target {each.target!r} are impossible"
    keys = ((each.target, each.name, each.split, each.evidence, each.runtime) for each in report.measurements)
    for target, name, split, evidence, _ in _repeated(keys):
        place = f" on {split!r}" if split else ""
        yield f"{name!r} of target {target!r} was measured twice{place} with evidence of class {evidence.value!r}"


def _suits(measured: Measurement) -> bool:
    """Whether the figure can be of what it is called: on a split or on none, from enough calls, not below nothing."""
    if measured.split and measured.name in _WITHOUT_SPLIT:
        return False
    match measured.statistic:
        case Processes(values=values) if measured.name == "latency_reduction":
            return max(values, default=0) <= 1
        case Processes(values=values, calls=calls):
            return calls >= CALLS_FOR_PERCENTILE.get(measured.name, 0) and min(values, default=0) >= 0
        case Count(value=value):
            return value >= 0
        case _:
            return True


def _agreements(report: Report) -> Iterator[str]:
    """What two tables tell of the same decisions: both right agree, and one right and one wrong never do."""
    places = {
        (each.target, each.split, each.evidence, each.runtime, each.name): each.statistic
        for each in report.measurements
    }
    for (target, split, evidence, runtime, name), share in places.items():
        table = places.get((target, split, evidence, runtime, "quality"))
        if name != "agreement" or not isinstance(share, Share) or not isinstance(table, Classified):
            continue
        both, neither = (sum(getattr(pair, cell) for pair in table.paired) for cell in ("both", "neither"))
        if share.n != table.n or not both <= share.hits <= both + neither:
            yield f"the agreement of target {target!r} on {split!r} is not that of its confusion matrices"


def _verdict(verdict: Verdict) -> Iterator[str]:
    figures = (verdict.estimate, verdict.lower, verdict.upper)
    if verdict.unit not in set(Dimension) or not all(figure is None or _is_sane(figure) for figure in figures):
        yield f"the figures of {verdict.budget!r} of target {verdict.target!r} are impossible"


def _is_sane(figure: Decimal) -> bool:
    """Whether arithmetic at the usual 28 digits keeps the figure's decimals."""
    return abs(figure) < _HUGE


def _is_possible(statistic: Statistic) -> bool:
    match statistic:
        case Share(hits=hits, n=n):
            return 0 <= hits <= n
        case Processes():
            marked = len(statistic.contended) in (0, len(statistic.values))
            return marked and statistic.calls >= 0 and all(map(_is_sane, statistic.values))
        case Classified():
            return _is_table(statistic)
        case Reduction(before=before, after=after):
            return 0 <= before < _HUGE and 0 <= after < _HUGE
        case Count(value=value):
            return _is_sane(value)
        case Operators(counts=counts):
            return all(count > 0 for _, count in counts) and not _repeated(name for name, _ in counts)
        case NotMeasured():
            return True
        case _:
            assert_never(statistic)


def _is_table(table: Classified) -> bool:
    """Whether both confusion matrices and the paired outcomes can come from the same samples."""
    size = len(table.labels)
    matrices = (table.confusion, table.reference_confusion)
    if size == 0 or len(set(table.labels)) != size or len(table.paired) != size:
        return False
    if any(len(matrix) != size or any(len(row) != size for row in matrix) for matrix in matrices):
        return False
    if len(table.rejected) not in (0, size):
        return False
    counts = chain(*table.confusion, *table.reference_confusion, (table.excluded, table.top5 or 0))
    return (
        all(count >= 0 for count in counts)
        and (table.top5 or 0) <= table.n
        and all(_accounts_for(table.paired[label], _inside(table, label)) for label in range(size))
        and all(_accounts_for(pair, _outside(table, label)) for label, pair in enumerate(table.rejected))
    )


def _inside(table: Classified, label: int) -> tuple[int, int, int, int]:
    """Of one class: its samples in either matrix, those that the artifact finds, and those that the reference does."""
    row, reference_row = table.confusion[label], table.reference_confusion[label]
    return sum(row), sum(reference_row), row[label], reference_row[label]


def _outside(table: Classified, label: int) -> tuple[int, int, int, int]:
    """Of all other classes: the samples in either matrix, those that the artifact does not call so, the reference's."""
    rows = [i for i in range(len(table.labels)) if i != label]
    sizes = [sum(sum(matrix[i]) for i in rows) for matrix in (table.confusion, table.reference_confusion)]
    alarms = [sum(matrix[i][label] for i in rows) for matrix in (table.confusion, table.reference_confusion)]
    return sizes[0], sizes[1], sizes[0] - alarms[0], sizes[1] - alarms[1]


def _accounts_for(pair: PairedOutcomes, told: tuple[int, int, int, int]) -> bool:
    """Whether joint outcomes add up to what the matrices tell of the same samples."""
    return min(pair.both, pair.broken, pair.repaired, pair.neither) >= 0 and told == (
        pair.n,
        pair.n,
        pair.both + pair.repaired,
        pair.reference_right,
    )


def _repeated(values: Iterable[T]) -> list[T]:
    return [value for value, count in Counter(values).items() if count > 1]
