"""Converts small networks with coremltools, of each pair one with a hazard and one without: `hazardous_nets.py FOLDER`.

A program of its own, since coremltools imports every framework that is installed unless it is kept from it.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

sys.modules.update(dict.fromkeys(("tensorflow", "sklearn", "executorch", "torchao", "xgboost", "keras")))
warnings.simplefilter("ignore")

import coremltools as ct  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from coremltools import optimize  # noqa: E402
from torch import nn  # noqa: E402

FLAT, SQUARE, IMAGE = (2, 8), (8, 8), (1, 8, 4, 4)


class Of(nn.Module):
    """A function as a module."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, *tensors: torch.Tensor) -> torch.Tensor:
        return self.function(*tensors)


def convert(net: Any, *shapes: tuple[int, ...], wide: bool = False, minimum: str = "iOS16") -> Any:
    """The network, in float16 unless `wide`."""
    module = net if isinstance(net, nn.Module) else Of(net)
    traced = torch.jit.trace(module.eval(), [torch.rand(shape) for shape in shapes])
    return ct.convert(
        traced,
        inputs=[ct.TensorType(name=f"x{place}", shape=shape) for place, shape in enumerate(shapes)],
        minimum_deployment_target=getattr(ct.target, minimum),
        compute_precision=ct.precision.FLOAT32 if wide else ct.precision.FLOAT16,
    )


def quantized(dtype: type) -> Any:
    settings = optimize.coreml.OpLinearQuantizerConfig(mode="linear_symmetric", dtype=dtype, weight_threshold=0)
    config = optimize.coreml.OptimizationConfig(global_config=settings)
    return optimize.coreml.linear_quantize_weights(convert(nn.Linear(8, 8), FLAT), config)


def palettized(*, scaled: bool) -> Any:
    settings = optimize.coreml.OpPalettizerConfig(
        mode="uniform", nbits=4, enable_per_channel_scale=scaled, weight_threshold=0
    )
    config = optimize.coreml.OptimizationConfig(global_config=settings)
    return optimize.coreml.palettize_weights(convert(nn.Linear(8, 8), FLAT, minimum="iOS18"), config)


PAIRS: dict[str, tuple[Any, Any]] = {
    "float32": (lambda: convert(nn.Linear(8, 8), FLAT, wide=True), lambda: convert(nn.Linear(8, 8), FLAT)),
    "power": (lambda: convert(lambda x: 2.0**x, FLAT), lambda: convert(lambda x: x**2.0 + 3.0**x, FLAT)),
    "int8": (lambda: quantized(np.int8), lambda: quantized(np.uint8)),
    "palette": (lambda: palettized(scaled=True), lambda: palettized(scaled=False)),
    "hardswish": (
        lambda: convert(nn.Sequential(nn.Linear(8, 8), nn.Hardswish()), FLAT),
        lambda: convert(nn.Sequential(nn.Conv2d(8, 8, 1), nn.Hardswish()), IMAGE),
    ),
    "softplus": (lambda: convert(nn.Softplus(), FLAT), lambda: convert(nn.Softplus(), FLAT, wide=True)),
    "log-sum-exp": (
        lambda: convert(lambda x: torch.logsumexp(x, 1), FLAT),
        lambda: convert(lambda x: torch.logsumexp(x, 1), FLAT, wide=True),
    ),
    "atan2": (
        lambda: convert(torch.atan2, FLAT, FLAT),
        lambda: convert(lambda y, x: torch.atan(y / x) + y, FLAT, FLAT),
    ),
    "triangle": (
        lambda: convert(lambda x: torch.triu(x, 1) + torch.tril(x, -1), SQUARE),
        lambda: convert(lambda x: torch.triu(x) - torch.tril(x), SQUARE),
    ),
}


def main(folder: Path) -> None:
    for name, (hazardous, harmless) in PAIRS.items():
        hazardous().save(str(folder / f"{name}.mlpackage"))
        harmless().save(str(folder / f"no-{name}.mlpackage"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
