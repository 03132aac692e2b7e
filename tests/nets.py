"""Small nets of the families that people deploy, with weights and statistics that depend on their input."""

from __future__ import annotations

import gc
import logging
import sys
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import ModuleType

_NOT_NEEDED = ("tensorflow", "sklearn", "executorch", "torchao", "xgboost", "keras")


class Cnn(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(8, 16, 3, stride=2), nn.ReLU(), nn.AvgPool2d(2)),
        )
        self.head = nn.Linear(144, 10)

    def forward(self, x: Tensor) -> Tensor:
        return torch.softmax(self.head(self.features(x).flatten(1)), -1)


class InvertedResidual(nn.Module):
    """MobileNetV2's block; V3's with squeeze and excitation."""

    def __init__(self, inputs: int, outputs: int, stride: int, grow: int, v3: bool) -> None:
        super().__init__()
        hidden, act = inputs * grow, nn.Hardswish if v3 else nn.ReLU6
        self.residual = stride == 1 and inputs == outputs
        self.spread = nn.Sequential(
            *(nn.Conv2d(inputs, hidden, 1, bias=False), nn.BatchNorm2d(hidden), act()),
            *(nn.Conv2d(hidden, hidden, 3, stride, 1, groups=hidden, bias=False), nn.BatchNorm2d(hidden), act()),
        )
        squeeze = (nn.AdaptiveAvgPool2d(1), nn.Conv2d(hidden, 8, 1), nn.ReLU(), nn.Conv2d(8, hidden, 1))
        self.excite = nn.Sequential(*squeeze, nn.Hardsigmoid()) if v3 else None
        self.project = nn.Sequential(nn.Conv2d(hidden, outputs, 1, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        y = self.spread(x)
        y = self.project(y if self.excite is None else y * self.excite(y))
        return x + y if self.residual else y


class MobileNet(nn.Module):
    def __init__(self, v3: bool) -> None:
        super().__init__()
        blocks = [
            InvertedResidual(8, 8, 1, 2, v3),
            InvertedResidual(8, 16, 2, 4, v3),
            InvertedResidual(16, 16, 1, 4, v3),
        ]
        self.features = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), *blocks)
        self.head = nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x).mean((2, 3)))


class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down, self.bottom, self.out = self.block(3, 8), self.block(8, 16), self.block(16, 8)
        self.up, self.head = nn.ConvTranspose2d(16, 8, 2, 2), nn.Conv2d(8, 2, 1)

    @staticmethod
    def block(inputs: int, outputs: int) -> nn.Module:
        norm = nn.InstanceNorm2d(outputs, affine=True)
        return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), norm, nn.LeakyReLU(0.1))

    def forward(self, x: Tensor) -> Tensor:
        down = self.down(x)
        bottom = self.bottom(functional.max_pool2d(down, 2))
        near = functional.interpolate(bottom[:, :8], scale_factor=2, mode="bilinear", align_corners=False)
        return self.head(self.out(torch.cat([down, self.up(bottom) + near], 1)))


class Encoder(nn.Module):
    """One block of a transformer over 12 tokens of 50; attention written out, or torch's own."""

    def __init__(self, sdpa: bool) -> None:
        super().__init__()
        self.sdpa, self.tokens = sdpa, nn.Embedding(50, 32)
        self.places = nn.Parameter(torch.randn(12, 32))
        self.qkv, self.merge, self.head = nn.Linear(32, 96), nn.Linear(32, 32), nn.Linear(32, 5)
        self.before, self.after = nn.LayerNorm(32), nn.LayerNorm(32)
        self.mlp = nn.Sequential(nn.Linear(32, 64), nn.GELU(), nn.Linear(64, 32))

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.tokens(tokens) + self.places
        q, k, v = self.qkv(self.before(x)).reshape(x.shape[0], 12, 3, 4, 8).permute(2, 0, 3, 1, 4).unbind(0)
        if self.sdpa:
            seen = functional.scaled_dot_product_attention(q, k, v)
        else:
            seen = torch.softmax(q @ k.transpose(-1, -2) / 8**0.5, -1) @ v
        x = x + self.merge(seen.transpose(1, 2).reshape(x.shape))
        return self.head((x + self.mlp(self.after(x))).mean(1))


class Recurrent(nn.Module):
    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer, self.head = layer, nn.Linear(32, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layer(x)[0].mean(1))


FAMILIES: dict[str, Callable[[], tuple[nn.Module, Tensor]]] = {
    "cnn": lambda: (Cnn(), torch.randn(2, 3, 32, 32)),
    "mobilenet-v2": lambda: (MobileNet(v3=False), torch.randn(2, 3, 32, 32)),
    "mobilenet-v3": lambda: (MobileNet(v3=True), torch.randn(2, 3, 32, 32)),
    "unet": lambda: (UNet(), torch.randn(2, 3, 32, 32)),
    "encoder": lambda: (Encoder(sdpa=False), torch.randint(0, 50, (2, 12), dtype=torch.int32)),
    "sdpa-encoder": lambda: (Encoder(sdpa=True), torch.randint(0, 50, (2, 12), dtype=torch.int32)),
    "bilstm": lambda: (Recurrent(nn.LSTM(8, 16, batch_first=True, bidirectional=True)), torch.randn(2, 7, 8)),
    "gru": lambda: (Recurrent(nn.GRU(8, 32, batch_first=True)), torch.randn(2, 7, 8)),
}


def settled(family: str) -> tuple[nn.Module, Tensor]:
    """A net of the family, in evaluation mode, and an input for it; always the same."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        net, example = FAMILIES[family]()
        for layer in net.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.momentum = None
        for _ in range(10):
            net.train()(torch.randn_like(example) if example.is_floating_point() else example)
    return net.eval(), example


def coremltools_alone() -> ModuleType:
    """coremltools without the frameworks that it would import only because they are installed."""
    blocked = [each for each in _NOT_NEEDED if each not in sys.modules]
    sys.modules.update(dict.fromkeys(blocked))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import coremltools
    for each in blocked:
        del sys.modules[each]
    logging.getLogger("coremltools").setLevel(logging.ERROR)
    return coremltools


@contextmanager
def quietly() -> Iterator[None]:
    """Without coremltools' warnings, also those of the temporary folders that it leaves to the garbage collector."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
        gc.collect()


def convert(ct: Any, net: nn.Module, example: Tensor, path: Path, **options: Any) -> Path:
    """The net as an .mlpackage of iOS 18 whose input is `x` and whose output is `y`."""
    dtype = np.float32 if example.is_floating_point() else np.int32
    ends = {"inputs": [ct.TensorType(name="x", shape=example.shape, dtype=dtype)], "outputs": [ct.TensorType(name="y")]}
    options = ends | {"minimum_deployment_target": ct.target.iOS18} | options
    with quietly():
        ct.convert(torch.jit.trace(net, example), **options).save(str(path))
    return path
