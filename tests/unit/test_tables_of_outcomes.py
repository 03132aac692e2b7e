"""What two confusion matrices tell, class by class, is what counting their cells anew for each class tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from deployspec.ir.tables import inside, outside

if TYPE_CHECKING:
    from deployspec.ir.tables import Told

Matrix = list[list[int]]


def counted_inside(confusion: Matrix, reference: Matrix, label: int) -> Told:
    return sum(confusion[label]), sum(reference[label]), confusion[label][label], reference[label][label]


def counted_outside(confusion: Matrix, reference: Matrix, label: int) -> Told:
    rows = [i for i in range(len(confusion)) if i != label]
    sizes = [sum(sum(matrix[i]) for i in rows) for matrix in (confusion, reference)]
    alarms = [sum(matrix[i][label] for i in rows) for matrix in (confusion, reference)]
    return sizes[0], sizes[1], sizes[0] - alarms[0], sizes[1] - alarms[1]


@pytest.mark.parametrize("classes", [1, 2, 300])
def test_each_class_is_told_of_as_counting_it_alone_does(classes: int) -> None:
    generator = np.random.default_rng(classes)
    confusion, reference = generator.integers(0, 50, (2, classes, classes)).tolist()
    labels = range(classes)
    assert list(inside(confusion, reference)) == [counted_inside(confusion, reference, label) for label in labels]
    assert list(outside(confusion, reference)) == [counted_outside(confusion, reference, label) for label in labels]


def test_without_a_reference_nothing_is_told() -> None:
    assert list(inside([[1, 2], [3, 4]], [])) == []
    assert list(outside([[1, 2], [3, 4]], [])) == []
