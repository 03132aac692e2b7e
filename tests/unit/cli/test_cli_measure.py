"""`deployspec measure`: the figures of a file of any format, without a spec."""

from __future__ import annotations

import ctypes
import json
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from torch_files import PICTURES, lower, project

from deployspec.cli import group, main
from deployspec.digests import sha256_file
from deployspec.isolation import available

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*quantize_per_tensor"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

SHAPE = ("--input", "image=1x3x8x8")


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("measured")
    return lower(project(folder), folder / "out", PICTURES, "torchscript").artifact


def measure(*arguments: str | Path) -> Result:
    return CliRunner().invoke(group, ["measure", *map(str, arguments)], standalone_mode=False)


def told(*arguments: str | Path) -> dict[str, Any]:
    result = measure(*arguments, "--format", "json")
    assert result.return_value == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_every_figure_of_a_file_with_what_it_follows_from(artifact: Path) -> None:
    found = told(artifact, *SHAPE, "--calls", "60", "--baseline", artifact, "--sustained", "1 s", "--energy")
    figures = {each["name"]: each for each in found["figures"]}
    assert (found["format"], found["sha256"]) == ("torchscript", sha256_file(artifact))
    assert found["machine"]["cores"] >= 1
    assert figures["size"]["statistic"] == {"kind": "count", "value": str(artifact.stat().st_size)}
    timed = {"latency.p50", "latency.p90", "latency.max", "load", "first_call", "cold_start"}
    assert {"latency_reduction", "sustained_slowdown", "energy", "memory_peak", *timed} <= figures.keys()
    assert not {"latency.p95", "latency.p99"} & figures.keys(), "60 calls are too few for them"
    for name in timed:
        figure = figures[name]
        values = sorted(map(float, figure["statistic"]["values"]))
        assert len(values) == 6
        assert (figure["unit"], float(figure["lower"]), float(figure["upper"])) == ("ms", values[0], values[-1])
        assert values[0] <= float(figure["median"]) <= values[-1]
        assert figure["runtime"].startswith("torch ")
    assert abs(float(figures["latency_reduction"]["median"])) < 0.5


def test_text_for_people(artifact: Path) -> None:
    lines = measure(artifact, *SHAPE, "--processes", "2").stdout.splitlines()
    assert lines[0].startswith(f"{artifact.name}: torchscript, torch ")
    assert [line.split("  ")[1] for line in lines[1:5]] == ["size", "compressed", "p50", "p90"]
    assert any("2 processes of 100 calls, one thread; too few for bounds at 95 % confidence" in line for line in lines)


@pytest.mark.skipif(sys.platform != "linux", reason="a matter of Linux")
def test_nothing_that_it_starts_may_look_into_it(artifact: Path) -> None:
    libc = ctypes.CDLL(None)
    libc.prctl(4, 1, 0, 0, 0)
    measure(artifact, *SHAPE, "--processes", "1")
    assert libc.prctl(3, 0, 0, 0, 0) == (0 if available() else 1)


def test_a_quantized_file_is_measured_on_the_kernels_that_it_was_made_for(tmp_path: Path) -> None:
    made = lower(project(tmp_path), tmp_path / "out", PICTURES, "torchscript-int8-x86").artifact
    assert told(made, *SHAPE, "--engine", "x86", "--processes", "1")["figures"]


def test_given_arrays_are_what_it_is_called_with(artifact: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", **{"0": np.ones((1, 3, 8, 8), "f4"), "image": np.ones((1, 3, 8, 8), "f4")})
    result = measure(artifact, "--inputs", tmp_path / "x.npz")
    assert "the model has no input '0': it takes image" in str(result.exception)


def test_of_a_core_ml_model_only_a_device_can_tell(tmp_path: Path) -> None:
    (package := tmp_path / "net.mlpackage").mkdir()
    (package / "Manifest.json").write_text("{}")
    result = measure(package)
    assert result.return_value == 3
    assert "size" in result.stdout
    assert "not measured: only a device tells" in result.stdout


def test_a_file_that_cannot_be_run_measures_nothing_and_says_why(artifact: Path) -> None:
    result = measure(artifact, "--input", "image=1x4x8x8", "--processes", "1")
    assert result.return_value == 3
    assert "not measured: RuntimeError" in result.stdout
    assert "p50" not in result.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["none.tflite"], "no file or folder 'none.tflite'"),
        ([__file__], "say what it is with --as FORMAT"),
        ([__file__, "--as", "tflit"], "no format 'tflit': perhaps you meant 'tflite'"),
        (
            [__file__, "--as", "tflite", "--time-limit", "soon"],
            "'--time-limit': 'soon' is not a duration",
        ),
        ([__file__, "--as", "tflite", "--sustained", "x"], "'--sustained': 'x' is not a duration"),
        ([__file__, "--as", "tflite", "--calls", "10"], "10 is not in the range"),
        ([__file__, "--as", "tflite"], "test_cli_measure.py"),
    ],
)
def test_what_is_wrong_is_said_with_exit_code_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["measure", *arguments])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_a_shape_that_is_none_is_refused(artifact: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["measure", str(artifact), "--input", "image=1,3,8,8"])
    assert ended.value.code == 2
    assert "--input image=1,3,8,8: shapes are written 1x1x8x8" in capsys.readouterr().err


def test_a_file_that_keeps_no_shapes_asks_for_them(artifact: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["measure", str(artifact)])
    assert "give it, as in --input image=1x3x224x224" in capsys.readouterr().err


def test_a_file_may_be_called_as_the_job_of_its_runner_is(artifact: Path, tmp_path: Path) -> None:
    same = tmp_path / "job.json"
    same.write_bytes(artifact.read_bytes())
    told(same, *SHAPE, "--as", "torchscript", "--processes", "1")
    assert same.read_bytes() == artifact.read_bytes()
