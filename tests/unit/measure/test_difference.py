"""The largest difference of a split's outputs, in units of the reference's spread."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from deployspec.ir.artifact import Done
from deployspec.ir.evidence import Count, EvidenceClass, NotMeasured, Statistic
from deployspec.measure.difference import measure_difference

if TYPE_CHECKING:
    from pathlib import Path


def difference(folder: Path, before: list[Any], after: list[Any]) -> Statistic:
    """Of two outputs' lists of values."""
    runs = []
    for name, outputs in (("before", before), ("after", after)):
        (folder / name / "outputs").mkdir(parents=True)
        for i, output in enumerate(outputs):
            np.save(folder / name / "outputs" / f"{i}.npy", np.asarray(output, np.float32))
        facts = {"runtime": "r 1"}
        runs.append(Done(step=name, folder=folder / name, sha256=name, cached=False, seconds=0, facts=facts))
    found = measure_difference("t", "test", *runs, EvidenceClass.HOST)
    assert (found.name, found.split, found.runtime, found.samples_sha256) == ("difference", "test", "r 1", "after")
    return found.statistic


def test_it_is_the_largest_of_all_samples_and_outputs(tmp_path: Path) -> None:
    before = [[[0.0, 1.0], [2.0, 4.0]], [[0.0], [100.0]]]
    after = [[[0.5, 1.0], [2.0, 4.0]], [[0.0], [70.0]]]
    assert difference(tmp_path, before, after) == Count(value=Decimal("0.3"))


def test_it_is_what_numpy_says_over_many_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deployspec.measure.decisions.ROWS", 7)
    generator = np.random.default_rng(0)
    before = generator.standard_normal((100, 3)).astype(np.float32)
    after = before + generator.standard_normal((100, 3)).astype(np.float32) / 10
    found = difference(tmp_path, [before], [after])
    assert isinstance(found, Count)
    assert float(found.value) == pytest.approx(np.abs(after - before).max() / np.ptp(before), rel=1e-5)


def test_outputs_that_never_vary_have_no_spread(tmp_path: Path) -> None:
    found = difference(tmp_path, [[[1.0], [1.0]]], [[[1.0], [2.0]]])
    assert isinstance(found, NotMeasured)
    assert "never varies" in found.reason


def test_outputs_that_never_vary_and_agree_do_not_differ(tmp_path: Path) -> None:
    assert difference(tmp_path, [[[1.0], [1.0]]], [[[1.0], [1.0]]]) == Count(value=Decimal(0))


def test_what_is_no_number_has_no_difference(tmp_path: Path) -> None:
    found = difference(tmp_path, [[[1.0], [2.0]]], [[[1.0], [float("nan")]]])
    assert found == NotMeasured(reason="the output is NaN or infinite, first at sample 1")
