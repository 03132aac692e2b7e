"""The step that calls a metric of the project: what it gets, and what is said of a metric that gives no scores."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pytest

from deployspec.ir.artifact import Job
from deployspec.ir.model import Input, Model
from deployspec.measure.own_metric import NoScores, read_scores, score

if TYPE_CHECKING:
    from pathlib import Path

METRICS = """
import numpy as np

def distance(outputs, targets):
    assert outputs.shape == (4, 2) and targets.dtype == np.int64
    return np.abs(outputs.sum(axis=1) - targets)

def in_place(outputs, targets):
    outputs += 1
    return [float(each.sum()) for each in outputs]

def one_nan(outputs, targets):
    return np.where(np.arange(4) == 2, np.nan, 1.0)

def infinite(outputs, targets):
    return np.full(4, np.inf)

def short(outputs, targets):
    return np.ones(3)

def square(outputs, targets):
    return np.ones((4, 4))

def words(outputs, targets):
    return ["good"] * 4

def ragged(outputs, targets):
    return [[1], [1, 2], [1], [1]]

def nothing(outputs, targets):
    pass

def raises(outputs, targets):
    return outputs[9]

def halts(outputs, targets):
    raise ValueError("no\\nreference")
"""


@pytest.fixture
def job(tmp_path: Path) -> Job:
    for folder in ("outputs/outputs", "data", "project", "out"):
        (tmp_path / folder).mkdir(parents=True)
    np.save(tmp_path / "outputs" / "outputs" / "0.npy", np.full((4, 2), 9.0))
    np.save(tmp_path / "outputs" / "outputs" / "1.npy", np.arange(8.0).reshape(4, 2))
    np.save(tmp_path / "data" / "y.npy", np.arange(4))
    (tmp_path / "project" / "metrics.py").write_text(METRICS)
    inputs = {"outputs": tmp_path / "outputs", "data": tmp_path / "data", "metric": tmp_path / "project"}
    model = Model(name="m", source="m.py:b", inputs=(Input(name="x", shape=("b",)),))
    return Job(inputs=inputs, out=tmp_path / "out", options={"output": 1}, model=model)


def test_a_metric_gets_the_scored_output_and_y_and_its_scores_are_kept(job: Job) -> None:
    job.options["source"] = "metrics.py:distance"
    assert score(job) == {"samples": 4}
    assert np.array_equal(read_scores(job.out), [1, 4, 7, 10])


def test_a_metric_may_write_into_its_arrays_and_changes_no_file(job: Job) -> None:
    job.options["source"] = "metrics.py:in_place"
    score(job)
    assert np.array_equal(read_scores(job.out), [3, 7, 11, 15])
    assert np.load(job.inputs["outputs"] / "outputs" / "1.npy")[0, 0] == 0


@pytest.mark.parametrize(
    ("metric", "why"),
    [
        ("one_nan", "its score of sample 2 is nan, 1 of 4 are so"),
        ("infinite", "its score of sample 0 is inf, 4 of 4 are so"),
        ("short", "it gave scores of shape [3] for 4 samples: give one number for each"),
        ("square", "it gave scores of shape [4, 4] for 4 samples"),
        ("words", "it gave a list, not numbers"),
        ("nothing", "it gave None, not numbers"),
        ("ragged", "it gave rows of different lengths"),
        ("raises", "metrics.py:34 in raises: IndexError: index 9 is out of bounds"),
        ("halts", "metrics.py:37 in halts: ValueError: no"),
        ("absent", "metrics.py: AttributeError: module"),
    ],
)
def test_what_is_no_score_says_why_and_where(job: Job, metric: str, why: str) -> None:
    job.options["source"] = f"metrics.py:{metric}"
    with pytest.raises(NoScores, match=re.escape(f"the metric metrics.py:{metric} gave no scores: {why}")):
        score(job)
