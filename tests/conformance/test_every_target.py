"""Every format with every scheme that it takes: made for real, held to its contract, and what it promises to be.

What other distributions register is held to the same.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from deployspec import registry
from deployspec.build import BuildContext, Store, build
from deployspec.digests import size_bytes
from deployspec.ir.artifact import Done
from deployspec.parse import parse_spec
from deployspec.plan import make_plan
from deployspec.registry import Family
from deployspec.sources.identity import origins

if TYPE_CHECKING:
    from deployspec.ir.artifact import StepResult
    from deployspec.ir.plan import Plan, Route

HERE = Path(__file__).parent

PICTURES = """\
[[model.inputs]]
name = "image"
shape = ["batch", 3, 8, 8]
range = [-1.0, 1.0]

[[model.outputs]]
name = "logits"
"""

WORDS = """\
[[model.inputs]]
name = "tokens"
shape = ["batch", 4]
dtype = "int64"

[[model.inputs]]
name = "facts"
shape = ["batch", 6]

[[model.outputs]]
name = "topics"

[[model.outputs]]
name = "age"
kind = "values"
"""

DRIFT = {"float32": 1e-4, "float16": 0.01, "int8": 0.15, "int8-dynamic": 0.1, "int8-weights": 0.05}
"""How far outputs may be from the reference's, as a share of their spread; a new scheme states its own."""

SHRINKS = {"float16": 0.75, "int8": 0.6, "int8-dynamic": 0.6, "int8-weights": 0.6}
"""Bytes against the float32 artifact of the format, at most."""

OPTIONS = {
    "tflite-nhwc": ("tflite", None, 'layout = "nhwc"'),
    "tflite-nhwc-int8": ("tflite", "int8", 'layout = "nhwc"'),
    "tflite-int8-io": ("tflite", "int8", 'io = "int8"'),
    "torchscript-script": ("torchscript", None, 'method = "script"'),
    "torchscript-int8-x86": ("torchscript", "int8", 'engine = "x86"'),
}
"""Targets with an option of their format, beside those that the registry gives."""


def schemes() -> dict[str, tuple[str, str | None, str]]:
    """Every format with each of its schemes: target name to format, scheme and options."""
    found: dict[str, tuple[str, str | None, str]] = {}
    for name in registry.names(Family.TARGETS):
        for lowering in registry.load(Family.TARGETS, name)().lowerings():
            found[f"{name}-{lowering.realises or 'float32'}"] = (name, lowering.realises, "")
    return found


TARGETS = schemes() | OPTIONS


def spec_text(source: str, ends: str) -> str:
    head = f'deployspec = 1\n[model]\nname = "net"\nsource = "nets.py:{source}"\n{ends}\n'
    data = '[data]\ncalibration = "calibration.npz"\ntest = "test.npz"\n[budgets]\nagreement = ">= 50 %"\n'
    return head + data + "".join(map(target_text, TARGETS))


def target_text(name: str) -> str:
    format, scheme, options = TARGETS[name]
    passes = f'passes = [{{ pass = "quantize", scheme = "{scheme}" }}]\n' if scheme else ""
    return f'[targets.{name}]\nformat = "{format}"\n{passes}{options}\n'


@dataclass(frozen=True)
class Built:
    """All targets of one model."""

    plan: Plan
    results: dict[str, StepResult]

    def route(self, target: str) -> Route:
        return next(route for route in self.plan.routes if route.target == target)

    def artifact(self, target: str) -> Path:
        return self.done(self.route(target).artifact).artifact

    def done(self, step: str) -> Done:
        result = self.results[step]
        assert isinstance(result, Done), result
        return result

    def outputs(self, step: str) -> list[np.ndarray]:
        """What a step answered for the test split, by output."""
        folder = self.done(step).folder / "outputs"
        return [np.load(path) for path in sorted(folder.iterdir(), key=lambda path: int(path.stem))]


def build_all(folder: Path, store: Path, text: str, **samples: np.ndarray) -> Built:
    shutil.copy(HERE / "nets.py", folder)
    for split, first, last in (("calibration", 0, 32), ("test", 32, 64)):
        np.savez(folder / f"{split}.npz", **{name: array[first:last] for name, array in samples.items()})
    (folder / "spec.toml").write_text(text)
    spec = parse_spec(folder / "spec.toml")
    plan = make_plan(spec)
    digests = {origin.id: origin.sha256 for origin in origins(spec).values()}
    context = BuildContext(folder=spec.folder, model=spec.model, digests=digests)
    return Built(plan, build(plan, Store(store), context))


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory, store: Path) -> Built:
    generator = np.random.default_rng(0)
    image = generator.uniform(-1, 1, (64, 3, 8, 8)).astype(np.float32)
    return build_all(tmp_path_factory.mktemp("pictures"), store, spec_text("pictures", PICTURES), image=image)


@pytest.fixture(scope="session")
def words(tmp_path_factory: pytest.TempPathFactory, store: Path) -> Built:
    generator = np.random.default_rng(0)
    tokens, facts = generator.integers(0, 50, (64, 4)), generator.standard_normal((64, 6), np.float32)
    return build_all(tmp_path_factory.mktemp("words"), store, spec_text("words", WORDS), tokens=tokens, facts=facts)


def drift(built: Built, target: str) -> float:
    """The largest difference from the reference over the test split, as a share of the output's spread."""
    reference, artifact = built.outputs("reference@test"), built.outputs(dict(built.route(target).evaluations)["test"])
    assert len(reference) == len(artifact)
    return max(
        float(np.abs(got - expected).max() / np.ptp(expected))
        for got, expected in zip(artifact, reference, strict=True)
    )


def accepted(target: str) -> float:
    return DRIFT[TARGETS[target][1] or "float32"]


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_of_pictures_is_made_and_keeps_its_contract(pictures: Built, target: str) -> None:
    for step in pictures.route(target).steps:
        pictures.done(step)
    assert drift(pictures, target) <= accepted(target)


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_with_several_ends_and_integers_is_made_and_keeps_its_contract(words: Built, target: str) -> None:
    for step in words.route(target).steps:
        words.done(step)
    assert drift(words, target) <= accepted(target)


@pytest.mark.parametrize("target", TARGETS)
def test_an_artifact_follows_its_input(pictures: Built, words: Built, target: str) -> None:
    """Parity of a model that answers always the same would mean nothing."""
    for built in (pictures, words):
        for output in built.outputs(dict(built.route(target).evaluations)["test"]):
            assert len(np.unique(output.round(3), axis=0)) > 16


@pytest.mark.parametrize("target", [name for name in TARGETS if TARGETS[name][1]])
def test_a_quantized_file_is_smaller(pictures: Built, target: str) -> None:
    format, scheme, _ = TARGETS[target]
    small, large = (size_bytes(pictures.artifact(name)) for name in (target, f"{format}-float32"))
    assert small < SHRINKS[str(scheme)] * large


@pytest.mark.parametrize("target", [name for name in TARGETS if TARGETS[name][0] == "torchscript"])
def test_a_torchscript_file_holds_no_path_of_the_machine_that_made_it(pictures: Built, target: str) -> None:
    with zipfile.ZipFile(pictures.artifact(target)) as archive:
        members = [archive.read(name) for name in archive.namelist()]
    assert not [member for member in members if str(Path.cwd()).encode() in member or b"site-packages" in member]
    assert not [name for name in archive.namelist() if "debug" in name]


INSPECT = """
import json, sys
from ai_edge_litert.interpreter import Interpreter
for path in sys.argv[1:]:
    runner = Interpreter(model_path=path).get_signature_runner()
    ends = [runner.get_input_details(), runner.get_output_details()]
    print(json.dumps([{n: [d["dtype"].__name__, list(map(int, d["shape"]))] for n, d in end.items()} for end in ends]))
"""


@pytest.fixture(scope="session")
def ends(pictures: Built, words: Built) -> dict[tuple[str, str], list[dict[str, list[object]]]]:
    """Inputs and outputs of every .tflite by its signature: name to type and shape."""
    files = {
        (model, name): str(built.artifact(name))
        for model, built in (("pictures", pictures), ("words", words))
        for name in TARGETS
        if TARGETS[name][0] == "tflite"
    }
    ran = subprocess.run([sys.executable, "-c", INSPECT, *files.values()], capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("[")]
    return dict(zip(files, lines, strict=True))


@pytest.mark.parametrize("target", [name for name in TARGETS if TARGETS[name][0] == "tflite"])
def test_a_tflite_keeps_the_specs_names(
    ends: dict[tuple[str, str], list[dict[str, list[object]]]], target: str
) -> None:
    kind = "int8" if target == "tflite-int8-io" else "float32"
    image = [1, 8, 8, 3] if "nhwc" in target else [1, 3, 8, 8]
    assert ends["pictures", target] == [{"image": [kind, image]}, {"logits": [kind, [1, 5]]}]
    assert ends["words", target] == [
        {"tokens": ["int32", [1, 4]], "facts": [kind, [1, 6]]},  # the converter narrows 64-bit integers
        {"topics": [kind, [1, 3]], "age": [kind, [1, 1]]},
    ]


@pytest.mark.slow
@pytest.mark.parametrize("format", ["tflite", "torchscript"])
def test_ends_beyond_the_tenth_stay_in_their_places(tmp_path: Path, format: str) -> None:
    """A converter that sorts by name puts the eleventh after the second."""
    inputs = "".join(f'[[model.inputs]]\nname = "in{i}"\nshape = ["batch", 1]\n' for i in range(12))
    outputs = "".join(f'[[model.outputs]]\nname = "out{i}"\nkind = "values"\n' for i in range(12))
    head, _, _ = spec_text("many", inputs + outputs).partition("[targets.")
    samples = {f"in{i}": np.full((64, 1), i + 1, np.float32) for i in range(12)}
    built = build_all(tmp_path, tmp_path / "store", f'{head}[targets.t]\nformat = "{format}"\n', **samples)
    assert [output[0, 0] for output in built.outputs(f"{format}.float32@test")] == [(i + 1) ** 2 for i in range(12)]


def test_what_targets_share_was_made_once(pictures: Built) -> None:
    steps = [step.id for step in pictures.plan.steps]
    assert steps.count("tflite.float32") == 1
    assert set(pictures.plan.by_id()["tflite.float32"].targets) >= {"tflite-float32", "tflite-float16"}
