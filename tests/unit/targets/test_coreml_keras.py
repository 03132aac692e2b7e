"""Core ML packages from Keras: by name, in the spec's order, and the same whatever the process made before."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from coreml_project import build_spec

from deployspec.contract import probe_files
from deployspec.digests import sha256_path
from deployspec.errors import SourceFault
from deployspec.evaluators.mlprogram import load
from deployspec.ir.tolerance import EXACT, TOLERANCES
from deployspec.parse import parse_spec

if TYPE_CHECKING:
    from pathlib import Path

    from deployspec.testing.project import Built

pytestmark = pytest.mark.slow

NET = """\
import keras


def build():
    keras.utils.set_random_seed(1)
    image, tokens = keras.Input((8, 8, 3), name="image"), keras.Input((4,), name="tokens", dtype="int64")
    seen = keras.layers.Conv2D(16, 3, padding="same", use_bias=False)(image)
    seen = keras.layers.ReLU()(keras.layers.BatchNormalization()(seen))
    seen = keras.layers.Conv2D(32, 3, strides=2)(keras.layers.DepthwiseConv2D(3)(seen))
    read = keras.layers.Embedding(50, 16)(tokens)
    both = keras.layers.Concatenate()([keras.layers.Flatten()(seen), keras.layers.Flatten()(read)])
    both = keras.layers.Dense(64, activation="relu")(both)
    logits, age = keras.layers.Dense(5, name="logits")(both), keras.layers.Dense(1, name="age")(both)
    return keras.Model([image, tokens], [logits, age])
"""

SPEC = """\
deployspec = 1

[model]
name = "net"
source = "net.py:build"
framework = "keras"

[[model.inputs]]
name = "image"
shape = ["batch", 8, 8, 3]
range = [-1.0, 1.0]

[[model.inputs]]
name = "tokens"
shape = ["batch", 4]
dtype = "int64"

[[model.outputs]]
name = "age"
kind = "values"

[[model.outputs]]
name = "logits"

[budgets]
size = "< 1 MB"
"""

TARGETS = {
    "float32": 'format = "coreml"\n',
    "int8-weights": 'format = "coreml"\npasses = [{ pass = "quantize", scheme = "int8-weights" }]\n',
    "palette-4": """\
format = "coreml"
minimum = "iOS18"
passes = [{ pass = "prune", sparsity = 0.5 }, { pass = "quantize", scheme = "palette-4" }]
""",
}


def made(folder: Path, *targets: str, age: str = "age") -> Built:
    """The project with these targets; `age` is what model and spec call that output."""
    folder.mkdir()
    (folder / "net.py").write_text(NET.replace('"age"', f'"{age}"'))
    (folder / "spec.toml").write_text(
        SPEC.replace('"age"', f'"{age}"') + "".join(f"[targets.{name}]\n{TARGETS[name]}" for name in targets)
    )
    return build_spec(parse_spec(folder / "spec.toml"), folder / "store")


@pytest.fixture(scope="module")
def all_three(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return made(tmp_path_factory.mktemp("keras") / "project", *TARGETS)


def artifact(built: Built, target: str) -> Path:
    (route,) = [route for route in built.plan.routes if route.target == target]
    return built.done(route.artifact).artifact


@pytest.mark.parametrize("target", TARGETS)
def test_it_says_what_the_model_says(all_three: Built, target: str) -> None:
    (route,) = [route for route in all_three.plan.routes if route.target == target]
    folder = all_three.done(route.artifact).folder
    (image, tokens), expected = ([np.load(path) for path in probe_files(folder, kind)] for kind in ("input", "output"))
    program = load(artifact(all_three, target))
    assert [each.name for each in program.outputs] == ["age", "logits"]
    answers = [program(image=image[i : i + 1], tokens=tokens[i : i + 1].astype(np.int32)) for i in range(len(image))]
    for name, outputs in zip(("age", "logits"), expected, strict=True):
        got = np.concatenate([answer[name] for answer in answers])
        assert np.abs(got - outputs).max() <= TOLERANCES.get(target, EXACT) * np.ptp(outputs)


TWICE = """\
import sys
from pathlib import Path
from deployspec.build.worker import _preload
from deployspec.digests import sha256_path
from deployspec.ir.artifact import Job, the_artifact
from deployspec.parse import parse_spec
from deployspec.targets.saved_model import export
from deployspec.targets.coreml import TENSORFLOW, from_keras

_preload(TENSORFLOW)
spec, folder = parse_spec(Path("spec.toml")), Path(sys.argv[1])
for i in range(2):
    exported, lowered = folder / f"exported-{i}", folder / f"lowered-{i}"
    for out in (exported, lowered):
        out.mkdir()
    export(Job(inputs={"model": spec.folder}, out=exported, options={}, model=spec.model))
    inputs = {"model": spec.folder, "input": exported}
    from_keras.lower(Job(inputs=inputs, out=lowered, options={"scheme": None, "minimum": "iOS16"}, model=spec.model))
    print(sha256_path(the_artifact(lowered)))
"""


def test_a_package_is_the_same_whatever_was_made_before_it(all_three: Built, tmp_path: Path) -> None:
    """Keras numbers its layers' names as a process goes on, and they end up in the program."""
    arguments = [sys.executable, "-c", TWICE, str(tmp_path)]
    ran = subprocess.run(arguments, cwd=all_three.spec.folder, capture_output=True, text=True, check=True)
    assert set(ran.stdout.split()) == {sha256_path(artifact(all_three, "float32"))}


def test_a_name_that_a_value_inside_has_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceFault, match="has a value 'transpose_1_perm_0' inside: choose another name"):
        made(tmp_path / "project", "float32", age="transpose_1_perm_0")
