"""The step that holds the contract: the artifact in a fresh process, one sample at a time and in batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from deployspec.contract import ContractBroken, record
from deployspec.ir.artifact import Job
from deployspec.ir.model import Input, Model, Output
from deployspec.measure.evaluate import evaluate_artifact

if TYPE_CHECKING:
    from pathlib import Path

MODEL = Model(name="m", source="m.py:f", inputs=(Input(name="x", shape=("b", 3)),), outputs=(Output(name="scores"),))
X = np.random.default_rng(0).standard_normal((16, 3)).astype(np.float32)
RUNNER = {"script": "unit.runners.doubling_runner", "needs": ["deployspec.runners.protocol"], "family": "doubling"}


def evaluated(
    folder: Path, answers: np.ndarray, tolerance: float = 1e-4, batch: int = 1, mode: str = "", **options: Any
) -> list[Any]:
    """The contract's facts for an artifact that doubles, where `answers` are expected of it."""
    made = Job(inputs={}, out=folder / "made", options={}, model=MODEL)
    made.out.mkdir()
    (made.artifact / "m").write_bytes(b"")
    record(made, [X], [answers], options=options, batch=batch)
    (folder / "out").mkdir()
    asked = {"runner": RUNNER, "tolerance": tolerance} | ({"mode": mode} if mode else {})
    facts = evaluate_artifact(Job(inputs={"artifact": made.out}, out=folder / "out", options=asked, model=MODEL))
    assert facts["runtime"] == ("doubling 1, " + mode if mode else "doubling 1")
    contract: list[Any] = facts["contract"]
    return contract


def test_an_artifact_that_agrees_keeps_its_contract(tmp_path: Path) -> None:
    assert evaluated(tmp_path, 2 * X) == [{"batch": 1, "difference": 0.0, "rms": 0.0, "agreement": 1.0}]


def test_a_runner_is_told_its_arithmetic_and_its_figures_say_which(tmp_path: Path) -> None:
    assert evaluated(tmp_path, 3 * X, mode="thrice")[0]["difference"] == 0.0


def test_where_it_takes_a_batch_it_must_agree_in_batches_too(tmp_path: Path) -> None:
    (alone, together) = evaluated(tmp_path, 2 * X, batch=4, widest=4)
    assert (alone["batch"], together["batch"]) == (1, 4)
    assert together["difference"] == 0.0


def test_an_artifact_that_takes_fewer_than_it_says_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractBroken, match="could not be run in a fresh process: ValueError: more than 2 samples"):
        evaluated(tmp_path, 2 * X, batch=4, widest=2)


def test_an_artifact_that_answers_otherwise_in_a_batch_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractBroken, match=r"^4 samples at a time: reloaded from its bytes"):
        evaluated(tmp_path, 2 * X, batch=4, widest=4, factor=3)


def test_an_artifact_that_decides_otherwise_is_refused_however_close_it_is(tmp_path: Path) -> None:
    answers = 2 * X
    answers[1] += [1.0, 0.0, -1.0]  # it answers 0.2, -1.1 and 0.7 where 1.2, -1.1 and -0.3 are expected
    with pytest.raises(ContractBroken, match="'scores' decides otherwise 1 of"):
        evaluated(tmp_path, answers, tolerance=1.2 / float(np.ptp(answers)))
