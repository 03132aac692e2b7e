"""What a reader should know beside the verdicts: each remark is one line, and decides nothing."""

from __future__ import annotations

from collections import Counter
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from deployspec import registry
from deployspec.ir.artifact import Done
from deployspec.ir.budget import BUDGETS, EvidenceKind
from deployspec.ir.data import UNJUDGED_SPLITS
from deployspec.ir.evidence import Count, Processes
from deployspec.report.chosen import chosen

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from deployspec.ir.artifact import StepResult
    from deployspec.ir.budget import BudgetKind
    from deployspec.ir.evidence import Measurement
    from deployspec.ir.plan import Plan
    from deployspec.ir.spec import Spec

_TIMED: Final = {
    row.measured_from: row.name for row in BUDGETS.values() if row.kind in (EvidenceKind.LATENCY, EvidenceKind.ENERGY)
}
"""The budget on each figure that contention can change."""


def remarks(
    spec: Spec, plan: Plan, results: Mapping[str, StepResult], measurements: Sequence[Measurement]
) -> tuple[str, ...]:
    """Steps that failed, what others tell of their work, what the spec chose, values outside the declared range,
    near-duplicates that nobody looked for, timings used again or disturbed, deprecated formats, passes that mostly cost
    what nobody wants to lose or may go further than is usual.
    """
    return (
        *_failures(plan, results),
        *_told(plan, results),
        *chosen(spec),
        *_ranges(spec, results),
        *_unsearched(spec, plan),
        *_uses(measurements),
        *_timings(spec, measurements),
        *_formats(spec),
        *_passes(spec),
        *_loosened(plan),
    )


def _failures(plan: Plan, results: Mapping[str, StepResult]) -> Iterator[str]:
    for step in plan.steps:
        result = results[step.id]
        if not isinstance(result, Done) and result.blocked_by is None:
            yield f"step '{result.step}' failed: {result.reason}"


def _told(plan: Plan, results: Mapping[str, StepResult]) -> Iterator[str]:
    """What a step says of its work, in its fact "remarks"."""
    for step in plan.steps:
        result = results[step.id]
        if isinstance(result, Done):
            yield from (f"{step.id}: {remark}" for remark in result.facts.get("remarks", ()))


def _ranges(spec: Spec, results: Mapping[str, StepResult]) -> Iterator[str]:
    for split in spec.data.splits():
        data = results.get(f"data.{split}") or results.get(f"digests.{split}")
        if isinstance(data, Done) and data.facts["out_of_range"]:
            count, n = data.facts["out_of_range"], data.facts["samples"]
            yield f"data.{split}: {count} of {n} samples have values outside the declared range"


def _unsearched(spec: Spec, plan: Plan) -> Iterator[str]:
    """Splits that quality is judged on, while nobody looked for samples much like theirs in what made the model."""
    splits, searched = spec.data.splits(), dict(plan.near_duplicates)
    others = ", ".join(split for split in UNJUDGED_SPLITS if split in splits)
    asked = {budget.split for target in spec.targets for budget in target.budgets if _is_of_samples(budget.row)}
    for split in splits:
        if others and split in asked and split not in searched:
            yield f"{split}: near-duplicates among {others} were not looked for; a budget on near_duplicates does"


def _is_of_samples(kind: BudgetKind) -> bool:
    return kind.kind is EvidenceKind.QUALITY and kind.needs_split


def _uses(measurements: Sequence[Measurement]) -> Iterator[str]:
    """Splits that have judged other candidates than those of this check."""
    told = [(each.split, each.statistic) for each in measurements if each.name == "split_uses"]
    for (split, uses), now in Counter(told).items():
        if isinstance(uses, Count) and uses.value > now:
            yield (
                f"{split}: this split has judged {uses.value:f} candidates so far, {now} of them now; "
                "the best of many looks better than it is"
            )


def _timings(spec: Spec, measurements: Sequence[Measurement]) -> Iterator[str]:
    for each in measurements:
        if each.name == "latency.p50" and each.note:  # one figure stands for all that the same processes gave
            yield f"{each.target}: latency {each.note}"
    yield from _disturbed(spec, measurements)


def _disturbed(spec: Spec, measurements: Sequence[Measurement]) -> Iterator[str]:
    """Of each target the figure that contention marks most: what disturbs a tail may leave the median alone.

    It is one that the spec limits; of a target without such any figure may be told.
    """
    limited = {
        target.name: {each.row.measured_from for each in target.budgets} & set(_TIMED) for target in spec.targets
    }
    worst: dict[str, tuple[float, str]] = {}
    for each in measurements:
        matters = each.name in (limited.get(each.target) or _TIMED)
        if matters and isinstance(each.statistic, Processes) and any(each.statistic.contended):
            marked, n = sum(each.statistic.contended), len(each.statistic.contended)
            told = (marked / n, f"the machine disturbed {marked} of {n} processes timed for {_TIMED[each.name]}")
            worst[each.target] = max(worst.get(each.target, told), told, key=itemgetter(0))
    yield from (f"{target}: {told}" for target, (_, told) in worst.items())


def _formats(spec: Spec) -> Iterator[str]:
    for name in dict.fromkeys(target.format for target in spec.targets):
        remark = registry.load(registry.Family.TARGETS, name).remark
        if remark:
            yield f"{name}: {remark}"


def _passes(spec: Spec) -> Iterator[str]:
    for target in spec.targets:
        for use in target.passes:
            remark = registry.load(registry.Family.PASSES, use.name)(**dict(use.options)).remark
            if remark:
                yield f"{target.name}: {remark}"


def _loosened(plan: Plan) -> Iterator[str]:
    for route in plan.routes:
        yield from (f"target {route.target}: {each}" for each in route.loosened)
