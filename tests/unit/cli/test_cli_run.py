"""`deployspec run`: named arrays in, named arrays out, and a sentence for whatever does not fit."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from click.testing import CliRunner
from mlprograms import Body, Name, Op, add_function, save, save_model

from deployspec.cli import group, main
from deployspec.cli.arrays import read_arrays, write_arrays
from deployspec.cli.run import MODES
from deployspec.errors import DataFault, UsageError
from deployspec.evaluators.mlprogram import Mode
from deployspec.formats.mlpackage import proto

if TYPE_CHECKING:
    from pathlib import Path

THIRD = ("fp16", (3,))
DIVIDE = Body([Op("real_div", {"x": Name("x"), "y": np.float16(3)}, {"file": THIRD})], ["file"], {"x": THIRD})
"""Its output is called as an argument of numpy.savez is."""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    return save(tmp_path / "net.mlpackage", DIVIDE)


def given(folder: Path, **arrays: np.ndarray) -> Path:
    np.savez(folder / "in.npz", **arrays)
    return folder / "in.npz"


def run(package: Path, inputs: Path, *options: str) -> tuple[str, dict[str, np.ndarray]]:
    """What it says, and what it wrote."""
    out = package.with_name("out.npz")
    arguments = ["run", str(package), "--inputs", str(inputs), "--outputs", str(out), *options]
    outcome = CliRunner().invoke(group, arguments)
    assert outcome.exit_code == 0, outcome.output
    with np.load(out) as archive:
        return outcome.stdout, dict(archive)


ONE = np.ones(3, "f2")


def test_outputs_have_the_names_and_types_of_the_package(package: Path, tmp_path: Path) -> None:
    said, arrays = run(package, given(tmp_path, x=ONE))
    assert said == f"{tmp_path / 'out.npz'}: file [3] float16\n"
    assert arrays["file"].tolist() == [np.float16(1) / np.float16(3)] * 3


def test_a_mode_is_taken(package: Path, tmp_path: Path) -> None:
    _, arrays = run(package, given(tmp_path, x=ONE), "--mode", "fp64")
    assert arrays["file"].dtype == np.float64
    assert arrays["file"].tolist() == [1 / 3] * 3


def test_the_modes_are_those_of_the_evaluator() -> None:
    assert set(MODES) == set(Mode)


def test_one_of_several_functions_is_run(tmp_path: Path) -> None:
    model: Any = proto().Model_pb2.Model(specificationVersion=9)
    model.mlProgram.version, model.description.defaultFunctionName = 1, "third"
    add_function(model, "third", DIVIDE, 8)
    double = Body([Op("add", {"x": Name("x"), "y": Name("x")}, {"twice": THIRD})], ["twice"], {"x": THIRD})
    add_function(model, "double", double, 8)
    package = save_model(tmp_path / "net.mlpackage", model)
    assert run(package, given(tmp_path, x=ONE))[1].keys() == {"file"}
    assert run(package, given(tmp_path, x=ONE), "--function", "double")[1]["twice"].tolist() == [2, 2, 2]


@pytest.mark.parametrize(
    ("arrays", "options", "said"),
    [
        ({"y": ONE}, (), "the model has no input 'y'; its inputs are 'x'"),
        ({}, (), "the input 'x' is missing"),
        ({"x": ONE[:2]}, (), "the input 'x' has shape [2]"),
        ({"x": ONE.astype("i4")}, (), "the input 'x' is int32"),
        ({"x": np.array([{}] * 3)}, (), "cannot be read: Object arrays cannot be loaded"),
        ({"x": ONE}, ("--function", "fourth"), "has no function 'fourth'; it has main"),
        ({"x": ONE}, ("--mode", "fp8"), "'fp8' is not one of 'declared', 'fp64', 'fp16acc'"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_written(
    package: Path, capsys: pytest.CaptureFixture[str], arrays: dict[str, Any], options: tuple[str, ...], said: str
) -> None:
    out = package.with_name("out.npz")
    out.write_bytes(b"what was there before")
    inputs = given(package.parent, **arrays)
    with pytest.raises(SystemExit) as ended:
        main(["run", str(package), "--inputs", str(inputs), "--outputs", str(out), *options])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
    assert out.read_bytes() == b"what was there before"


def test_a_model_of_another_format_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["run", "p.tflite", "--inputs", "x.npz", "--outputs", "y.npz"])
    assert ended.value.code == 2
    assert "run takes an .mlpackage; this is a .tflite" in capsys.readouterr().err


def test_an_operator_that_is_not_evaluated_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    op = Op("random_normal", {"shape": np.array([3], "i4")}, {"y": THIRD})
    package = save(tmp_path / "net.mlpackage", Body([op], ["y"], {"x": THIRD}))
    inputs = given(tmp_path, x=ONE)
    with pytest.raises(SystemExit) as ended:
        main(["run", str(package), "--inputs", str(inputs), "--outputs", str(tmp_path / "out.npz")])
    assert ended.value.code == 2
    assert "does not support 'random_normal'" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 and no more"])
def test_what_is_no_npz_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "in.npz").write_bytes(content)
    with pytest.raises(DataFault, match=r"in\.npz is not a whole \.npz file: write it with numpy\.savez"):
        read_arrays(tmp_path / "in.npz")


def test_files_that_are_not_there_are_said(package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for model, inputs in ((package, "nowhere.npz"), (package.with_name("no.mlpackage"), "nowhere.npz")):
        with pytest.raises(SystemExit) as ended:
            main(["run", str(model), "--inputs", inputs, "--outputs", "out.npz"])
        assert ended.value.code == 2
        assert "cannot be read: No such file or directory" in capsys.readouterr().err


def test_an_npz_that_was_damaged_is_refused(tmp_path: Path) -> None:
    path = given(tmp_path, x=np.zeros(1000))
    content = bytearray(path.read_bytes())
    content[200] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataFault, match="not a whole"):
        read_arrays(path)


def test_what_is_written_is_read_and_tells_no_time(tmp_path: Path) -> None:
    arrays = {"a": np.arange(3.0), "file": np.array("cat"), "a/b": np.zeros((0, 2), "i1")}
    write_arrays(tmp_path / "out.npz", arrays)
    with np.load(tmp_path / "out.npz") as archive:
        assert {name: each.tolist() for name, each in archive.items()} == {k: v.tolist() for k, v in arrays.items()}
    with zipfile.ZipFile(tmp_path / "out.npz") as archive:
        assert {each.date_time for each in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "out.npz").write_bytes(b"before")
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        write_arrays(tmp_path / "out.npz", {"good": ONE, "bad": np.array([{}])})
    assert [each.name for each in tmp_path.iterdir()] == ["out.npz"]
    assert (tmp_path / "out.npz").read_bytes() == b"before"


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot write .*No such file or directory"):
        write_arrays(tmp_path / "nowhere" / "out.npz", {"x": ONE})


LIGHT = """\
import sys
from deployspec.cli import main
try:
    main(["run", "--help"])
finally:
    assert "torch" not in sys.modules
"""


def test_help_says_what_it_is_not_and_imports_no_torch() -> None:
    ran = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True, check=True)
    said = " ".join(ran.stdout.split())
    assert "reference evaluator" in said
    assert "says nothing of how long a device takes" in said
