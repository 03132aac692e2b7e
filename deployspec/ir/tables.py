"""What two confusion matrices over the same samples tell of joint outcomes; nothing where one of them is empty."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from deployspec.ir.evidence import PairedOutcomes

Told = tuple[int, int, int, int]
"""Samples in the artifact's matrix and in the reference's; those that the artifact gets right, and the reference."""


def inside(confusion: Sequence[Sequence[int]], reference: Sequence[Sequence[int]]) -> Iterator[Told]:
    """Of each class: its samples in either matrix, those that the artifact finds, and those that the reference does."""
    for label, (row, reference_row) in enumerate(zip(confusion, reference, strict=False)):
        yield sum(row), sum(reference_row), row[label], reference_row[label]


def outside(confusion: Sequence[Sequence[int]], reference: Sequence[Sequence[int]]) -> Iterator[Told]:
    """Of all but each class: the samples in either matrix, those that the artifact does not call so, the reference."""
    for artifact, other in zip(_rejections(confusion), _rejections(reference), strict=False):
        yield artifact[0], other[0], artifact[1], other[1]


def _rejections(matrix: Sequence[Sequence[int]]) -> Iterator[tuple[int, int]]:
    """Of all but each class: the samples, and those that are not called so."""
    of_class, called_so = [sum(row) for row in matrix], [sum(column) for column in zip(*matrix, strict=True)]
    n = sum(of_class)
    for label, (size, calls) in enumerate(zip(of_class, called_so, strict=True)):
        alarms = calls - matrix[label][label]
        yield n - size, n - size - alarms


def accounts_for(pair: PairedOutcomes, told: Told) -> bool:
    """Whether joint outcomes add up to what the matrices tell of the same samples."""
    return min(pair.both, pair.broken, pair.repaired, pair.neither) >= 0 and told == (
        pair.n,
        pair.n,
        pair.both + pair.repaired,
        pair.reference_right,
    )
