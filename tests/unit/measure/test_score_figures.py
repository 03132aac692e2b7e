"""Scores: errors against scikit-learn, blocks of many samples, and what is said where there are none."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sample_evidence import budget, own_budget, rules
from sklearn.metrics import mean_absolute_error, mean_squared_error

from deployspec.errors import DataFault
from deployspec.ir.artifact import Done, Failed
from deployspec.ir.evidence import MOST_SCORES, Aggregate, EvidenceClass, NotMeasured, Scores
from deployspec.ir.model import Input, Model, Output
from deployspec.ir.spec import Metric, Spec, Target, TaskTable
from deployspec.measure.counting import Counting
from deployspec.measure.own_metric import SCORES_FILE
from deployspec.measure.quality import Evaluated
from deployspec.measure.scores import as_scores, measure_scores, score_figures

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deployspec.ir.budget import Budget
    from deployspec.ir.evidence import Measurement, Statistic
    from deployspec.measure.scores import Scored

RISES = (budget("mae", "< 3"), budget("mae_rise", "< 5 %"), budget("rmse", "< 3"))
WER = own_budget("wer_rise", "< 5 %", changes="wer")


def done(folder: Path, arrays: Mapping[str, np.ndarray], **facts: Any) -> Done:
    for file, array in arrays.items():
        path = folder / f"{file}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, array)
    return Done(step=folder.name, folder=folder, sha256=folder.name, cached=False, seconds=0, facts=facts)


def target(*budgets: Budget) -> Target:
    return Target(name="t", format="torchscript", budgets=budgets, rules=rules())


def measure(
    folder: Path, y: np.ndarray | None, before: np.ndarray, after: np.ndarray, *budgets: Budget,
    own: Mapping[str, Scored] | None = None, counting: Counting | None = None,
) -> list[Measurement]:  # fmt: skip
    runs = Evaluated(
        split="test",
        data=done(folder / "data", {} if y is None else {"y": y}, labelled=y is not None),
        reference=done(folder / "reference", {"outputs/0": before}),
        artifact=done(folder / "artifact", {"outputs/0": after}, runtime="r 1"),
        counting=counting or Counting(),
    )
    model = Model(
        name="m", source="m.py:b", inputs=(Input(name="x", shape=("b",)),), outputs=(Output(name="o", kind="values"),)
    )
    spec = Spec(
        path=Path("s.toml"), root=Path(), sha256="", model=model, targets=(), task=TaskTable(kind="regression"),
        metrics={"wer": Metric(source="m.py:wer", better="lower", aggregate="p95")},
    )  # fmt: skip
    return list(measure_scores(spec, target(*budgets), runs, EvidenceClass.HOST, own or {}))


def statistics(found: list[Measurement]) -> dict[str, Statistic]:
    return {each.name: each.statistic for each in found}


@pytest.mark.parametrize("shape", [(80,), (80, 1), (80, 3)])
def test_errors_are_those_of_scikit_learn(tmp_path: Path, shape: tuple[int, ...]) -> None:
    generator = np.random.default_rng(0)
    y = generator.normal(size=shape)
    before, after = (y + generator.normal(size=shape) for _ in range(2))
    column = after.reshape(80, 1) if shape == (80,) else after  # a model's output of one value, for targets (n,)
    found = statistics(measure(tmp_path, y, before.reshape(column.shape), column, *RISES))
    assert list(found) == ["absolute_error", "squared_error"]
    for name, error in (("absolute_error", mean_absolute_error), ("squared_error", mean_squared_error)):
        scores = found[name]
        assert isinstance(scores, Scores)
        assert float(sum(scores.artifact) / 80) == pytest.approx(error(y, after), rel=1e-5)
        assert float(sum(scores.reference) / 80) == pytest.approx(error(y, before), rel=1e-5)
        assert (scores.n, scores.block) == (80, 1)


def test_only_what_a_budget_asks_for_on_the_split_is_scored() -> None:
    wanted = target(budget("mae_rise", "< 3"), budget("rmse", "< 3", on_field=True), WER, budget("size", "< 1 MB"))
    assert score_figures(wanted, "test") == ("absolute_error", "metrics.wer")
    assert score_figures(wanted, "field") == ("squared_error",)


def test_targets_of_another_width_are_a_fault_of_the_data(tmp_path: Path) -> None:
    with pytest.raises(DataFault, match="y has 2 values a sample, the output 'o' has 3"):
        measure(tmp_path, np.zeros((5, 2)), np.zeros((5, 3)), np.zeros((5, 3)), *RISES)


def test_a_nan_is_no_error_and_says_where(tmp_path: Path) -> None:
    bad = np.zeros((5, 1))
    bad[3] = np.nan
    found = statistics(measure(tmp_path, np.zeros(5), np.zeros((5, 1)), bad, *RISES))
    assert set(found.values()) == {NotMeasured(reason="the output is NaN or infinite, first at sample 3")}


def test_without_targets_there_are_no_errors(tmp_path: Path) -> None:
    found = statistics(measure(tmp_path, None, np.zeros((5, 1)), np.zeros((5, 1)), *RISES))
    assert set(found.values()) == {NotMeasured(reason="the test split has no y")}


def test_samples_that_leaked_are_left_out(tmp_path: Path) -> None:
    kept = np.array([True, False, True, True])
    after = np.array([[1.0], [99.0], [2.0], [3.0]])
    (found, *_) = measure(tmp_path, np.zeros(4), after, after, *RISES, counting=Counting(kept=kept, variant="v"))
    assert isinstance(found.statistic, Scores)
    assert found.statistic.artifact == (1, 2, 3)
    assert (found.statistic.excluded, found.variant) == (1, "v")


def test_scores_of_an_own_metric_come_from_its_steps_with_its_aggregate(tmp_path: Path) -> None:
    name = SCORES_FILE.removesuffix(".npy")
    steps = tuple(done(tmp_path / f"s{i}", {name: np.array([0.5, 1 / 3]) + i}) for i in range(2))
    found = statistics(measure(tmp_path, np.zeros(2), np.zeros(2), np.zeros(2), WER, own={"wer": steps}))
    expected = Scores(
        artifact=(Decimal("1.5"), Decimal("1.33333")), reference=(Decimal("0.5"), Decimal("0.333333")),
        aggregate=Aggregate.P95,
    )  # fmt: skip
    assert found == {"metrics.wer": expected}


def test_a_metric_that_failed_for_either_model_says_why(tmp_path: Path) -> None:
    scored = done(tmp_path / "s", {SCORES_FILE.removesuffix(".npy"): np.zeros(2)})
    failed = Failed(step="s", reason="its score of sample 3 is nan")
    for steps in ((scored, failed), (failed, scored)):
        found = statistics(measure(tmp_path, np.zeros(2), np.zeros(2), np.zeros(2), WER, own={"wer": steps}))
        assert found == {"metrics.wer": NotMeasured(reason="its score of sample 3 is nan")}


def test_scores_keep_six_digits_and_nothing_of_dust() -> None:
    found = as_scores(np.array([1 / 3, 123456789.0, 1e-31]), np.array([0.5, -2e-9, 0]), Aggregate.MEAN, seed=0)
    assert isinstance(found, Scores)
    assert [f"{each:f}" for each in found.artifact] == ["0.333333", "123457000", "0"]
    assert [f"{each:f}" for each in found.reference] == ["0.5", "-0.000000002", "0"]


def test_beyond_what_a_report_holds_blocks_of_the_same_samples_stand_for_both_models() -> None:
    n = 2 * MOST_SCORES + 5
    before = np.random.default_rng(1).normal(5, 1, n)
    found = as_scores(before + 1, before, Aggregate.ROOT_MEAN, seed=4, excluded=7)
    assert isinstance(found, Scores)
    assert (found.block, len(found.artifact), found.n, found.excluded) == (3, n // 3, n // 3 * 3, 7)
    assert all(abs(a - r - 1) < Decimal("0.001") for a, r in zip(found.artifact, found.reference, strict=True))
    assert float(sum(found.reference) / len(found.reference)) == pytest.approx(before.mean(), abs=0.002)
    assert float(np.std([float(each) for each in found.reference])) == pytest.approx(1 / np.sqrt(3), rel=0.05)
    assert found == as_scores(before + 1, before, Aggregate.ROOT_MEAN, seed=4, excluded=7)
    assert found != as_scores(before + 1, before, Aggregate.ROOT_MEAN, seed=5, excluded=7)


def test_a_quantile_of_too_many_samples_is_not_measured() -> None:
    many = np.ones(MOST_SCORES + 1)
    found = as_scores(many, many, Aggregate.P95, seed=0)
    assert found == NotMeasured(
        reason="a p95 is judged from the scores themselves, up to 10,000 samples, not from 10,001"
    )
    assert isinstance(as_scores(many[1:], many[1:], Aggregate.P95, seed=0), Scores)


def test_a_score_beyond_all_arithmetic_is_not_measured() -> None:
    found = as_scores(np.array([1.0, -1e18]), np.zeros(2), Aggregate.MEAN, seed=0)
    assert found == NotMeasured(reason="a score of 1e+18 is beyond what is judged, 10^18")
