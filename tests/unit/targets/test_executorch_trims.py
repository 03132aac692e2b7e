"""What is left out of ExecuTorch's exporter is left out where it changes nothing: programs are the same to the byte."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache

import pytest

LOWER = """
import hashlib, json, sys, warnings

warnings.simplefilter("ignore")
import torch
from torch import nn
from executorch.backends.xnnpack.partition.graphs import bilinear_2d, sdpa
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import get_symmetric_quantization_config
from executorch.exir import to_edge_transform_and_lower
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

from deployspec.targets import executorch_trims as trims


class Attention(nn.Module):
    def forward(self, x):
        return nn.functional.scaled_dot_product_attention(x, x, x)


class WrittenOut(nn.Module):
    def forward(self, x):
        return torch.softmax(x @ x.transpose(-1, -2) * 0.25, dim=-1) @ x


class Branches(nn.Module):
    def forward(self, x):
        return torch.cond(x.sum() > 0, lambda x: torch.softmax(x, dim=-1), lambda x: x + 1, (x,)) * x


class Pictures(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU())
        self.second = nn.Sequential(nn.ConvTranspose2d(8, 4, 2), nn.BatchNorm2d(4), nn.ReLU())

    def forward(self, x):
        return self.second(self.first(x))


NETS = {
    "pictures": (Pictures, (1, 3, 8, 8)),
    "resizes": (lambda: nn.Upsample(scale_factor=2, mode="bilinear"), (1, 3, 8, 8)),
    "attention": (Attention, (1, 2, 4, 16)),
    "written-out": (WrittenOut, (1, 2, 4, 16)),
    "branches": (Branches, (2, 4)),
}


def quantized(module, x):
    config = get_symmetric_quantization_config(is_per_channel=True)
    with torch.no_grad():
        quantizer = trims.post_training_quantizer().set_global(config)
        prepared = prepare_pt2e(torch.export.export(module, (x,)).module(), quantizer)
        prepared(x)
        return convert_pt2e(prepared)


def lowered(name, scheme):
    torch.manual_seed(0)
    build, shape = NETS[name]
    module, x = build().eval(), torch.randn(shape)
    program = torch.export.export(quantized(module, x) if scheme == "int8" else module, (x,))
    with trims.without_idle_patterns(program):
        edge = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
    return hashlib.sha256(edge.to_executorch().buffer).hexdigest()


if sys.argv[1] == "whole":
    trims.LOOKED_AT = frozenset()
traced = {"resizing": bilinear_2d._get_bilinear_2d_graphs, "attention": sdpa.get_graphs}
told = []
for case in sys.argv[2:]:
    for each in traced.values():
        each.cache_clear()
    told.append([lowered(*case.split(":")), *(what for what, each in traced.items() if each.cache_info().misses)])
print(json.dumps(told))
"""

CASES = (
    "pictures:float32",
    "pictures:int8",
    "resizes:float32",
    "attention:float32",
    "written-out:float32",
    "branches:float32",
)


@cache
def ran(how: str) -> subprocess.CompletedProcess[str]:
    """Lower each case, "trimmed" or "whole"."""
    return subprocess.run([sys.executable, "-c", LOWER, how, *CASES], capture_output=True, text=True, check=False)


def lowered(how: str, case: str) -> tuple[str, list[str]]:
    """The program's digest, and which pattern graphs were traced for it."""
    assert ran(how).returncode == 0, ran(how).stderr
    digest, *traced = json.loads(ran(how).stdout.splitlines()[-1])[CASES.index(case)]
    return digest, traced


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_the_program_is_the_same_to_the_byte(case: str) -> None:
    assert lowered("trimmed", case)[0] == lowered("whole", case)[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "traced"),
    [
        ("pictures:float32", []),
        ("pictures:int8", []),
        ("resizes:float32", ["resizing"]),
        ("attention:float32", ["attention"]),
        ("written-out:float32", ["attention"]),
        ("branches:float32", ["attention"]),
    ],
)
def test_patterns_are_traced_for_the_models_that_have_their_operators(case: str, traced: list[str]) -> None:
    assert lowered("trimmed", case)[1] == traced


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_of_an_unknown_version_nothing_is_left_out(case: str) -> None:
    assert lowered("whole", case)[1] == ["resizing", "attention"]
