"""A file as something to time: the arrays of one call, and how its runner is told of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from deployspec import contract
from deployspec.errors import DataFault, UsageError
from deployspec.ir.plan import Runner, Toolchain
from deployspec.ir.structure import End, Structure
from deployspec.measure.file import File, drawn, held, timed_file

if TYPE_CHECKING:
    from pathlib import Path

RUNNER = Runner(script="deployspec.runners.tflite", toolchain=Toolchain(name="x"))


def structure(*inputs: End) -> Structure:
    return Structure(
        inputs=inputs,
        outputs=(End(name="y"),),
        operators=(),
        parameters=0,
        kernel_elements=0,
        kernel_zeros=0,
        weight_bytes=(),
        macs=None,
    )


IMAGE = End(name="image", shape=(-1, 3, 8, 8), dtype="float32")
TOKENS = End(name="tokens", shape=(2, 4), dtype="int64")


def test_arrays_are_drawn_as_the_file_declares_them_and_the_same_each_time() -> None:
    arrays = drawn(structure(IMAGE, TOKENS))
    assert {name: (each.shape, str(each.dtype)) for name, each in arrays.items()} == {
        "image": ((1, 3, 8, 8), "float32"),
        "tokens": ((2, 4), "int64"),
    }
    assert set(np.unique(arrays["tokens"])) <= {0, 1}
    assert arrays["image"].std() > 0.5
    assert np.array_equal(arrays["image"], drawn(structure(IMAGE, TOKENS))["image"])


def test_nameless_inputs_go_by_their_number() -> None:
    assert list(drawn(structure(End(name="", shape=(1,), dtype="float32")))) == ["0"]


@pytest.mark.parametrize(
    ("end", "told"),
    [
        (End(name="x"), "keep the shape of its input 'x': give it, as in --input x=1x3x224x224"),
        (End(name="x", shape=(1,), dtype="float4"), "no type for the input 'x', float4"),
    ],
)
def test_what_cannot_be_drawn_is_said(end: End, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        drawn(structure(end))


def test_given_arrays_are_held_to_the_file() -> None:
    image, tokens = np.ones((5, 3, 8, 8), "f4"), np.ones((2, 4), "i8")
    assert list(held(structure(IMAGE, TOKENS), {"tokens": tokens, "image": image})) == ["image", "tokens"]


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ({}, "no array for the input 'image': there are none"),
        ({"image": np.ones((1, 3, 8, 8), "f4"), "x": np.ones(1)}, "no input 'x': it takes image"),
        ({"image": np.ones((1, 8, 8, 3), "f4")}, r"takes \?x3x8x8 of float32, and 1x8x8x3 of float32 is given"),
        ({"image": np.ones((3, 8, 8), "f4")}, r"and 3x8x8 of float32 is given"),
        ({"image": np.ones((1, 3, 8, 8))}, r"and 1x3x8x8 of float64 is given"),
    ],
)
def test_arrays_of_another_kind_are_refused(arrays: dict[str, np.ndarray], told: str) -> None:
    with pytest.raises(DataFault, match=told):
        held(structure(IMAGE), arrays)


@pytest.fixture
def file(tmp_path: Path) -> File:
    path = tmp_path / "m.bin"
    path.write_bytes(b"model")
    return File(path=path, structure=structure(TOKENS, End(name="", shape=(3,), dtype="float32")), runner=RUNNER)


def test_what_is_timed_is_called_with_all_rows_by_the_names_that_there_are(file: File, tmp_path: Path) -> None:
    (folder := tmp_path / "probe").mkdir()
    arrays = drawn(file.structure)
    timed = timed_file(file, arrays, folder, baseline=file, calls=50, time_limit_s=9)
    assert contract.call(folder)["options"] == {"inputs": ["tokens"], "outputs": ["y"], "engine": "qnnpack"}
    assert [np.load(each).shape for each in contract.probe_files(folder, "input")] == [(2, 4), (3,)]
    assert (timed.rows, timed.calls, timed.time_limit_s) == (3, 50, 9)
    assert (timed.baseline, timed.baseline_options) == (file.path, file.options)


def test_a_scalar_is_no_array_of_samples(file: File, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the input 'step' is a scalar"):
        timed_file(file, {"step": np.float32(1)}, tmp_path, calls=50, time_limit_s=9)
