"""What no measurement could have given: statistics whose own numbers cannot be, before arithmetic takes their word."""

from __future__ import annotations

from decimal import Decimal
from itertools import chain
from typing import TYPE_CHECKING, Final, assert_never

from deployspec.ir.evidence import (
    MOST_SCORES,
    Aggregate,
    Churn,
    Classified,
    Count,
    Drift,
    FeatureDrift,
    Joint,
    Multilabel,
    NotMeasured,
    Operators,
    Processes,
    Reduction,
    Scores,
    Share,
    Stability,
    Statistic,
)
from deployspec.ir.tables import accounts_for, inside, outside

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from deployspec.ir.evidence import PairedOutcomes
    from deployspec.ir.report import Contract

_HUGE: Final = Decimal(10) ** 18

_MOST: Final = 10**12
"""Samples of one table: beyond it, nobody counted."""

_MOST_LABELS: Final = 2000
"""Classes of one table."""

_MOST_FILLED: Final = 500_000
"""Cells of the matrices of one table that are not empty: what is drawn from them takes half a minute."""

_ROUNDED: Final = Decimal("0.99999")
"""What rounding to six digits may leave of a figure."""

_SMALL: Final = Decimal("1e-12")
"""No size or time that is measured, in the units of a report, is smaller and not 0."""

_MOST_BY_CHANCE: Final = 30
"""Three times the mean of an undrifted stability index over ten bins, in units of 1/n + 1/m, and more than that."""

_MOST_PSI: Final = 100
"""Half a sample in one bin and all of 10^12 in another give a stability index of 2 ln(2 x 10^12), which is 57."""

_MOST_SPREAD: Final = 1000
"""The variance of n figures, none below 0, is less than n times the square of their mean; n are the deals."""


def is_sane(figure: Decimal) -> bool:
    """Whether arithmetic at the usual 28 digits keeps the figure's decimals."""
    return abs(figure) < _HUGE


def is_possible(statistic: Statistic) -> bool:
    """Whether any measurement could have given these numbers."""
    match statistic:
        case Share() | Count() | Reduction():
            return _is_census(statistic)
        case Processes():
            return _are_processes(statistic)
        case Classified() | Joint() | Multilabel() | Scores():
            return _is_quality(statistic)
        case Stability() | Churn():
            return _is_conduct(statistic)
        case Drift():
            return _is_drift(statistic)
        case Operators(counts=counts):
            return all(count > 0 for _, count in counts) and not _repeat(name for name, _ in counts)
        case NotMeasured():
            return True
        case _:
            assert_never(statistic)


def is_possible_contract(held: Contract) -> bool:
    """Whether any probe could have found these differences: none is below nothing, nor the largest below their mean."""
    return (
        is_sane(held.tolerance)
        and held.tolerance > 0
        and all(
            each.batch > 0
            and 0 <= each.rms * _ROUNDED <= each.difference < _HUGE
            and (each.agreement is None or 0 <= each.agreement <= 1)
            for each in held.found
        )
    )


def _is_census(figure: Share | Count | Reduction) -> bool:
    match figure:
        case Share(hits=hits, n=n):
            return 0 <= hits <= n <= _MOST
        case Count(value=value):
            return is_sane(value)
        case Reduction(before=before, after=after):
            return all(each == 0 or _SMALL <= each < _HUGE for each in (before, after))


def _is_conduct(seen: Stability | Churn) -> bool:
    """Whether counts are no less than nothing, and each promise is told of once, with what broke it if it is broken."""
    match seen:
        case Stability(checks=checks, inputs=inputs, batches=batches):
            sound = all(0 <= each.broken <= each.calls and bool(each.broken) is bool(each.first) for each in checks)
            told = checks and inputs and min(batches, default=0) > 0
            return bool(sound and told) and not _repeat(each.promise for each in checks)
        case Churn(outcomes=pair, noise=noise):
            return _are_counted(pair) and 0 < noise <= 1


def _is_drift(drift: Drift) -> bool:
    """Whether the features differ, and deals of so many samples could differ by as much as is said."""
    if not 1 <= min(drift.test, drift.field) <= max(drift.test, drift.field) <= _MOST:
        return False
    by_chance = _MOST_BY_CHANCE * (1 / Decimal(drift.test) + 1 / Decimal(drift.field))
    names = [each.name for each in drift.features]
    return len(set(names)) == len(names) and all(_could_drift(each, by_chance) for each in drift.features)


def _could_drift(feature: FeatureDrift, by_chance: Decimal) -> bool:
    spread = _MOST_SPREAD * feature.null_mean * feature.null_mean
    chance = 0 <= feature.null_mean <= by_chance and 0 <= feature.null_variance <= spread
    return chance and 0 <= feature.psi < _MOST_PSI and 0 <= feature.ks <= 1 and 0 < feature.ks_p <= 1


def _are_processes(each: Processes) -> bool:
    """Whether each process has its marks, and none could have been quicker than nothing or slower than it was."""
    n = len(each.values)
    return (
        each.calls >= 0
        and all(map(is_sane, each.values))
        and len(each.contended) in (0, n)
        and len(each.least) in (0, n)
        and all(0 <= least <= value for least, value in zip(each.least, each.values, strict=False))
    )


def _is_table(table: Classified) -> bool:
    """Whether both confusion matrices and the paired outcomes can come from the same samples."""
    size = len(table.labels)
    if size > _MOST_LABELS:
        return False
    matrices = (table.confusion, *([table.reference_confusion] if table.reference_confusion else []))
    if size == 0 or len(set(table.labels)) != size or len(table.paired) not in (0, size):
        return False
    if (table.rejected and not table.paired) or (table.paired and not table.reference_confusion):
        return False
    if any(len(matrix) != size or any(len(row) != size for row in matrix) for matrix in matrices):
        return False
    if len(table.rejected) not in (0, size):
        return False
    two = (table.confusion, table.reference_confusion)
    counts = [*chain(*table.confusion, *table.reference_confusion), table.excluded, table.top5 or 0]
    return (
        all(count >= 0 for count in counts)
        and sum(counts) <= 4 * _MOST
        and sum(map(bool, counts)) <= _MOST_FILLED
        and (table.top5 is None or sum(row[i] for i, row in enumerate(table.confusion)) <= table.top5 <= table.n)
        and all(_same_samples(table, label) for label in range(size) if table.reference_confusion)
        and all(map(accounts_for, table.paired, inside(*two)))
        and all(map(accounts_for, table.rejected, outside(*two)))
    )


def _same_samples(table: Classified, label: int) -> bool:
    return sum(table.confusion[label]) == sum(table.reference_confusion[label])


def _is_quality(each: Classified | Joint | Multilabel | Scores) -> bool:
    match each:
        case Classified():
            return _is_table(each)
        case Joint(outcomes=pair):
            return _are_counted(pair)
        case Multilabel():
            return _are_labels(each)
        case Scores():
            return _are_scores(each)


def _are_labels(table: Multilabel) -> bool:
    """Whether each label was decided for the same samples."""
    size, pairs = len(table.labels), (*table.inside, *table.outside)
    if size == 0 or len(set(table.labels)) != size or {len(table.inside), len(table.outside)} != {size}:
        return False
    decided = {inside.n + outside.n for inside, outside in zip(table.inside, table.outside, strict=True)}
    return 0 <= table.excluded <= _MOST and all(map(_are_counted, pairs)) and len(decided) == 1


def _are_scores(each: Scores) -> bool:
    """Whether there is a score of either model for each sample, or for as few as their number makes necessary."""
    n, both = len(each.artifact), (*each.artifact, *each.reference)
    whole = each.block == 1 or (each.block > 1 and 2 * n >= MOST_SCORES and each.aggregate.quantile is None)
    squares = each.aggregate is not Aggregate.ROOT_MEAN or min(both, default=0) >= 0
    return (
        n == len(each.reference) <= MOST_SCORES and whole and squares and each.excluded >= 0 and all(map(is_sane, both))
    )


def _are_counted(pair: PairedOutcomes) -> bool:
    return min(pair.both, pair.broken, pair.repaired, pair.neither) >= 0 and pair.n <= _MOST


def _repeat(values: Iterable[Hashable]) -> bool:
    seen = list(values)
    return len(set(seen)) < len(seen)
