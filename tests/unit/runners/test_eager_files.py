"""Opening .pt2 and TorchScript files as the source: they run as their module did, and nothing hostile in them runs."""

from __future__ import annotations

import io
import json
import os
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch_files import export

from deployspec.runners.callables import ModelFault
from deployspec.runners.eager import hold_names, load, load_program

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

X = torch.linspace(-1, 1, 8).reshape(2, 4)
BYTES = (4 * 3 + 3 + 3 + 3 + 3 + 3) * 4 + 8
"""Of the weights below: a matrix, a bias, and a normalisation with its counter."""


class Net(torch.nn.Module):
    """Twice as many rows as it is given, with a size that follows from the batch's."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3), torch.nn.Dropout(0.5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


@pytest.fixture(scope="module")
def net() -> torch.nn.Module:
    torch.manual_seed(0)
    return Net().eval()


@pytest.fixture(scope="module")
def files(net: torch.nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    export(net, (X[:1],), folder / "one.pt2")
    batch = torch.export.Dim("batch", min=1, max=64)
    export(net, (X,), folder / "any.pt2", dynamic_shapes=({0: batch},))
    export(net, (X,), folder / "two.pt2")
    export(net, (X,), folder / "net.pt")
    frozen = torch.jit.freeze(torch.jit.script(net))
    torch.jit.save(frozen, str(folder / "frozen.pt"))
    return folder


def opened(folder: Path, source: str) -> Any:
    return load(str(folder), {"source": source, "weights": None})


def fault(folder: Path, source: str) -> str:
    with pytest.raises(ModelFault) as refused:
        opened(folder, source)
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize("source", ["one.pt2", "any.pt2", "net.pt", "frozen.pt"])
def test_a_file_answers_as_its_module_does_in_evaluation_mode(net: torch.nn.Module, files: Path, source: str) -> None:
    run = opened(files, source)
    with torch.inference_mode():
        np.testing.assert_allclose(run([X[:1].numpy()])[0], net(X[:1]).numpy(), rtol=1e-6)


@pytest.mark.parametrize("source", ["one.pt2", "any.pt2", "net.pt"])
def test_a_file_weighs_what_its_tensors_do(files: Path, source: str) -> None:
    assert opened(files, source).facts == {"weight_bytes": BYTES}


def test_the_constants_of_a_frozen_file_are_weighed(files: Path) -> None:
    assert opened(files, "frozen.pt").facts["weight_bytes"] >= (4 * 3 + 3) * 4


def test_a_program_for_a_larger_batch_is_refused(files: Path) -> None:
    said = (
        "two.pt2 was exported for 2 samples at a time (input 'x'): export it with a batch of 1, or with a dynamic one"
    )
    assert fault(files, "two.pt2") == said


def test_what_is_no_file_of_torch_is_said(files: Path) -> None:
    for name in ("junk.pt", "junk.pt2"):
        (files / name).write_text("this is no model")
    assert fault(files, "junk.pt") == "junk.pt is not a whole TorchScript file: save it with torch.jit.save"
    assert fault(files, "junk.pt2") == "junk.pt2 is not a whole file of torch.export.save: File is not a zip file"
    (files / "cut.pt").write_bytes((files / "net.pt").read_bytes()[:2000])
    assert fault(files, "cut.pt").startswith("cut.pt is not a whole TorchScript file: ")
    torch.save({"weight": X}, files / "state.pt")
    assert fault(files, "state.pt").startswith("state.pt holds no TorchScript but a pickled model or a state_dict: ")


class Harm:
    """Unpickled, it leaves a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.mark),)


def pickled(value: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


Change = "Callable[[bytes, Path], bytes]"

CODE = "__import__('os').mkdir('{}')"

HOSTILE: dict[str, tuple[str, Callable[[bytes, Path], bytes], str]] = {
    "a pickle among the sample inputs": (
        "data/sample_inputs/model.pt", lambda _, mark: pickled((Harm(mark),)), "holds pickled Python objects"),
    "a size that is code": (
        "models/model.json",
        lambda old, mark: old.replace(
            b"Symbol('s77', positive=True, integer=True)", CODE.format(mark).encode()),
        "has code where a size belongs: __import__('os')"),
    "a guard that is code": (
        "models/model.json",
        lambda old, mark: json.dumps(json.loads(old) | {"guards_code": [CODE.format(mark)]}).encode(),
        "has code where a size belongs: __import__('os')"),
    "a guard that reaches into the interpreter": (
        "models/model.json",
        lambda old, _: json.dumps(json.loads(old) | {"guards_code": ["L['x'].__class__.__base__"]}).encode(),
        "has code where a size belongs: L['x'].__class__"),
    "weights that are pickled": (
        "data/weights/model_weights_config.json",
        lambda old, _: old.replace(b'"use_pickle": false', b'"use_pickle": true', 1), "holds pickled Python objects"),
}  # fmt: skip


@pytest.mark.parametrize("what", HOSTILE)
def test_what_a_program_hides_is_refused_and_never_runs(files: Path, tmp_path: Path, what: str) -> None:
    record, change, said = HOSTILE[what]
    mark = tmp_path / "harm"
    rewrite(files / "any.pt2", tmp_path / "hostile.pt2", {record: lambda old: change(old, mark)})
    assert f"hostile.pt2 {said}" in fault(tmp_path, "hostile.pt2")
    assert not mark.exists()


def rewrite(path: Path, to: Path, changes: dict[str, Callable[[bytes], bytes]], **added: bytes) -> None:
    found = []
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(to, "w") as written:
        for name in archive.namelist():
            change = changes.get(name.partition("/")[2])
            found += [name] if change else []
            written.writestr(name, change(archive.read(name)) if change else archive.read(name))
        for name, content in added.items():
            written.writestr(name, content)
    assert len(found) == len(changes)


def test_compiled_code_in_a_program_is_refused(files: Path, tmp_path: Path) -> None:
    rewrite(files / "one.pt2", tmp_path / "aot.pt2", {}, **{"one/data/aotinductor/model/model.so": b"\x7fELF"})
    assert fault(tmp_path, "aot.pt2").startswith("aot.pt2 holds data/aotinductor/model/model.so: ")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_record_that_is_there_twice_is_refused(files: Path, tmp_path: Path) -> None:
    """zipfile reads the last of them, torch may read the first."""
    rewrite(files / "one.pt2", tmp_path / "twice.pt2", {}, **{"one/models/model.json": b"{}"})
    assert fault(tmp_path, "twice.pt2").startswith("twice.pt2 holds a record twice: ")


def test_sizes_and_guards_that_follow_from_others_are_no_code(tmp_path: Path) -> None:
    class Folded(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.reshape(x.shape[0] * 2, -1)

    sizes = {0: torch.export.Dim("batch", min=1, max=64), 1: torch.export.Dim.AUTO}
    path = export(Folded(), (torch.rand(8, 4),), tmp_path / "folded.pt2", dynamic_shapes=(sizes,))
    with zipfile.ZipFile(path) as archive:
        model = json.loads(archive.read("folded/models/model.json"))
    assert model["guards_code"]
    assert "FloorDiv" in json.dumps(model)
    assert load_program(path).module()(torch.rand(1, 6)).shape == (2, 3)


def test_names_of_an_archive_are_held(tmp_path: Path) -> None:
    names = {"inputs": ["a", "b"], "outputs": ["c"]}
    path = tmp_path / "named.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("named/extra/signature.json", json.dumps(names))
    hold_names(str(path), names)
    hold_names(str(path), {})
    with pytest.raises(ModelFault, match=r"the file's ends are called .* and .* is wanted"):
        hold_names(str(path), {"inputs": ["b", "a"], "outputs": ["c"]})
