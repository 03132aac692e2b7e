"""The contract of a lowering: what is accepted once an artifact is reloaded, and what is refused, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from deployspec import registry
from deployspec.contract import (
    ContractBroken,
    agreement,
    call,
    compare,
    probe_batch,
    probe_files,
    probe_inputs,
    record,
    rms,
)
from deployspec.errors import SourceFault
from deployspec.ir.artifact import Job
from deployspec.ir.model import Input, Model, Output
from deployspec.ir.tolerance import EXACT

if TYPE_CHECKING:
    from pathlib import Path

BEFORE = np.array([[0.0, 10.0], [-10.0, 5.0]], np.float32)  # a spread of 20


def broken(*got: np.ndarray, expected: tuple[np.ndarray, ...] = (BEFORE,), tolerance: float = 0.01) -> str:
    with pytest.raises(ContractBroken) as refused:
        compare(expected, got, ["a", "b"][: len(expected)], tolerance)
    return str(refused.value)


def test_equal_outputs_differ_by_nothing() -> None:
    assert compare([BEFORE], [BEFORE.copy()], ["a"], 0.0) == 0.0


def test_the_difference_is_in_units_of_the_outputs_spread() -> None:
    after = BEFORE.copy()
    after[1, 1] += 2
    assert compare([BEFORE], [after], ["a"], 0.1) == pytest.approx(0.1)
    assert broken(after, tolerance=0.0999) == (
        "reloaded from its bytes, it differs by 0.1 of the output's spread from what made it "
        "(at most 0.0999 is accepted)"
    )


def test_without_a_scheme_no_more_than_rounding_is_accepted() -> None:
    assert compare([BEFORE], [BEFORE + np.float32(20 * 5e-5)], ["a"], EXACT) == pytest.approx(5e-5, rel=0.1)
    assert "differs by 0.001 of the output's spread" in broken(BEFORE + np.float32(20 * 1e-3), tolerance=EXACT)


@pytest.mark.parametrize("format", ["coreml", "executorch", "ptmobile", "tflite", "torchscript"])
def test_every_plain_lowering_is_held_to_rounding(format: str) -> None:
    lowerings = registry.load(registry.Family.TARGETS, format)().lowerings()
    assert {each.tolerance for each in lowerings if not each.realises} == {EXACT}


def test_the_worst_output_counts_each_in_its_own_units() -> None:
    large = BEFORE * 1000
    assert compare([BEFORE, large], [BEFORE + 1, large + 1], ["a", "b"], 0.1) == pytest.approx(0.05)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_an_artifact_that_is_not_finite_is_refused_even_if_that_is_what_was_made(value: float) -> None:
    bad = np.where(BEFORE == 10, value, BEFORE).astype(np.float32)
    assert broken(bad) == "output 'a' has NaN or Inf once the artifact is reloaded"
    assert broken(BEFORE, expected=(bad,)) == "output 'a' has NaN or Inf before it is saved"
    assert broken(bad, expected=(bad,)) == "output 'a' has NaN or Inf before it is saved"


def test_an_output_too_few_or_too_many_is_refused() -> None:
    assert broken(BEFORE, expected=(BEFORE, BEFORE)) == "reloaded, it gives 1 outputs where 2 were made"
    assert broken(BEFORE, BEFORE) == "reloaded, it gives 2 outputs where 1 were made"


def test_another_shape_or_type_is_refused() -> None:
    assert broken(BEFORE.T.reshape(4, 1)) == "output 'a' was float32[2, 2] and reloads as float32[4, 1]"
    assert broken(BEFORE.astype(np.float64)) == "output 'a' was float32[2, 2] and reloads as float64[2, 2]"


def test_a_constant_output_must_stay_exactly_what_it_was() -> None:
    constant = np.full((2, 2), 3.0, np.float32)
    assert compare([constant], [constant], ["a"], 0.0) == 0.0
    assert "differs by inf" in broken(constant + 1e-6, expected=(constant,))


def test_the_root_mean_square_is_in_the_same_units_and_of_the_worst_output() -> None:
    after = BEFORE.copy()
    after[0] += 2
    assert rms([BEFORE], [after]) == pytest.approx(2 / 20 / 2**0.5)
    assert rms([BEFORE, BEFORE], [BEFORE, after]) == rms([BEFORE], [after])


def test_an_output_of_no_values_is_refused() -> None:
    nothing = np.zeros((0, 3), np.float32)
    assert broken(nothing, expected=(nothing,)) == "output 'a' is empty: nothing can be compared"


LOGITS, PROBABILITY = Output(name="logits"), Output(name="p", kind="probabilities")
CLASSES = np.array([[0.0, 8.0, 1.0], [5.0, 5.5, 0.0], [10.0, 0.0, 2.0], [0.0, 3.0, 9.0]])  # a spread of 10


def test_agreement_is_the_share_of_equal_decisions() -> None:
    after = CLASSES.copy()
    after[1] = [5.5, 5.0, 0.0]  # a change of 0.05 of the spread, in a decision made by as little
    assert agreement([CLASSES], [CLASSES], [LOGITS], 0.1) == 1.0
    assert agreement([CLASSES], [after], [LOGITS], 0.1) == 0.75
    assert agreement([CLASSES, CLASSES], [CLASSES, after], [LOGITS, LOGITS], 0.1) == 0.75, "the worst output's"


def test_a_clear_decision_that_changes_is_refused_although_every_value_is_close_enough() -> None:
    after = CLASSES.copy()
    after[3] = [0.0, 6.1, 6.0]
    assert compare([CLASSES], [after], ["logits"], 0.4) == pytest.approx(0.31)
    with pytest.raises(ContractBroken) as refused:
        agreement([CLASSES], [after], [LOGITS], 0.4)
    assert str(refused.value) == (
        "output 'logits' decides otherwise 1 of 3 times where what made it decides by more than 0.4 of the "
        "output's spread"
    )


@pytest.mark.parametrize(("output", "middle"), [(LOGITS, 0.0), (PROBABILITY, 0.5)])
def test_of_one_column_the_side_of_the_middle_decides(output: Output, middle: float) -> None:
    before = middle + np.array([[0.5], [0.02], [-0.5], [-0.4]])
    assert agreement([before], [before - 0.04], [output], 0.05) == 0.75
    with pytest.raises(ContractBroken, match="decides otherwise 1 of 4 times"):
        agreement([before], [before - 0.04], [output], 0.01)


def test_decisions_are_made_along_the_second_axis() -> None:
    picture = np.zeros((2, 3, 4, 4))
    picture[:, 1] = 1.0
    after = picture.copy()
    after[0, 2, :2] = 2.0
    assert agreement([picture], [after], [LOGITS], 1.0) == 0.75


def test_values_decide_nothing() -> None:
    assert agreement([CLASSES], [-CLASSES], [Output(name="v", kind="values")], 0.1) is None


def test_whole_numbers_are_compared_like_others() -> None:
    small, larger = (np.array([[first, 250], [50, 3]], np.uint8) for first in (0, 200))
    assert compare([small], [larger], ["a"], 1.0) == 0.8, "0 - 200 is no 56 here"
    assert agreement([small], [small], [LOGITS], 0.1) == 1.0


def job(folder: Path, *inputs: Input, outputs: int = 1, calibration: Path | None = None) -> Job:
    out = folder / "out"
    out.mkdir(exist_ok=True)
    declared = Model(
        name="m", source="m.py:build", inputs=inputs, outputs=tuple(Output(name=f"o{i}") for i in range(outputs))
    )
    given = {"calibration": calibration} if calibration else {}
    return Job(inputs=given, out=out, options={}, model=declared, seed=3)


def test_probes_come_from_the_first_calibration_samples(tmp_path: Path) -> None:
    np.save(tmp_path / "0.npy", np.arange(40.0).reshape(20, 2))
    (probe,) = probe_inputs(job(tmp_path, Input(name="x", shape=("b", 2)), calibration=tmp_path))
    assert np.array_equal(probe, np.arange(32.0).reshape(16, 2))


def test_without_calibration_they_are_drawn_from_the_declared_range(tmp_path: Path) -> None:
    inputs = (
        Input(name="x", shape=("b", 3, "length"), range=(-2.0, 5.0)),
        Input(name="tokens", shape=("b", 4), dtype="int64"),
        Input(name="free", shape=("b",)),
    )
    one, tokens, free = probe_inputs(job(tmp_path, *inputs))
    assert (one.shape, tokens.shape, free.shape) == ((16, 3, 1), (16, 4), (16,))
    assert one.min() >= -2
    assert one.max() <= 5
    assert np.ptp(one) > 4
    assert set(np.unique(tokens)) == {0, 1}
    assert [each.dtype for each in (one, tokens, free)] == [np.float32, np.int64, np.float32]
    assert np.array_equal(one, probe_inputs(job(tmp_path, *inputs))[0]), "the same every time"


def test_what_is_recorded_is_found_again_in_order(tmp_path: Path) -> None:
    inputs = [np.full((1, 1), i) for i in range(12)]
    record(job(tmp_path, outputs=2), inputs, [BEFORE, BEFORE], options={"engine": "x"}, axes=[None] * 11 + [(0, 1)])
    assert [np.load(path)[0, 0] for path in probe_files(tmp_path / "out", "input")] == list(range(12))
    assert len(probe_files(tmp_path / "out", "output")) == 2
    assert call(tmp_path / "out") == {"options": {"engine": "x"}, "axes": [None] * 11 + [[0, 1]]}
    assert probe_batch(tmp_path / "out") == 1


def test_the_most_samples_at_a_time_are_recorded(tmp_path: Path) -> None:
    record(job(tmp_path), [BEFORE], [BEFORE], batch=8)
    assert probe_batch(tmp_path / "out") == 8


def test_a_model_with_outputs_that_the_spec_does_not_know_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceFault, match="the model gives 2 outputs and the spec declares 1"):
        record(job(tmp_path), [BEFORE], [BEFORE, BEFORE])


@pytest.mark.parametrize(("side", "count"), [(8, 16), (256, 5), (2048, 4)])
def test_of_large_inputs_fewer_samples_make_a_probe(side: int, count: int, tmp_path: Path) -> None:
    declared = Input(name="x", shape=("batch", 3, side, side))
    model = Model(name="m", source="m.py:build", inputs=(declared,))
    (inputs,) = probe_inputs(Job(inputs={}, out=tmp_path, options={}, model=model))
    assert inputs.shape == (count, 3, side, side)
