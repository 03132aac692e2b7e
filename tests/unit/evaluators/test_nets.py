"""Whole nets, converted by coremltools, against eager torch in float64."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from nets import FAMILIES, convert, settled

from deployspec.evaluators.mlprogram import Mode, load

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor, nn

SLOWER = {"mobilenet-v3", "unet", "encoder", "sdpa-encoder", "gru"}
EACH = [pytest.param(each, marks=[pytest.mark.slow] if each in SLOWER else []) for each in FAMILIES]


def exact(net: nn.Module, example: Tensor) -> np.ndarray:
    """What the net means: its weights as they are, every operation in float64."""
    precise = example.double() if example.is_floating_point() else example
    with torch.no_grad():
        return copy.deepcopy(net).double()(precise).numpy()


def error(outputs: dict[str, np.ndarray], expected: np.ndarray) -> float:
    """The largest error, as a part of the spread of what is expected."""
    return float(np.abs(outputs["y"] - expected).max() / np.ptp(expected))


@pytest.mark.parametrize("family", EACH)
def test_a_float32_package_is_what_the_net_means(coremltools: Any, tmp_path: Path, family: str) -> None:
    net, example = settled(family)
    options = {"compute_precision": coremltools.precision.FLOAT32}
    package = convert(coremltools, net, example, tmp_path / "m.mlpackage", **options)
    expected, arrays = exact(net, example), {"x": example.numpy()}

    assert error(load(package, mode=Mode.FP64)(**arrays), expected) <= 1e-6
    assert error(load(package, mode=Mode.DECLARED)(**arrays), expected) <= 3e-6


@pytest.mark.parametrize("family", EACH)
def test_a_float16_package_is_close_and_its_modes_differ(coremltools: Any, tmp_path: Path, family: str) -> None:
    net, example = settled(family)
    package = convert(coremltools, net, example, tmp_path / "m.mlpackage")
    expected = exact(net, example)
    outputs = {mode: load(package, mode=mode)(x=example.numpy()) for mode in Mode}

    assert all(1e-6 < error(each, expected) <= 8e-3 for each in outputs.values())
    assert outputs[Mode.FP64]["y"].dtype == np.float64
    assert outputs[Mode.DECLARED]["y"].dtype == np.float16
    assert not np.array_equal(outputs[Mode.FP64]["y"].astype(np.float16), outputs[Mode.DECLARED]["y"])


@pytest.mark.slow
def test_half_precision_sums_are_another_mode_where_sums_are_long(coremltools: Any, tmp_path: Path) -> None:
    net, example = settled("mobilenet-v2")
    package = convert(coremltools, net, example, tmp_path / "m.mlpackage")
    declared, rounding = (load(package, mode=each)(x=example.numpy())["y"] for each in (Mode.DECLARED, Mode.FP16ACC))
    assert not np.array_equal(declared, rounding)
