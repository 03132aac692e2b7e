"""Keras sources through the whole build: the reference in its own process, the shared export, the files."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from deployspec.build import BuildContext, Store, build
from deployspec.ir.artifact import Done
from deployspec.parse import parse_spec
from deployspec.plan import make_plan
from deployspec.sources.identity import origins

if TYPE_CHECKING:
    from pathlib import Path

NETS = """
import keras
from keras import layers


def net():
    tokens, facts = keras.Input((4,), dtype="int64", name="tokens"), keras.Input((6,), name="facts")
    seen = layers.GlobalAveragePooling1D()(layers.Embedding(50, 16)(tokens))
    body = layers.Dense(16, "relu")(layers.Concatenate()([seen, facts]))
    return keras.Model([tokens, facts], {"topics": layers.Dense(3)(body), "age": layers.Dense(1)(body)})


if __name__ == "__main__":
    model = net()
    model.save_weights("net.weights.h5")
    model.save("net.keras")
    model.export("saved", verbose=False)
"""
SPEC = """\
deployspec = 1
[model]
name = "net"
{source}
[[model.inputs]]
name = "facts"
shape = ["batch", 6]
[[model.inputs]]
name = "tokens"
shape = ["batch", 4]
dtype = "int64"
[[model.outputs]]
name = "age"
kind = "values"
[[model.outputs]]
name = "topics"
[data]
calibration = "calibration.npz"
test = "test.npz"
[budgets]
size = "< 1 MB"
[targets.plain]
format = "tflite"
[targets.small]
format = "tflite"
passes = [{{ pass = "quantize", scheme = "int8" }}]
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keras")
    (folder / "nets.py").write_text(NETS)
    chance = np.random.default_rng(0)
    samples = {"facts": chance.standard_normal((32, 6), np.float32), "tokens": chance.integers(0, 50, (32, 4))}
    for split in ("calibration", "test"):  # the same: what lies beyond the calibrated range is clipped, and rightly
        np.savez(folder / f"{split}.npz", **samples)
    subprocess.run([sys.executable, "nets.py"], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.mark.parametrize(
    "source",
    [
        'source = "nets.py:net"\nframework = "keras"\nweights = "net.weights.h5"',
        pytest.param('source = "net.keras"', marks=pytest.mark.slow),
        pytest.param('source = "saved"', marks=pytest.mark.slow),
    ],
)
def test_a_keras_source_is_built_and_agrees_with_itself(project: Path, tmp_path: Path, source: str) -> None:
    (project / "spec.toml").write_text(SPEC.format(source=source))
    spec = parse_spec(project / "spec.toml")
    plan = make_plan(spec)
    digests = {origin.id: origin.sha256 for origin in origins(spec).values()}
    results = build(plan, Store(tmp_path), BuildContext(folder=spec.folder, model=spec.model, digests=digests))
    answers = {}
    for step in ("reference@test", "tflite.float32@test", "tflite.int8@test"):
        done = results[step]
        assert isinstance(done, Done), done
        answers[step] = [np.load(done.folder / "outputs" / f"{i}.npy") for i in range(2)]
    reference, plain, small = answers.values()
    for expected, exact, near in zip(reference, plain, small, strict=True):
        np.testing.assert_allclose(exact, expected, atol=1e-5)
        assert 0 < np.abs(near - expected).max() < 0.1 * np.ptp(expected)
    reference_step = results["reference@test"]
    assert isinstance(reference_step, Done)
    assert reference_step.facts["weight_bytes"] == 4 * (50 * 16 + 22 * 16 + 16 + 16 * 4 + 4)
    assert "keras" in reference_step.facts["runtime"]
