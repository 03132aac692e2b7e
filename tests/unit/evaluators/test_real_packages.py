"""What coremltools writes around a net: images, classes, flexible shapes, state, several functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from nets import convert, quietly, settled

from deployspec.evaluators.mlprogram import WrongInput, load

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


def test_an_image_is_scaled_and_classified(coremltools: Any, tmp_path: Path) -> None:
    net, _ = settled("cnn")
    image = coremltools.ImageType(name="x", shape=(1, 3, 32, 32), scale=1 / 127.5, bias=[-1, -1, -1])
    classes = coremltools.ClassifierConfig([f"class {at}" for at in range(10)])
    options = {"inputs": [image], "classifier_config": classes, "outputs": None} | precise(coremltools)
    program = load(convert(coremltools, net, torch.zeros(1, 3, 32, 32), tmp_path / "m.mlpackage", **options))
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    outputs = program(x=pixels)

    with torch.no_grad():
        expected = net(torch.from_numpy(np.moveaxis(pixels, -1, 0)[None].astype("f4")) / 127.5 - 1)[0].numpy()
    assert program.inputs[0].image == "RGB"
    assert str(outputs["classLabel"]) == f"class {expected.argmax()}"
    probabilities = next(each for each in program.outputs if each.classes)
    assert probabilities.classes[3] == "class 3"
    np.testing.assert_allclose(outputs[probabilities.name], expected, atol=1e-6)


def test_a_flexible_batch(coremltools: Any, tmp_path: Path) -> None:
    net, example = settled("mobilenet-v2")
    batch = coremltools.RangeDim(lower_bound=1, upper_bound=8)
    options = {"inputs": [coremltools.TensorType(name="x", shape=(batch, 3, 32, 32))]} | precise(coremltools)
    program = load(convert(coremltools, net, example, tmp_path / "m.mlpackage", **options))
    for count in (1, 5):
        x = torch.randn(count, 3, 32, 32, generator=torch.Generator().manual_seed(count))
        with torch.no_grad():
            np.testing.assert_allclose(program(x=x.numpy())["y"], net(x), atol=1e-4)
    with pytest.raises(WrongInput, match=r"of shape \[1 to 8, 3, 32, 32\]"):
        program(x=np.zeros((9, 3, 32, 32), "f4"))


class Memory(torch.nn.Module):
    """The running sum of its inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("total", torch.zeros(3, dtype=torch.float16))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.total.add_(x)
        return self.total * 2


def test_a_stateful_model(coremltools: Any, tmp_path: Path) -> None:
    wrapped = coremltools.TensorType(shape=(3,), dtype=np.float16)
    options = {
        "inputs": [coremltools.TensorType(name="x", shape=(3,), dtype=np.float16)],
        "states": [coremltools.StateType(wrapped_type=wrapped, name="total")],
        "outputs": [coremltools.TensorType(name="y", dtype=np.float16)],
        "compute_precision": coremltools.precision.FLOAT16,
    }
    example = torch.zeros(3, dtype=torch.float16)
    program = load(convert(coremltools, Memory().eval(), example, tmp_path / "m.mlpackage", **options))
    state, x = program.new_state(), np.array([1, 2, 3], "f2")
    assert program.run({"x": x}, state)["y"].tolist() == [2, 4, 6]
    assert program.run({"x": x}, state)["y"].tolist() == [4, 8, 12]
    assert program(x=x)["y"].tolist() == [2, 4, 6]


def test_a_model_of_several_functions(coremltools: Any, tmp_path: Path) -> None:
    description = coremltools.utils.MultiFunctionDescriptor()
    expected = {}
    x = settled("cnn")[1].numpy()
    for family in ("cnn", "mobilenet-v2"):
        part = convert(coremltools, *settled(family), tmp_path / f"{family}.mlpackage", **precise(coremltools))
        expected[family] = load(part)(x=x)["y"]
        description.add_function(str(part), src_function_name="main", target_function_name=family)
    description.default_function_name = "cnn"
    with quietly():
        coremltools.utils.save_multifunction(description, str(tmp_path / "both.mlpackage"))
    both = {name: load(tmp_path / "both.mlpackage", function=name) for name in (None, "mobilenet-v2")}
    assert both[None].function == "cnn"
    np.testing.assert_array_equal(both[None](x=x)["y"], expected["cnn"])
    np.testing.assert_array_equal(both["mobilenet-v2"](x=x)["y"], expected["mobilenet-v2"])


def precise(ct: Any) -> dict[str, Any]:
    return {"compute_precision": ct.precision.FLOAT32}
