"""`deployspec inspect`: what a file holds, whatever its format, without its framework."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from mlprograms import Body, Name, Op, save
from tflite_files import left_over
from torch_files import PICTURES, WORDS, lower, project

from deployspec.cli import group, main
from deployspec.cli.inspect import asked
from deployspec.cli.model_files import formats_of, parse_input, read
from deployspec.errors import UsageError
from deployspec.ir.model import Input, Model
from deployspec.ir.plan import Runner, Toolchain
from deployspec.ir.structure import End, Structure
from deployspec.isolation import FILES, available
from deployspec.registry import Family, load, names
from deployspec.testing.project import PICTURES as NET
from deployspec.testing.project import Case, build_project

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*quantize_per_tensor"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@pytest.fixture(scope="module")
def torch_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The network of pictures and that of words, the latter of two inputs."""
    folder = project(tmp_path_factory.mktemp("project"))
    out = tmp_path_factory.mktemp("out")
    return {
        f"{model.name}-{way}": lower(folder, out / model.name / way, model, way).artifact
        for model, way in ((PICTURES, "torchscript"), (PICTURES, "ptmobile"), (WORDS, "torchscript"))
    }


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """y = softplus(x · W), in float16, of any batch."""
    weight = np.array([[1, 2, 3, 4, 5], [0, 7, 8, 9, 10]], "f2")
    ops = [
        Op("linear", {"x": Name("x"), "weight": weight}, {"h": ("fp16", (None, 2))}),
        Op("softplus", {"x": Name("h")}, {"y": ("fp16", (None, 2))}),
    ]
    folder = save(tmp_path / "net.mlpackage", Body(ops, ["y"], {"x": ("fp16", (None, 5))}), opset=5)
    describe(folder)
    return folder


@pytest.fixture
def divided(tmp_path: Path) -> Path:
    """A .tflite of which XNNPACK takes a part."""
    file = tmp_path / "net.tflite"
    file.write_bytes(left_over().bytes())
    return file


def describe(folder: Path) -> None:
    """Name the ends as a converter does."""
    from deployspec.formats.mlpackage import proto

    file = folder / "Data" / "com.apple.CoreML" / "model.mlmodel"
    model = proto().Model_pb2.Model.FromString(file.read_bytes())
    model.description.input.add(name="x")
    model.description.output.add(name="y")
    file.write_bytes(model.SerializeToString())


def told(*arguments: str | Path) -> dict[str, Any]:
    outcome = CliRunner().invoke(group, ["inspect", *map(str, arguments), "--format", "json"])
    assert outcome.exit_code == 0, outcome.output
    found: dict[str, Any] = json.loads(outcome.stdout)
    return found


def refused(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    with pytest.raises(SystemExit) as ended:
        main(["inspect", *map(str, arguments)])
    assert ended.value.code == 2
    return capsys.readouterr().err


TEXT = """\
net.mlpackage: coreml
  inputs       x  ?x5  float16
  outputs      y  ?x2  float16
  runs on      iOS15 and later
  parameters   10, 10.0% of the kernels' 10 zero
  weights      20 bytes of float16
  MACs         10, one sample
  operators    linear 1, softplus 1
  findings     softplus in float16 ('y'): """


def test_text_tells_all_of_it(package: Path) -> None:
    outcome = CliRunner().invoke(group, ["inspect", str(package)])
    assert outcome.stdout.startswith(TEXT)


def test_json_tells_the_same(package: Path) -> None:
    found = told(package)
    assert (found["file"], found["format"], found["macs"], found["minimum"]) == ("net.mlpackage", "coreml", 10, "iOS15")
    assert found["inputs"] == [{"name": "x", "shape": [-1, 5], "dtype": "float16"}]
    assert found["operators"] == [["linear", 1], ["softplus", 1]]
    assert "coremltools/issues/2687" in found["findings"][0]


@pytest.mark.parametrize("way", ["torchscript", "ptmobile"])
def test_a_file_without_shapes_has_its_work_counted_once_they_are_given(torch_files: dict[str, Path], way: str) -> None:
    file = torch_files[f"pictures-{way}"]
    bare = told(file)
    assert bare["macs"] is None
    assert bare["macsReason"] == "the file keeps no shapes: give them, as in --input image=1x3x224x224"
    for given in ("image=1x3x8x8", "image=Nx3x8x8", "image=1x3x8x8:float32"):
        assert told(file, "--input", given)["macs"] == NET.macs
    assert told(file, "--input", "image=1x3x8x8")["parameters"] == bare["parameters"] == NET.parameters


class Recorder:
    """An inspector that finds these inputs, and remembers what was declared to it."""

    def __init__(self, *inputs: End) -> None:
        self.inputs, self.declared = inputs, list[tuple[Input, ...]]()

    def __call__(self, artifact: Path, model: Model) -> Structure:
        self.declared.append(model.inputs)
        return Structure(
            inputs=self.inputs, outputs=(), operators=(), parameters=0, kernel_elements=0, kernel_zeros=0,
            weight_bytes=(), macs=0,
        )  # fmt: skip


A, B = parse_input("a=1x4:int64"), parse_input("b=1x6")


def test_inputs_are_told_apart_by_name_and_else_by_order(tmp_path: Path) -> None:
    named, nameless = Recorder(End(name="a"), End(name="b")), Recorder(End(name=""), End(name=""))
    for inspect in (named, nameless):
        read(tmp_path, inspect, (B, A))
    assert named.declared[-1] == (A, B)
    assert nameless.declared[-1] == (B, A)


def test_an_open_size_reaches_the_inspector_as_a_spec_would_name_it(tmp_path: Path) -> None:
    """A .pte holds its shapes at the largest batch, and only the declared inputs say that it is one."""
    inspect = Recorder(End(name="x", shape=(-1, 5), dtype="float32"))
    read(tmp_path, inspect, ())
    assert inspect.declared[-1] == (Input(name="x", shape=("batch", 5)),)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("imag=1x3x8x8",), "no input 'imag': perhaps you meant 'image'"),
        (("q=1x3x8x8",), "no input 'q': there are image"),
        (("1x3x8x8",), "an input is written NAME=SHAPE[:DTYPE]"),
        (("image=",), "an input is written NAME=SHAPE[:DTYPE]"),
        (("image=1xx8",), "an input is written NAME=SHAPE[:DTYPE]"),
        (("image=1,3,8,8",), "--input image=1,3,8,8: shapes are written 1x1x8x8"),
        (("image=1x3x-8x8",), "shapes are written 1x1x8x8"),
        (("image=1x3x8x8:float",), "no type 'float'; there are float32, float16"),
    ],
)
def test_an_input_that_is_wrong_is_refused(
    torch_files: dict[str, Path], capsys: pytest.CaptureFixture[str], given: tuple[str, ...], said: str
) -> None:
    options = [word for each in given for word in ("--input", each)]
    assert said in refused(capsys, torch_files["pictures-torchscript"], *options)


def test_each_input_needs_its_shape(torch_files: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, torch_files["words-torchscript"], "--input", "facts=1x6")
    assert "1 of the file's 2 inputs have a shape: give one --input for each" in said


def test_a_file_that_keeps_its_shapes_takes_none(package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "this one does: leave it out" in refused(capsys, package, "--input", "x=1x5")


def test_a_name_may_hold_anything_but_nothing() -> None:
    assert parse_input("a=b:c=2x3:int8") == Input(name="a=b:c", shape=(2, 3), dtype="int8")
    with pytest.raises(UsageError):
        parse_input("=2x3")


@pytest.mark.parametrize("format", names(Family.TARGETS))
def test_every_format_is_told_by_its_suffix(format: str) -> None:
    for suffix in load(Family.TARGETS, format).suffixes:
        assert formats_of(Path(f"net{suffix}")) == [format]


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("net.zip", (), "'net.zip' is none of .mlpackage, .mlmodel, .mlmodelc, .pte, .ptl, .tflite, .pt"),
        ("net.onnx", ("--as", "tflit"), "no format 'tflit': perhaps you meant 'tflite'"),
        ("net.onnx", ("--as", "zzz"), "no format 'zzz': there are "),
        ("net.pt", (), "no whole archive of torch's"),
        ("net.ptl", (), "no whole archive of torch's"),
        ("net.pte", (), "no ExecuTorch program"),
        ("net.tflite", (), "is no .tflite"),
        ("net.mlmodel", (), "no Core ML model"),
    ],
)
def test_what_is_no_model_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, options: tuple[str, ...], said: str
) -> None:
    (tmp_path / name).write_bytes(b"no model at all, but long enough to look at")
    assert said in refused(capsys, tmp_path / name, *options)


def test_what_is_not_there_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no file or folder" in refused(capsys, tmp_path / "net.pt")


def test_a_folder_in_the_place_of_a_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "net.tflite").mkdir()
    assert "Is a directory" in refused(capsys, tmp_path / "net.tflite")


def test_a_compiled_model_is_told_what_to_give_instead(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "net.mlmodelc").mkdir()
    assert "give the .mlpackage that it was compiled from" in refused(capsys, tmp_path / "net.mlmodelc")


LIGHT = """\
import sys, time
from click.testing import CliRunner
from deployspec.cli import group

for path in sys.argv[1:]:
    began = time.process_time()
    outcome = CliRunner().invoke(group, ["inspect", path])
    assert outcome.exit_code == 0, outcome.output
    assert time.process_time() - began < 1, path
frameworks = "torch", "tensorflow", "ai_edge_litert", "coremltools", "executorch", "scipy", "keras"
print([each for each in frameworks if each in sys.modules])
"""


def is_light(*files: Path) -> bool:
    """Whether no framework is there afterwards, nor any message of one."""
    ran = subprocess.run([sys.executable, "-c", LIGHT, *map(str, files)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return (ran.stdout.strip(), ran.stderr) == ("[]", "")


def test_it_is_quick_and_needs_no_framework(torch_files: dict[str, Path], package: Path, divided: Path) -> None:
    assert is_light(package, divided, *torch_files.values())


def test_what_a_delegate_leaves_is_asked_of_the_runtime(divided: Path) -> None:
    found = told(divided)
    assert found["undelegated"] == [["FLOOR_MOD", 1]]
    assert found["findings"] == ["operators that XNNPACK leaves to slower kernels: FLOOR_MOD (1)"]


RUNTIME = """\
import os, signal, time
from pathlib import Path
from types import SimpleNamespace

RUNTIME = "one that is not to be trusted"

def crash():
    os.kill(os.getpid(), signal.SIGSEGV)

def leave():
    os._exit(0)

def hang():
    time.sleep(60)

def lie():
    return {"undelegated": {"CONV_2D": -1}, "findings": []}

def reach():
    Path(os.environ["HOME"], "marker").write_text("x")

def load(artifact, options):
    return SimpleNamespace(facts=globals()[Path(artifact).read_text()]())
"""


def asked_of(model: Path, does: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """What is said of the file when the runtime, asked of it, `does` something else than tell."""
    model.with_name("untrusted_runtime.py").write_text(RUNTIME)
    monkeypatch.syspath_prepend(model.parent)
    monkeypatch.setenv("HOME", str(model.parent))
    model.write_text(does)
    runner = Runner(script="untrusted_runtime", toolchain=Toolchain(name="untrusted"))
    bare = Recorder()(model, Model(name="net", source="net", inputs=()))
    found = asked(bare, model, runner, time_limit_s=5)
    assert found.undelegated is None
    (finding,) = found.findings
    return finding.removeprefix("its runtime does not tell which operators a delegate leaves: ")


@pytest.mark.parametrize(
    ("does", "said"),
    [
        ("crash", "killed by SIGSEGV"),
        ("leave", "exited 0 without an answer"),
        ("hang", "no answer within 5 s"),
        ("lie", "undelegated['CONV_2D']: this must be at least 1"),
    ],
)
def test_a_runtime_that_does_not_tell_is_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, does: str, said: str
) -> None:
    assert asked_of(tmp_path / "net", does, monkeypatch) == said


@pytest.mark.skipif(not any(each.startswith(FILES) for each in available()), reason="nothing keeps files apart here")
def test_a_runtime_that_is_asked_writes_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "PermissionError" in asked_of(tmp_path / "net", "reach", monkeypatch)
    assert not (tmp_path / "marker").exists()


@pytest.mark.slow
def test_all_five_formats_tell_the_same_work(tmp_path: Path) -> None:
    cases = tuple(Case(name=name, format=name) for name in names(Family.TARGETS))
    built = build_project(tmp_path / "project", tmp_path / "store", NET, cases)
    files = [built.artifact(case) for case in cases]
    assert is_light(*files)
    for file in files:
        options = ("--input", "image=1x3x8x8") if file.suffix in (".pt", ".ptl") else ()
        found = told(file, *options)
        assert (found["macs"], found["parameters"]) == (NET.macs, NET.parameters), file
