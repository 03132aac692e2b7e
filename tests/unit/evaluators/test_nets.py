"""Whole nets, converted by coremltools, against eager torch in float64."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from agreement_of_nets import error, exact, of_family
from nets import FAMILIES, settled

from deployspec.evaluators.mlprogram import Mode

if TYPE_CHECKING:
    from pathlib import Path

SLOWER = {"mobilenet-v3", "unet", "encoder", "sdpa-encoder", "gru"}
EACH = [pytest.param(each, marks=[pytest.mark.slow] if each in SLOWER else []) for each in FAMILIES]


@pytest.mark.parametrize("family", EACH)
def test_a_float32_package_is_what_the_net_means(tmp_path: Path, family: str) -> None:
    outputs, expected = of_family(family, "FLOAT32", tmp_path), exact(*settled(family))
    assert error(outputs[Mode.FP64], expected) <= 1e-6
    assert error(outputs[Mode.DECLARED], expected) <= 3e-6


@pytest.mark.parametrize("family", EACH)
def test_a_float16_package_is_close_and_its_modes_differ(tmp_path: Path, family: str) -> None:
    outputs, expected = of_family(family, "FLOAT16", tmp_path), exact(*settled(family))
    assert all(1e-6 < error(each, expected) <= 8e-3 for each in outputs.values())
    assert outputs[Mode.FP64].dtype == np.float64
    assert outputs[Mode.DECLARED].dtype == np.float16
    assert not np.array_equal(outputs[Mode.FP64].astype(np.float16), outputs[Mode.DECLARED])


@pytest.mark.slow
def test_half_precision_sums_are_another_mode_where_sums_are_long(tmp_path: Path) -> None:
    outputs = of_family("mobilenet-v2", "FLOAT16", tmp_path)
    assert not np.array_equal(outputs[Mode.DECLARED], outputs[Mode.FP16ACC])
