"""What labels alone achieve: always answering with the commonest class, which every accuracy must be held against."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deployspec.ir.evidence import Classified, EvidenceClass
from deployspec.judge.decide import alpha_of
from deployspec.judge.figure import ratio
from deployspec.judge.proportions import Proportion
from deployspec.judge.words import told
from deployspec.units import Dimension

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from deployspec.ir.evidence import Measurement, Rules


def baseline_findings(measurements: Sequence[Measurement], rules: Mapping[str, Rules]) -> tuple[str, ...]:
    """The balance of each split's labels, and each target whose accuracy is not proven to exceed the majority's share.

    `rules` are those of each target. The labels of a split are taken as they are: only the accuracy is uncertain. What
    is only claimed decides nothing, and is no fact of a split.
    """
    counting = (each for each in measurements if each.evidence is not EvidenceClass.CLAIMED)
    tables = [(each, each.statistic) for each in counting if not each.variant]
    labelled = [(each, table) for each, table in tables if isinstance(table, Classified) and table.n]
    balances = dict.fromkeys(_balance(each.split, table) for each, table in labelled)
    beaten = (text for each, table in labelled for text in _beaten(each, table, rules[each.target]))
    return (*balances, *dict.fromkeys(beaten))


def _majority(table: Classified) -> tuple[int, str]:
    """The samples of the commonest class, and its label."""
    support = [sum(row) for row in table.confusion]
    most = max(range(len(support)), key=support.__getitem__)
    return support[most], table.labels[most]


def _balance(split: str, table: Classified) -> str:
    support = {label: sum(row) for label, row in zip(table.labels, table.confusion, strict=True)}
    most, label = _majority(table)
    least = min(support, key=support.__getitem__)
    return (
        f"{split}: {support[least]} ('{least}') to {most} ('{label}') samples of a class; "
        f"always answering '{label}' would be right {told(ratio(most, table.n), Dimension.SHARE)} of the time"
    )


def _beaten(measured: Measurement, table: Classified, rules: Rules) -> Iterator[str]:
    right, (most, label) = sum(row[i] for i, row in enumerate(table.confusion)), _majority(table)
    lower = Proportion(right, table.n).figure(alpha_of(rules)).lower
    if lower is not None and lower <= ratio(most, table.n):
        yield (
            f"{measured.target}: right {right} times of {table.n} on {measured.split}, which is not proven better than "
            f"always answering '{label}', right {most} times"
        )
