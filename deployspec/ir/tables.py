"""What two confusion matrices over the same samples tell of joint outcomes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deployspec.ir.evidence import PairedOutcomes

Told = tuple[int, int, int, int]
"""Samples in the artifact's matrix and in the reference's; those that the artifact gets right, and the reference."""


def inside(confusion: Sequence[Sequence[int]], reference: Sequence[Sequence[int]], label: int) -> Told:
    """Of one class: its samples in either matrix, those that the artifact finds, and those that the reference does."""
    row, reference_row = confusion[label], reference[label]
    return sum(row), sum(reference_row), row[label], reference_row[label]


def outside(confusion: Sequence[Sequence[int]], reference: Sequence[Sequence[int]], label: int) -> Told:
    """Of all other classes: the samples in either matrix, those that the artifact does not call so, the reference's."""
    rows = [i for i in range(len(confusion)) if i != label]
    sizes = [sum(sum(matrix[i]) for i in rows) for matrix in (confusion, reference)]
    alarms = [sum(matrix[i][label] for i in rows) for matrix in (confusion, reference)]
    return sizes[0], sizes[1], sizes[0] - alarms[0], sizes[1] - alarms[1]


def accounts_for(pair: PairedOutcomes, told: Told) -> bool:
    """Whether joint outcomes add up to what the matrices tell of the same samples."""
    return min(pair.both, pair.broken, pair.repaired, pair.neither) >= 0 and told == (
        pair.n,
        pair.n,
        pair.both + pair.repaired,
        pair.reference_right,
    )
