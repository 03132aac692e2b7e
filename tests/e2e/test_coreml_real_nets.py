"""Trained networks of real size on the Core ML evaluator, against what their own weights say in eager torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from agreement_of_nets import of_crepe, of_efficientnet

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


def test_efficientnet_is_what_eager_float64_says(tmp_path: Path) -> None:
    assert of_efficientnet(tmp_path) <= 1e-6


def test_a_package_that_others_made_hears_the_pitches_of_the_weights_it_came_from() -> None:
    agreeing, frames, pitches = of_crepe()
    assert pitches > 100
    assert agreeing >= 0.995 * frames
