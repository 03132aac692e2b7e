"""Keras models to .tflite: every scheme answers as the model does, under the spec's names, in the spec's order."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from deployspec import contract
from deployspec.errors import SourceFault, StepFailed
from deployspec.formats.tflite import inspect
from deployspec.ir.artifact import Job, the_artifact
from deployspec.ir.model import Input, Model, Output
from deployspec.ir.plan import EXPORTED_PROGRAM, KERAS_MODEL, SAVED_MODEL, SCRIPT_MODULE, TORCH_MODULE
from deployspec.ir.tolerance import EXACT, TOLERANCES
from deployspec.routes import NoRoute, find_route
from deployspec.targets.tflite import TFLite

if TYPE_CHECKING:
    from pathlib import Path

    from deployspec.ir.structure import Structure

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # keras, on numpy 2
    pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated"),
    pytest.mark.filterwarnings("ignore:Warning. Enabling `experimental_preserve_all_tensors`"),  # to calibrate
]

NETS = """
import keras
from keras import layers


def words():
    tokens, facts = keras.Input((4,), dtype="int64", name="tokens"), keras.Input((6,), name="facts")
    seen = layers.GlobalAveragePooling1D()(layers.Embedding(50, 64)(tokens))
    body = layers.Dense(64, "relu", bias_initializer="ones")(layers.Concatenate()([seen, facts]))
    ends = {name: layers.Dense(size, bias_initializer="ones")(body) for name, size in (("topics", 3), ("age", 1))}
    return keras.Model([tokens, facts], ends)


def recurrent():
    given = keras.Input((5, 6))
    return keras.Model(given, layers.Dense(3)(layers.LSTM(8)(given)))
"""
WORDS = Model(
    name="words",
    source="nets.py:words",
    framework="keras",
    inputs=(Input(name="facts", shape=("batch", 6)), Input(name="tokens", shape=("batch", 4), dtype="int64")),
    outputs=(Output(name="age", kind="values"), Output(name="topics")),
)
RECURRENT = Model(
    name="net", source="nets.py:recurrent", framework="keras", inputs=(Input(name="given", shape=("batch", 5, 6)),)
)
SAMPLES = 32


@dataclass(frozen=True)
class Bench:
    """A project, and every step's folder in a place of its own."""

    folder: Path

    def step(self, name: str, call: Any, of: Model = WORDS, options: Any = None, **inputs: Path) -> Path:
        out = self.folder / "steps" / name
        out.mkdir(parents=True)
        splits = {"calibration": self.folder / "calibration"} if of is not RECURRENT else {}
        call(Job(inputs=inputs | splits, out=out, options=options or {}, model=of))
        return out

    def exported(self, name: str, of: Model = WORDS, **inputs: Path) -> Path:
        from deployspec.targets.saved_model import export

        return self.step(name, export, of, model=self.folder, **inputs)

    def lowered(self, name: str, source: Path, scheme: str | None = None, io: str = "float32", **more: Any) -> Path:
        from deployspec.targets.tflite.from_keras import lower

        return self.step(name, lower, options={"scheme": scheme, "io": io}, input=source, **more)

    def quantized(self, name: str, source: Path, scheme: str) -> Path:
        from deployspec.targets.tflite.quantize_file import quantize

        return self.step(name, quantize, options={"scheme": scheme}, input=source)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    folder = tmp_path_factory.mktemp("project")
    (folder / "nets.py").write_text(NETS)
    (folder / "calibration").mkdir()
    chance = np.random.default_rng(0)
    np.save(folder / "calibration" / "0.npy", chance.standard_normal((SAMPLES, 6), np.float32))
    np.save(folder / "calibration" / "1.npy", chance.integers(0, 50, (SAMPLES, 4)))
    return Bench(folder)


@pytest.fixture(autouse=True)
def unchanged_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model's folder goes to the path of the process that opens it, which here is not ours."""
    monkeypatch.setattr(sys, "path", [*sys.path])


@pytest.fixture(scope="module")
def exported(bench: Bench) -> Path:
    return bench.exported("exported")


@pytest.fixture(scope="module")
def plain(bench: Bench, exported: Path) -> Path:
    return bench.lowered("plain", exported)


def difference(lowered: Path, tolerance: float) -> float:
    """The reloaded file's answers against those that were recorded, in units of the output's spread."""
    from deployspec.runners.tflite import load

    how = contract.call(lowered)
    run = load(str(the_artifact(lowered)), how["options"])
    samples, known = ([np.load(path) for path in contract.probe_files(lowered, kind)] for kind in ("input", "output"))
    rows = [run([each[i : i + 1] for each in samples]) for i in range(len(samples[0]))]
    got = [np.concatenate(column) for column in zip(*rows, strict=True)]
    return contract.compare(known, got, how["options"]["outputs"], tolerance)


def structure(lowered: Path) -> Structure:
    return inspect(the_artifact(lowered), WORDS)


def ends(found: Structure) -> list[tuple[str, tuple[int, ...] | None, str]]:
    return [(each.name, each.shape, each.dtype) for each in (*found.inputs, *found.outputs)]


REAL = [
    ("facts", (1, 6), "float32"),
    ("tokens", (1, 4), "int64"),
    ("age", (1, 1), "float32"),
    ("topics", (1, 3), "float32"),
]


def test_float32_answers_as_the_model_does(plain: Path) -> None:
    assert difference(plain, EXACT) <= EXACT
    found = structure(plain)
    assert ends(found) == REAL
    assert found.macs == 70 * 64 + 64 * 3 + 64
    assert found.parameters == 50 * 64 + found.macs + 64 + 3 + 1


def test_what_is_recorded_are_the_models_own_answers(bench: Bench, exported: Path, plain: Path) -> None:
    from deployspec.sources.keras_model import open_keras

    job = Job(inputs={"model": bench.folder}, out=bench.folder, options={}, model=WORDS)
    facts, tokens = (np.load(path) for path in contract.probe_files(plain, "input"))
    topics = open_keras(job).predict({"tokens": tokens, "facts": facts}, verbose=0)["topics"]
    for step in (exported, plain):
        np.testing.assert_allclose(np.load(contract.probe_files(step, "output")[1]), topics, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("scheme", ["float16", "int8", "int8-dynamic"])
def test_tensorflows_schemes_stay_within_their_tolerance(
    bench: Bench, exported: Path, plain: Path, scheme: str
) -> None:
    made = bench.lowered(scheme, exported, scheme)
    assert 0 < difference(made, TOLERANCES[scheme]) <= TOLERANCES[scheme]
    assert ends(structure(made)) == REAL
    assert the_artifact(made).stat().st_size < 0.6 * the_artifact(plain).stat().st_size


@pytest.mark.parametrize("scheme", ["float16", "int8-dynamic", "int8-weights", "int4-weights", "int16x8"])
def test_schemes_of_the_float_file_stay_within_their_tolerance(bench: Bench, plain: Path, scheme: str) -> None:
    made = bench.quantized(f"file-{scheme}", plain, scheme)
    assert 0 < difference(made, TOLERANCES[scheme]) <= TOLERANCES[scheme]
    found = structure(made)
    assert ends(found) == REAL
    stored = {"float16": "float16", "int4-weights": "int4"}.get(scheme, "int8")
    assert dict(found.weight_bytes)[stored] >= 0.5 * 64 * 70  # the large kernel is stored so, the embedding need not be


def test_integers_at_the_ends_where_they_are_asked_for(bench: Bench, exported: Path) -> None:
    made = bench.lowered("integers", exported, "int8", io="int8")
    assert ends(structure(made)) == [(name, shape, "int8" if kind == "float32" else kind) for name, shape, kind in REAL]
    assert difference(made, TOLERANCES["int8"]) <= TOLERANCES["int8"]


def test_the_same_model_gives_the_same_bytes_anywhere(bench: Bench, tmp_path: Path, plain: Path) -> None:
    (tmp_path / "nets.py").write_text(NETS)
    elsewhere = Bench(tmp_path)
    (tmp_path / "calibration").symlink_to(bench.folder / "calibration")
    again = elsewhere.lowered("plain", elsewhere.exported("exported"))
    content = the_artifact(again).read_bytes()
    assert content == the_artifact(plain).read_bytes()
    assert str(tmp_path).encode() not in content
    for scheme in ("int8-weights", "int16x8"):
        twice = [elsewhere.quantized(f"{scheme}-{i}", again, scheme) for i in range(2)]
        assert len({the_artifact(each).read_bytes() for each in twice}) == 1


def test_a_saved_model_is_lowered_for_one_sample_whatever_it_was_saved_for(bench: Bench) -> None:
    from deployspec.sources.keras_model import open_keras
    from deployspec.targets.tflite.from_keras import lower

    job = Job(inputs={"model": bench.folder}, out=bench.folder, options={}, model=WORDS)
    open_keras(job).export(bench.folder / "saved", verbose=False)  # of any batch
    source = replace(WORDS, source="saved")
    options = {"scheme": None}
    made = bench.step("from-saved", lower, source, options, model=bench.folder)
    assert difference(made, EXACT) <= EXACT
    assert ends(structure(made)) == REAL


def test_a_model_file_is_lowered_as_its_callable_is(bench: Bench, plain: Path) -> None:
    from deployspec.sources.keras_model import open_keras

    job = Job(inputs={"model": bench.folder}, out=bench.folder, options={}, model=WORDS)
    open_keras(job).save(bench.folder / "words.keras")
    opened = replace(WORDS, source="words.keras")
    made = bench.lowered("from-file", bench.exported("exported-file", opened))
    assert difference(made, EXACT) <= EXACT
    assert structure(made).weight_bytes == structure(plain).weight_bytes


def test_weights_of_a_prune_pass_go_over_the_models(bench: Bench) -> None:
    from deployspec.sources.keras_model import PRUNED, open_keras

    pruned = bench.folder / "pruned"
    pruned.mkdir()
    job = Job(inputs={"model": bench.folder}, out=bench.folder, options={}, model=WORDS)
    model = open_keras(job)
    (kernel,) = (each for each in model.weights if each.shape == (70, 64))
    kernel.assign(np.where(np.arange(64) % 2, kernel.numpy(), 0))
    model.save_weights(pruned / PRUNED)
    made = bench.lowered("plain-pruned", bench.exported("exported-pruned", input=pruned))
    assert structure(made).kernel_zeros >= 70 * 32
    assert difference(made, EXACT) <= EXACT
    (pruned / PRUNED).write_bytes(b"no weights")
    with pytest.raises(SourceFault, match=r"pruned\.weights\.h5 is no whole weights file"):
        open_keras(replace(job, inputs=job.inputs | {"input": pruned}))


def test_a_loop_is_not_calibrated_and_the_text_says_what_would_do(bench: Bench) -> None:
    from deployspec.targets.tflite.from_keras import lower

    source = bench.exported("exported-recurrent", RECURRENT)
    made = bench.step("plain-recurrent", lower, RECURRENT, {"scheme": None}, input=source)
    found = inspect(the_artifact(made), RECURRENT)
    assert difference(made, EXACT) <= EXACT
    assert found.macs is None
    assert "WHILE" in found.macs_reason
    with pytest.raises(StepFailed, match=r"unroll=True, or take the scheme int8-dynamic"):
        bench.step("int8-recurrent", lower, RECURRENT, {"scheme": "int8", "io": "float32"}, input=source)


def test_ends_that_the_spec_names_otherwise_are_refused(bench: Bench) -> None:
    with pytest.raises(SourceFault, match="the model could not be opened: the model's inputs are called tokens, facts"):
        bench.exported("misnamed", replace(WORDS, inputs=(replace(WORDS.inputs[0], name="numbers"), WORDS.inputs[1])))


SCHEMES = ("float16", "int8", "int8-dynamic", "int8-weights", "int4-weights", "int16x8")


@pytest.mark.parametrize("start", [TORCH_MODULE, EXPORTED_PROGRAM, KERAS_MODEL, SAVED_MODEL])
def test_every_scheme_has_a_route_from_every_source_but_torchscript(start: str) -> None:
    target = TFLite()
    assert [each.gives for each in find_route(start, "tflite", (), target.lowerings())][-1] == "tflite"
    for scheme in SCHEMES:
        assert find_route(start, "tflite", [scheme], target.lowerings())[-1].realises == scheme
    with pytest.raises(NoRoute):
        find_route(SCRIPT_MODULE, "tflite", (), target.lowerings())
    assert "TorchScript" in target.reasons[SCRIPT_MODULE]


def test_only_steps_from_torch_heed_the_layout() -> None:
    lowerings = TFLite(layout="nhwc", io="int8").lowerings()
    heeding = {
        start: [edge.options for edge in find_route(start, "tflite", ["int8"], lowerings)]
        for start in (TORCH_MODULE, KERAS_MODEL)
    }
    assert heeding[TORCH_MODULE] == [{"layout": "nhwc"}, {"scheme": "int8", "io": "int8"}]
    assert heeding[KERAS_MODEL] == [{}, {"scheme": "int8", "io": "int8"}]
