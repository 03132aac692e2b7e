"""Which samples of a split a timed artifact is called with: few, from all over it, and never their labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from deployspec.measure.inputs import LEAST_SAMPLES, MOST_BYTES, MOST_SAMPLES, chosen, files_of, write_some

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("count", "sample_bytes", "called"),
    [(1, 4, 1), (6, 4, 6), (64, 4, 64), (10_000, 4, MOST_SAMPLES), (100, MOST_BYTES // 10, 10),
     (100, MOST_BYTES, LEAST_SAMPLES), (2, MOST_BYTES, 2)],
)  # fmt: skip
def test_few_samples_are_called_and_fewer_of_large_ones(count: int, sample_bytes: int, called: int) -> None:
    rows = chosen(count, sample_bytes)
    assert len(set(rows.tolist())) == len(rows) == called
    assert 0 <= rows.min() <= rows.max() < count


def test_the_first_few_are_from_all_over_the_split_already() -> None:
    rows = chosen(6400, 4)
    assert sorted(rows.tolist()) == list(range(0, 6400, 100))
    assert rows[:9].min() < 1600
    assert rows[:9].max() >= 4800


def test_the_rows_of_every_input_belong_together_and_labels_stay_where_they_are(tmp_path: Path) -> None:
    (prepared := tmp_path / "prepared").mkdir()
    for i in range(11):
        np.save(prepared / f"{i}.npy", np.arange(100, dtype=np.int32) + 1000 * i)
    np.save(prepared / "y.npy", np.arange(100))
    np.save(prepared / "digests.npy", np.arange(100))
    write_some(prepared, tmp_path / "some")
    files = files_of(tmp_path / "some")
    assert [path.name for path in files] == [f"{i}.npy" for i in range(11)]
    assert len(list((tmp_path / "some").iterdir())) == len(files)
    first, *others = map(np.load, files)
    assert first.dtype == np.int32
    assert all((each == first + 1000 * i).all() for i, each in enumerate(others, 1))
