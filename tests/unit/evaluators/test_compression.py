"""Compressed constants, written by hand in the forms of iOS 16 and of iOS 18."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from mlprograms import Body, Name, Op, Typed, save

from deployspec.evaluators.mlprogram import EvaluationFailed, load
from deployspec.formats.mlpackage import open_package

if TYPE_CHECKING:
    from pathlib import Path


def decompressed(
    folder: Path, op: str, constants: dict[str, Any], *outputs: tuple[str, tuple[int, ...]], opset: int = 8
) -> np.ndarray:
    """The last result of the operator: what a convolution would get."""
    names = [f"out{at}" for at in range(len(outputs))]
    steps = [
        Op(op, constants, dict(zip(names, outputs, strict=True))),
        Op("identity", {"x": Name(names[-1])}, {"y": outputs[-1]}),
    ]
    return load(save(folder, Body(steps, ["y"]), opset=opset))()["y"]


def test_affine_weights_per_channel(tmp_path: Path) -> None:
    constants = {
        "quantized_data": np.array([[0, 1, 255], [2, 3, 4]], "u1"),
        "zero_point": np.array([1, 3], "u1"),
        "scale": np.array([0.5, 2], "f4"),
        "axis": 0,
    }
    weights = decompressed(tmp_path, "constexpr_affine_dequantize", constants, ("fp32", (2, 3)), opset=6)
    assert weights.tolist() == [[-0.5, 0, 127], [-2, 0, 2]]


def test_int8_without_a_shift_keeps_its_sign(tmp_path: Path) -> None:
    constants = {
        "quantized_data": np.array([-128, 127], "i1"),
        "zero_point": np.int8(0),
        "scale": np.float32(1),
        "axis": 0,
    }
    weights = decompressed(tmp_path, "constexpr_affine_dequantize", constants, ("fp32", (2,)), opset=6)
    assert weights.tolist() == [-128, 127]


def test_indices_into_a_palette_are_packed_from_the_least_bit(tmp_path: Path) -> None:
    constants = {
        "indices": np.array([0b01_10_11_00, 0b11], "u1"),
        "lut": np.array([1, 2, 3, 4], "f2"),
        "shape": Typed([5], "uint32"),
    }
    weights = decompressed(tmp_path, "constexpr_lut_to_dense", constants, ("fp16", (5,)), opset=6)
    assert weights.tolist() == [1, 4, 3, 2, 4]


def test_a_mask_of_bits_spreads_the_values(tmp_path: Path) -> None:
    constants = {
        "nonzero_data": np.array([7, 8], "f2"),
        "mask": np.array([0b0_1100], "u1"),
        "shape": Typed([1, 5], "uint32"),
    }
    weights = decompressed(tmp_path, "constexpr_sparse_to_dense", constants, ("fp16", (1, 5)), opset=6)
    assert weights.tolist() == [[0, 0, 7, 8, 0]]


def test_blocks_have_scales_and_shifts_of_their_own(tmp_path: Path) -> None:
    constants = {
        "data": Typed([[1, 2, 3, 4], [-8, -7, 6, 7]], "int4"),
        "scale": np.array([[1, 10], [2, 20]], "f4"),
        "offset": Typed([[0, 1], [-1, 0]], "int4"),
    }
    weights = decompressed(tmp_path, "constexpr_blockwise_shift_scale", constants, ("fp32", (2, 4)))
    assert weights.tolist() == [[1, 2, 20, 30], [-14, -12, 120, 140]]


def test_blocks_that_do_not_divide_the_data_are_refused(tmp_path: Path) -> None:
    constants = {"data": Typed([[1, 2, 3]], "int4"), "scale": np.array([[1, 10]], "f4")}
    with pytest.raises(EvaluationFailed, match="2 blocks do not divide dimension 1 of size 3"):
        decompressed(tmp_path, "constexpr_blockwise_shift_scale", constants, ("fp32", (1, 3)))


def test_groups_have_palettes_of_their_own(tmp_path: Path) -> None:
    constants = {
        "indices": Typed([[2, 3], [3, 0], [1, 0], [3, 0], [2, 1], [0, 3]], "uint2"),
        "lut": np.array([1, 5, 9, 13, 2, 10, 18, 26], "f2").reshape(2, 1, 4, 1),
    }
    weights = decompressed(tmp_path, "constexpr_lut_to_dense", constants, ("fp16", (6, 2)))
    assert weights.tolist() == [[9, 13], [13, 1], [5, 1], [26, 2], [18, 10], [2, 26]]


@pytest.mark.parametrize(
    ("axis", "expected"),
    [
        (1, [[[1, 1], [2, 2], [3, 3], [4, 1], [5, 2], [6, 3]], [[4, 4], [5, 5], [6, 6], [1, 1], [2, 2], [3, 3]]]),
        (2, [[[1, 2, 3, 1, 2, 3], [4, 5, 6, 1, 2, 3]], [[4, 5, 6, 4, 5, 6], [1, 2, 3, 1, 2, 3]]]),
    ],
)
def test_a_palette_of_vectors_is_laid_out_along_an_axis(tmp_path: Path, axis: int, expected: list[Any]) -> None:
    constants = {
        "indices": Typed([[[0, 0], [1, 0]], [[1, 1], [0, 0]]], "uint1"),
        "vector_axis": axis,
        "lut": np.array([[1, 2, 3], [4, 5, 6]], "i1").reshape(1, 1, 1, 2, 3),
    }
    weights = decompressed(tmp_path, "constexpr_lut_to_dense", constants, ("int8", np.shape(expected)))
    assert weights.tolist() == expected


def test_a_sparse_palette_gives_its_mask_and_its_values(tmp_path: Path) -> None:
    constants = {
        "indices_mask": Typed([[0, 1, 1], [1, 0, 0]], "uint1"),
        "indices_nonzero_data": Typed([0, 1, 1], "uint1"),
        "lut": np.array([2, 3], "f4").reshape(1, 1, 2, 1),
    }
    results = (("uint1", (2, 3)), ("fp32", (3,)))
    assert decompressed(tmp_path, "constexpr_lut_to_sparse", constants, *results).tolist() == [2, 3, 3]


def test_sparse_quantized_values_take_the_scale_of_their_block(tmp_path: Path) -> None:
    constants = {
        "data_mask": Typed([[1, 0, 0, 1]], "uint1"),
        "nonzero_data": np.array([10, 20], "i1"),
        "scale": np.array([[0.5, 2]], "f4"),
        "offset": np.array([[2, 4]], "i1"),
    }
    results = (("uint1", (1, 4)), ("fp32", (2,)))
    weights = decompressed(tmp_path, "constexpr_sparse_blockwise_shift_scale", constants, *results)
    assert weights.tolist() == [4, 32]


def test_the_parameters_may_come_as_attributes_as_before_ios_18(tmp_path: Path) -> None:
    constants = {"source_val": np.array([0.5], "f2"), "output_dtype": "fp32"}
    step = Op("constexpr_cast", constants, {"y": ("fp32", (1,))})
    package = open_package(save(tmp_path, Body([step], ["y"]), opset=6))
    operation = package.program.functions["main"].block_specializations["CoreML6"].operations[0]
    for key, argument in operation.inputs.items():
        operation.attributes[key].CopyFrom(argument.arguments[0].value)
    operation.ClearField("inputs")
    (package.root / "model.mlmodel").write_bytes(package.model.SerializeToString())
    program = load(tmp_path)
    assert program()["y"].tolist() == [0.5]
    assert program.operators == {"constexpr_cast": 1}
