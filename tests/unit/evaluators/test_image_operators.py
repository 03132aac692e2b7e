"""Resizing, cropping and resampling, against the specification's grids and coremltools' own operator tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from mlprograms import Typed

from deployspec.evaluators.mlprogram import EvaluationFailed

if TYPE_CHECKING:
    from typing import Any

    from conftest import Evaluate

GRID = np.arange(1, 17, dtype=np.float32).reshape(1, 1, 4, 4)


def f4(*values: Any) -> np.ndarray:
    return np.array(values, np.float32)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("STRICT_ALIGN_CORNERS", [0, 0.25, 0.5, 0.75, 1]),
        ("ALIGN_CORNERS", [0, 0.25, 0.5, 0.75, 1]),
        ("DEFAULT", [0, 0.4, 0.8, 1, 1]),
        ("OFFSET_CORNERS", [0.1, 0.3, 0.5, 0.7, 0.9]),
        ("UNALIGN_CORNERS", [0, 0.1, 0.5, 0.9, 1]),
    ],
)
def test_the_grids_of_resizing_are_those_of_the_specification(
    evaluate: Evaluate, mode: str, expected: list[float]
) -> None:
    constants = {"target_size_height": 1, "target_size_width": 5, "sampling_mode": mode}
    (out,) = evaluate("resize_bilinear", {"x": f4(0, 1).reshape(1, 1, 2)}, constants, ("fp32", (1, 1, 5)))
    np.testing.assert_allclose(out[0, 0], expected, atol=1e-6)


def test_nearest_neighbours_round_down_in_upsampling_and_to_the_nearest_in_resize(evaluate: Evaluate) -> None:
    x = f4(1, 2).reshape(1, 2, 1)
    constants = {"shape": [1, 3, 1], "resized_dims": Typed(2, "uint32"), "interpolation_mode": "NEAREST_NEIGHBOR"}
    (resized,) = evaluate("resize", {"x": x}, constants, ("fp32", (1, 3, 1)))
    (upsampled,) = evaluate("upsample_nearest_neighbor", {"x": x}, {"scale_factor_height": 1.5}, ("fp32", (1, 3, 1)))
    assert (resized.ravel().tolist(), upsampled.ravel().tolist()) == ([1, 2, 2], [1, 1, 2])


def test_boxes_are_cut_padded_and_turned_over(evaluate: Evaluate) -> None:
    constants = {
        "boxes": f4([0.1, 0.3, 1.3, 1.0], [0.5, 1.8, 1.0, 0.3], [0.0, 0.4, 0.6, 0.7]),
        "box_indices": [0, 0, 0],
        "target_width": 2,
        "target_height": 2,
        "normalized_coordinates": True,
        "sampling_mode": "ALIGN_CORNERS",
        "pad_value": 10.0,
    }
    (out,) = evaluate("crop_resize", {"x": GRID}, constants, ("fp32", (3, 1, 2, 2)))
    np.testing.assert_allclose(out.ravel(), [3.1, 5.2, 10, 10, 10, 7.9, 10, 13.9, 2.2, 3.1, 9.4, 10.3], rtol=1e-5)


def test_before_ios_16_a_box_outside_its_image_is_refused(evaluate: Evaluate) -> None:
    constants = {"roi": f4(1, 1, 5, 2).reshape(1, 1, 4, 1, 1)}
    with pytest.raises(EvaluationFailed, match="reaches out of its image"):
        evaluate("crop_resize", {"x": GRID}, constants, ("fp32", (1, 1, 1, 1, 1)), opset=5)


@pytest.mark.parametrize(
    ("sampling", "padding", "coordinates", "aligned", "expected"),
    [
        ("bilinear", "constant", "normalized_minus_one_to_one", True, [8.585, 6.17, 27.5, 6.17]),
        ("nearest", "border", "unnormalized", False, [11, 11, 11, 44]),
        ("bilinear", "reflection", "normalized_zero_to_one", True, [22, 36.3, 11, 34.1]),
        ("nearest", "symmetric", "normalized_zero_to_one", False, [22, 33, 11, 33]),
    ],
)
def test_resampling_continues_the_border_as_it_is_told(
    evaluate: Evaluate, sampling: str, padding: str, coordinates: str, aligned: bool, expected: list[float]
) -> None:
    x = f4(11, 22, 33, 44).reshape(1, 1, 2, 2)
    points = f4(-1, -2, -3.7, -1, 0, 0, 3.5, 1.2).reshape(1, 2, 2, 2)
    constants = {"sampling_mode": sampling, "padding_mode": padding, "padding_value": 6.17}
    options = {"coordinates_mode": coordinates, "align_corners": aligned}
    (out,) = evaluate("resample", {"x": x, "coordinates": points}, constants | options, ("fp32", (1, 1, 2, 2)))
    np.testing.assert_allclose(out.ravel(), expected, rtol=1e-5)


def test_an_affine_transform(evaluate: Evaluate) -> None:
    x, matrix = f4(11, 22, 33, 44).reshape(1, 1, 2, 2), f4(-1, -2, -3.7, -1, 3.5, 1.2).reshape(1, 6)
    constants = {"output_height": 3, "output_width": 3, "sampling_mode": "bilinear", "padding_mode": "constant"}
    modes = {"padding_value": 0.0, "coordinates_mode": "normalized_minus_one_to_one", "align_corners": True}
    (out,) = evaluate("affine", {"x": x, "transform_matrix": matrix}, constants | modes, ("fp32", (1, 1, 3, 3)))
    np.testing.assert_allclose(out.ravel(), [10.7525, 2.5025, 0, 1.98, 0, 0, 0, 0, 0], atol=1e-4)
