"""TorchScript and PyTorch Mobile files, made for real: they answer as the model does, and are the same every time."""

from __future__ import annotations

import zipfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch_files import MODELS, PICTURES, WAYS, WORDS, Lowered, export, lower, project

from deployspec import contract
from deployspec.runners.callables import ModelFault
from deployspec.runners.eager import load_module

if TYPE_CHECKING:
    from collections.abc import Callable

    from deployspec.ir.model import Model

Make = "Callable[[Model, str], Lowered]"

pytestmark = pytest.mark.filterwarnings("ignore:.*quantize_per_tensor")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = project(tmp_path_factory.mktemp("nets"))
    for name, example in EXAMPLES.items():
        module = load_module(str(folder), MODELS[name].source, None)
        for suffix in (".pt2", ".pt"):
            export(module, example, folder / f"{name}{suffix}")
    return folder


@pytest.fixture(scope="module")
def make(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Lowered]:
    return partial(_make, {}, folder, tmp_path_factory.mktemp("lowered"))


def _make(made: dict[str, Lowered], folder: Path, home: Path, model: Model, way: str) -> Lowered:
    key = f"{model.name}-{way}"
    if key not in made:
        made[key] = lower(folder, home / key, model, way)
    return made[key]


EXAMPLES = {
    "pictures": (torch.rand(1, 3, 8, 8),),
    "words": (torch.zeros(1, 4, dtype=torch.int64), torch.rand(1, 6)),
}


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("way", WAYS)
def test_a_file_answers_as_the_model_does(make: Callable[..., Lowered], model: Model, way: str) -> None:
    lowered = make(model, way)
    names = [output.name for output in model.outputs]
    got = lowered.outputs()
    contract.compare(lowered.expected(), got, names, lowered.tolerance)
    assert all(len(np.unique(each.round(3), axis=0)) > 12 for each in got)


@pytest.mark.parametrize("way", WAYS)
def test_a_file_is_the_same_whatever_its_process_made_before(
    make: Callable[..., Lowered], folder: Path, tmp_path: Path, way: str
) -> None:
    first, second = make(WORDS, way), lower(folder, tmp_path / "again", WORDS, way)
    assert second.artifact.read_bytes() == first.artifact.read_bytes()


@pytest.mark.parametrize("way", WAYS)
def test_a_file_holds_no_path_of_the_machine(make: Callable[..., Lowered], folder: Path, way: str) -> None:
    with zipfile.ZipFile(make(PICTURES, way).artifact) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    held = b"".join(members.values())
    assert not [part for part in (folder, "site-packages", Path.home()) if str(part).encode() in held]
    assert not [name for name in members if "debug" in name]


@pytest.mark.parametrize("way", ["torchscript", "ptmobile"])
@pytest.mark.parametrize("suffix", [".pt2", ".pt"])
@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_a_file_of_torch_is_lowered_to_what_its_code_is(
    make: Callable[..., Lowered], folder: Path, tmp_path: Path, model: Model, way: str, suffix: str
) -> None:
    lowered = lower(folder, tmp_path / "out", model, way, source=f"{model.name}{suffix}")
    for got, expected in zip(lowered.outputs(), make(model, way).outputs(), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("way", ["torchscript", "ptmobile"])
@pytest.mark.parametrize("names", [{"inputs": ["facts", "tokens"]}, {"outputs": ["age", "topics"]}])
def test_a_file_with_its_ends_in_another_order_is_refused(
    make: Callable[..., Lowered], way: str, names: dict[str, list[str]]
) -> None:
    with pytest.raises(ModelFault, match="ends are called"):
        make(WORDS, way).outputs(**names)


BRANCHES = """\
import torch
class Branches(torch.nn.Module):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        flat = image.flatten(1)[:, :5]
        if bool(image.sum() > 0):
            return flat * 2
        return flat - 3
def build():
    return Branches()
"""


@pytest.mark.parametrize(("way", "kept"), [("torchscript-script", True), ("torchscript", False)])
def test_scripting_keeps_the_branches_that_tracing_loses(folder: Path, tmp_path: Path, way: str, kept: bool) -> None:
    (folder / "branches.py").write_text(BRANCHES)
    lowered = lower(folder, tmp_path / "out", PICTURES, way, source="branches.py:build")
    assert np.allclose(lowered.outputs()[0], lowered.expected()[0]) is kept


@pytest.mark.parametrize(
    ("way", "most"),
    [("torchscript-int8", 0.35), ("torchscript-int8-x86", 0.35), ("ptmobile-int8", 0.35),
     ("torchscript-float16", 0.55), ("torchscript-bfloat16", 0.55)],
)  # fmt: skip
def test_quantized_weights_take_fewer_bytes(make: Callable[..., Lowered], way: str, most: float) -> None:
    whole = make(PICTURES, WAYS[way][0]).artifact.stat().st_size
    assert make(PICTURES, way).artifact.stat().st_size < most * whole
