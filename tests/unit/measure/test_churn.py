"""Churn: the noise of a split, and how many decisions it changes."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from deployspec.ir.artifact import Done, Job
from deployspec.ir.evidence import Churn, EvidenceClass, NotMeasured, PairedOutcomes, Statistic
from deployspec.ir.model import Input, Model, Output
from deployspec.ir.spec import Spec, TaskTable
from deployspec.measure.churn import add_noise, measure_churn
from deployspec.measure.counting import Counting
from deployspec.measure.quality import Evaluated

if TYPE_CHECKING:
    from collections.abc import Sequence

CLASSES = TaskTable(kind="classification", labels=("a", "b"))
MODEL = Model(name="m", source="m.py:f", inputs=(Input(name="x", shape=("b", 3)),), outputs=(Output(name="y"),))


def noisy(folder: Path, *columns: np.ndarray, noise: str = "0.01", seed: int = 0, **declared: Any) -> list[np.ndarray]:
    """The columns with noise."""
    data, out = folder / "data", folder / f"noisy-{seed}"
    data.mkdir(exist_ok=True)
    out.mkdir()
    for i, column in enumerate(columns):
        np.save(data / f"{i}.npy", column)
    inputs = tuple(
        Input(name=f"x{i}", shape=("b", *column.shape[1:]), dtype=str(column.dtype), **declared)
        for i, column in enumerate(columns)
    )
    model = Model(name="m", source="m.py:f", inputs=inputs)
    assert add_noise(Job(inputs={"data": data}, out=out, options={"noise": noise}, model=model, seed=seed)) == {}
    return [np.load(out / f"{i}.npy") for i in range(len(columns))]


@pytest.mark.parametrize(("noise", "share"), [("0.01", 0.01), ("0.2", 0.2)])
def test_the_noise_is_a_share_of_the_inputs_spread(tmp_path: Path, noise: str, share: float) -> None:
    x = np.random.default_rng(1).uniform(-20, 30, (9000, 5)).astype(np.float32)
    (found,) = noisy(tmp_path, x, noise=noise)
    added = found - x
    assert found.dtype == x.dtype
    assert abs(added.mean()) < 0.02 * share * 50
    assert added.std() == pytest.approx(share * np.ptp(x), rel=0.02)
    assert abs(np.corrcoef(added[:-1].ravel(), added[1:].ravel())[0, 1]) < 0.02


def test_the_spread_is_of_all_samples_however_late_the_largest(tmp_path: Path) -> None:
    x = np.zeros((9000, 1), np.float32)
    x[-1] = 100
    (found,) = noisy(tmp_path, x, noise="0.01")
    assert found[:4096].std() == pytest.approx(1, rel=0.05)


def test_the_noise_is_the_seeds(tmp_path: Path) -> None:
    x = np.linspace(0, 1, 6, dtype=np.float32).reshape(2, 3)
    runs = []
    for run, seed in enumerate((3, 3, 4)):
        (tmp_path / str(run)).mkdir()
        runs.append(noisy(tmp_path / str(run), x, x, seed=seed))
    np.testing.assert_array_equal(runs[0], runs[1])
    assert (runs[0][0] != runs[2][0]).any()
    assert (runs[0][0] != runs[0][1]).any(), "two inputs do not move together"


def test_noise_stays_in_the_declared_range(tmp_path: Path) -> None:
    x = np.repeat(np.float32([[0, 1]]), 200, axis=0)
    (found,) = noisy(tmp_path, x, noise="0.1", range=(0.0, 1.0))
    assert (found.min(), found.max()) == (0, 1)
    assert 0.3 < (found == x).mean() < 0.7, "half of it would have left"


def test_a_sample_that_was_stored_outside_is_not_brought_in(tmp_path: Path) -> None:
    (found,) = noisy(tmp_path, np.float32([[9.0], [0.0]]), range=(0.0, 1.0), noise="0.1")
    assert 8 < found[0, 0] <= 9


def test_integers_stay(tmp_path: Path) -> None:
    tokens, x = np.arange(10).reshape(5, 2), np.linspace(0, 1, 5, dtype=np.float16).reshape(5, 1)
    found = noisy(tmp_path, tokens, x)
    np.testing.assert_array_equal(found[0], tokens)
    assert (found[1] != x).any()


def measured(
    folder: Path,
    task: TaskTable | None,
    *outputs: Sequence[Any],
    counting: Counting | None = None,
) -> Statistic:
    """Churn, from the outputs of the reference and of the artifact, each without noise and with it."""
    runs = []
    for i, each in enumerate(outputs):
        (folder / str(i) / "outputs").mkdir(parents=True)
        np.save(folder / str(i) / "outputs" / "0.npy", np.asarray(each, np.float32))
        facts = {"runtime": "r 1"}
        runs.append(Done(step="s", folder=folder / str(i), sha256=str(i), cached=False, seconds=0, facts=facts))
    spec = Spec(
        path=Path("s.toml"), root=Path(), sha256="", model=MODEL, targets=(), task=task, churn_noise=Decimal("0.05")
    )
    calm = Evaluated(split="field", data=runs[0], reference=runs[0], artifact=runs[2])
    calm = replace(calm, counting=counting) if counting else calm
    loud = replace(calm, reference=runs[1], artifact=runs[3])
    found = measure_churn(spec, "t", calm, loud, EvidenceClass.HOST)
    assert (found.target, found.name, found.split, found.runtime) == ("t", "churn", "field", "r 1")
    assert found.samples_sha256 == "3"
    return found.statistic


A, B = [1.0, 0.0], [0.0, 1.0]


def test_decisions_that_only_one_of_the_two_changes_are_counted_apart(tmp_path: Path) -> None:
    found = measured(tmp_path, CLASSES, [A, A, A, A, B], [A, A, B, B, B], [A, B, A, B, B], [A, A, A, A, A])
    assert found == Churn(outcomes=PairedOutcomes(both=1, broken=2, repaired=1, neither=1), noise=Decimal("0.05")), (
        "what the artifact decides without noise is its own affair, right or wrong"
    )


def test_of_several_labels_any_may_change(tmp_path: Path) -> None:
    task = TaskTable(kind="multilabel", labels=("a", "b"))
    calm, moved = [[2.0, -2.0], [2.0, 2.0]], [[2.0, -2.0], [2.0, -2.0]]
    found = measured(tmp_path, task, calm, calm, calm, moved)
    assert isinstance(found, Churn)
    assert (found.outcomes.both, found.outcomes.broken) == (1, 1)


def test_of_values_a_change_is_one_beyond_the_tolerance(tmp_path: Path) -> None:
    reference = [[0.0], [10.0], [5.0], [5.0]]
    moved = [[0.0], [10.0], [5.09], [5.2]]  # one hundredth of the spread is 0.1
    task = TaskTable(kind="regression", tolerance=0.01)
    found = measured(tmp_path, task, reference, reference, reference, moved)
    assert found == Churn(
        outcomes=PairedOutcomes(both=3, broken=1, repaired=0, neither=0), noise=Decimal("0.05")
    )  # fmt: skip


def test_the_tolerance_is_a_share_of_the_references_spread_not_of_the_artifacts(tmp_path: Path) -> None:
    reference, artifact = [[0.0], [10.0]], [[0.0], [1000.0]]  # one hundredth of the reference's spread is 0.1
    task = TaskTable(kind="regression", tolerance=0.01)
    found = measured(tmp_path, task, reference, reference, artifact, [[0.0], [1000.2]])
    assert isinstance(found, Churn)
    assert (found.outcomes.both, found.outcomes.broken) == (1, 1)


def test_a_value_may_change_in_any_column(tmp_path: Path) -> None:
    still, moved = [[0.0, 0.0], [10.0, 1.0]], [[0.0, 0.5], [10.0, 1.0]]
    found = measured(tmp_path, None, still, still, still, moved)
    assert isinstance(found, Churn)
    assert found.outcomes.broken == 1


def test_outputs_that_are_no_numbers_decide_nothing(tmp_path: Path) -> None:
    found = measured(tmp_path, CLASSES, [A, A], [A, A], [A, A], [A, [float("nan"), 0]])
    assert found == NotMeasured(reason="the output is NaN or infinite, first at sample 1")


def test_samples_that_do_not_count_are_left_out(tmp_path: Path) -> None:
    kept = Counting(kept=np.array([True, False]))
    found = measured(tmp_path, CLASSES, [A, A], [A, A], [A, A], [A, B], counting=kept)
    assert isinstance(found, Churn)
    assert (found.outcomes.n, found.outcomes.broken) == (1, 0)


def test_where_no_sample_counts_the_reason_is_told(tmp_path: Path) -> None:
    found = measured(tmp_path, CLASSES, [A], [A], [A], [B], counting=Counting(refused="all leaked"))
    assert found == NotMeasured(reason="all leaked")
