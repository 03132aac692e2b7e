"""A network that XNNPACK takes almost whole, built for every scheme of ExecuTorch: made once for all tests of it."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from deployspec.build import BuildContext, Store, build
from deployspec.ir.artifact import Done
from deployspec.measure.structure import structure_of
from deployspec.parse import parse_spec
from deployspec.plan import make_plan
from deployspec.sources.identity import origins

if TYPE_CHECKING:
    from deployspec.ir.plan import Plan, Route
    from deployspec.ir.structure import Structure

NET = """\
import torch
from torch import nn


class Net(nn.Sequential):  # its first layers' names are numbers, as a bare Sequential's are
    def __init__(self):
        super().__init__(
            nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
            nn.Conv2d(8, 8, 3, groups=8, padding=1), nn.ConvTranspose2d(8, 4, 2, stride=2), nn.Flatten(),
        )
        self.words = nn.Embedding(20, 8)
        self.body = nn.Linear(8 + 4 * 12 * 12, 64)
        self.topic, self.age = nn.Linear(64, 3), nn.Linear(64, 1)

    def forward(self, tokens, image):
        for layer in list(self)[:6]:
            image = layer(image)
        seen = torch.cat([self.words(tokens).mean(dim=1), image], dim=1)
        seen = torch.atan(self.body(seen))  # XNNPACK has no such operator
        return self.topic(seen), self.age(seen)


def build():
    torch.manual_seed(0)
    net = Net()
    net[1].momentum = None
    with torch.no_grad():
        for _ in range(10):
            net(torch.randint(0, 20, (16, 5)), torch.rand(16, 3, 8, 8))
    return net
"""

SPEC = """\
deployspec = 1

[model]
name = "net"
source = "net.py:build"

[[model.inputs]]
name = "tokens"
shape = ["batch", 5]
dtype = "int64"

[[model.inputs]]
name = "image"
shape = ["batch", 3, 8, 8]

[[model.outputs]]
name = "topic"

[[model.outputs]]
name = "age"
kind = "values"

[data]
calibration = "calibration.npz"
test = "test.npz"

[budgets]
agreement = ">= 50 %"

[targets.float32]
format = "executorch"

[targets.int8]
format = "executorch"
passes = [{ pass = "quantize", scheme = "int8" }]

[targets.int8-dynamic]
format = "executorch"
passes = [{ pass = "quantize", scheme = "int8-dynamic" }]

[targets.batched]
format = "executorch"
batch_max = 4
"""

TARGETS = ("float32", "int8", "int8-dynamic", "batched")


@dataclass(frozen=True)
class Built:
    """What a build made, by target."""

    folder: Path
    plan: Plan
    results: dict[str, object]

    def done(self, step: str) -> Done:
        result = self.results[step]
        assert isinstance(result, Done), result
        return result

    def route(self, target: str) -> Route:
        return next(route for route in self.plan.routes if route.target == target)

    def artifact(self, target: str) -> Path:
        return self.done(self.route(target).artifact).artifact

    def structure(self, target: str) -> Structure:
        return structure_of(self.done(self.route(target).structure))

    def evaluation(self, target: str) -> Done:
        return self.done(dict(self.route(target).evaluations)["test"])


def build_project(folder: Path, spec: str = SPEC) -> Built:
    """Build every target of `spec` in `folder`, which holds what the spec names, in a store of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(0)
    for split in ("calibration", "test"):
        tokens, image = generator.integers(0, 20, (24, 5)), generator.random((24, 3, 8, 8), np.float32)
        np.savez(folder / f"{split}.npz", tokens=tokens, image=image)
    (folder / "net.py").write_text(NET)
    (folder / "spec.toml").write_text(spec)
    read = parse_spec(folder / "spec.toml")
    plan = make_plan(read)
    digests = {each.id: each.sha256 for each in origins(read).values()}
    context = BuildContext(folder=read.folder, model=read.model, digests=digests)
    return Built(folder, plan, dict(build(plan, Store(folder / "store"), context)))


@cache
def built() -> Built:
    """The project, built once a process, and gone with it."""
    folder = Path(tempfile.mkdtemp(prefix="executorch-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return build_project(folder / "project")
