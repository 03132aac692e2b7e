"""MobileNetV2 in a process of its own: `mobilenet.py make FOLDER`, `mobilenet.py eager` or `mobilenet.py PACKAGE`.

The first writes it as `float32.mlpackage` and `float16.mlpackage`; the others print the seconds of one batch on one
thread, the median of some, by eager torch and by the evaluator of ML Programs.
"""

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from nets import InvertedResidual, convert, quietly

BATCH = 32
SIZE = 224
TURNS = 3

# Table 2 of Sandler et al., "MobileNetV2": growth, channels, repeats, stride of the first.
BLOCKS = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))


class MobileNetV2(nn.Module):
    """(n, 3, 224, 224) to (n, 1000) logits. 3.5 M parameters."""

    def __init__(self) -> None:
        super().__init__()
        channels, blocks = 32, []
        for grow, outputs, repeats, stride in BLOCKS:
            for number in range(repeats):
                blocks.append(InvertedResidual(channels, outputs, 1 if number else stride, grow, v3=False))
                channels = outputs
        self.features = nn.Sequential(
            *(nn.Conv2d(3, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU6(), *blocks),
            *(nn.Conv2d(channels, 1280, 1, bias=False), nn.BatchNorm2d(1280), nn.ReLU6()),
        )
        self.head = nn.Linear(1280, 1000)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x).mean((2, 3)))


def main(what: str, *folder: str) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    net, x = MobileNetV2().eval(), torch.randn(BATCH, 3, SIZE, SIZE)
    if what == "make":
        make(net, x, Path(*folder))
    else:
        print(seconds(eager(net, x) if what == "eager" else evaluator(Path(what), x)))


def make(net: nn.Module, x: Tensor, folder: Path) -> None:
    """Both packages, for a batch like `x`."""
    with quietly():
        import coremltools as ct
    for precision in (ct.precision.FLOAT32, ct.precision.FLOAT16):
        path = folder / f"{precision.name.lower()}.mlpackage"
        convert(ct, net, x, path, compute_precision=precision)


def eager(net: nn.Module, x: Tensor) -> Callable[[], object]:
    def call() -> Tensor:
        with torch.inference_mode():
            return net(x)

    return call


def evaluator(package: Path, x: Tensor) -> Callable[[], object]:
    from deployspec.evaluators.mlprogram import Mode, load

    program, array = load(package, mode=Mode.DECLARED), x.numpy()
    return lambda: program(x=array)


def seconds(call: Callable[[], object]) -> float:
    """The median time of a call, after one that warms up."""
    call()
    found = []
    for _ in range(TURNS):
        start = time.perf_counter()
        call()
        found.append(time.perf_counter() - start)
    return statistics.median(found)


if __name__ == "__main__":
    main(*sys.argv[1:])
