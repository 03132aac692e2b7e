"""What an evaluator's figures say of themselves: their arithmetic, and the operators that nobody vouches for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from mlprograms import Body, Name, Op, save

from deployspec.contract import record
from deployspec.ir.artifact import Job
from deployspec.ir.model import Input, Model, Output
from deployspec.measure.evaluate import evaluate_artifact
from deployspec.runners.coreml import RUNTIME

if TYPE_CHECKING:
    from pathlib import Path

MODEL = Model(name="m", source="m.py:f", inputs=(Input(name="x", shape=(1, 3)),), outputs=(Output(name="y"),))
RUNNER = {"script": "deployspec.runners.coreml", "needs": ["deployspec.runners.protocol"], "family": "evaluator"}
X = np.random.default_rng(0).uniform(0.1, 0.9, (4, 3)).astype(np.float32)


@pytest.mark.parametrize(
    ("operator", "answers", "told"),
    [("ceil", np.ceil(X), f"{RUNTIME}, fp64, not covered by conformance: ceil"), ("abs", X, f"{RUNTIME}, fp64")],
)
def test_the_label_names_the_operators_that_conformance_does_not_cover(
    operator: str, answers: np.ndarray, told: str, tmp_path: Path
) -> None:
    made = Job(inputs={}, out=tmp_path / "made", options={}, model=MODEL)
    made.out.mkdir()
    program = Body([Op(operator, {"x": Name("x")}, {"y": ("fp32", (1, 3))})], ["y"], {"x": ("fp32", (1, 3))})
    save(made.artifact / "m.mlpackage", program)
    record(made, [X], [answers], options={"inputs": ["x"], "outputs": ["y"]})
    (tmp_path / "out").mkdir()
    options = {"runner": RUNNER, "tolerance": 1e-6, "mode": "fp64"}
    job = Job(inputs={"artifact": made.out}, out=tmp_path / "out", options=options, model=MODEL)
    assert evaluate_artifact(job)["runtime"] == told
