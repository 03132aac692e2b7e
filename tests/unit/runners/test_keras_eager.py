"""Opening a Keras source: its ends are found by name, its weights fit or are refused, and faults are one plain line."""

from __future__ import annotations

import sys
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from deployspec.runners.callables import ModelFault

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # keras, on numpy 2

NETS = """
import keras
from keras import layers


def picture():
    image = keras.Input((6, 6, 2), name="image")
    return keras.Model(image, layers.Dense(3)(layers.Flatten()(layers.Conv2D(4, 3)(image))))


def wider():
    image = keras.Input((6, 6, 2), name="image")
    return keras.Model(image, layers.Dense(3)(layers.Flatten()(layers.Conv2D(5, 3)(image))))


def longer():
    image = keras.Input((6, 6, 2), name="image")
    found = layers.Dense(3)(layers.Flatten()(layers.Conv2D(4, 3)(image)))
    return keras.Model(image, layers.Dense(3)(layers.ReLU()(found)))


def keyed():
    a, b = keras.Input((2,), name="a"), keras.Input((2,), dtype="int64", name="b")
    ends = {"sum": layers.Add()([a, layers.Rescaling(1.0)(b)]), "twice": layers.Rescaling(2.0)(a)}
    return keras.Model({"b": b, "a": a}, ends)


def listed():
    a, b = keras.Input((2,), name="a"), keras.Input((2,), dtype="int64", name="b")
    ends = [layers.Rescaling(2.0, name="twice")(a), layers.Add(name="sum")([a, layers.Rescaling(1.0)(b)])]
    return keras.Model([b, a], ends)


def unnamed():
    a, b = keras.Input((2,)), keras.Input((2,), dtype="int64")
    return keras.Model([a, b], [layers.Add()([a, layers.Rescaling(1.0)(b)]), layers.Rescaling(2.0)(a)])


class Own(keras.Model):
    def __init__(self):
        super().__init__()
        self.scores = layers.Dense(3)

    def call(self, b, a, training=False):
        return keras.ops.cast(b, "float32") + a, self.scores(a)


class Listed(keras.Model):
    def call(self, both):
        a, b = both
        return a + keras.ops.cast(b, "float32"), a * 2


def function():
    return keras.Model()


def raising():
    return {}["width"]


def a_layer():
    return layers.Dense(3)


def of_python():
    image = keras.Input((6, 6, 2), name="image")
    return keras.Model(image, layers.Lambda(lambda each: each * 2)(image))


class Stranger(layers.Layer):
    def call(self, given):
        return given


def strange():
    image = keras.Input((6, 6, 2), name="image")
    return keras.Model(image, Stranger()(image))
"""
IMAGE = [{"name": "image", "shape": ["batch", 6, 6, 2], "dtype": "float32"}]
PAIR = [
    {"name": "a", "shape": ["batch", 2], "dtype": "float32"},
    {"name": "b", "shape": ["batch", 2], "dtype": "int64"},
]
A, B = np.array([[1, 2]], np.float32), np.array([[30, 40]])
SUM, TWICE = np.array([[31, 42]], np.float32), np.array([[2, 4]], np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The nets, and what Keras saves of them."""
    made = tmp_path_factory.mktemp("nets")
    (made / "nets.py").write_text(NETS)
    for name in ("picture", "wider", "longer"):
        opened(made, name).save_weights(made / f"{name}.weights.h5")
    for name in ("picture", "of_python", "strange"):
        opened(made, name).save(made / f"{name}.keras")
    opened(made, "keyed", PAIR, ["sum", "twice"]).export(made / "saved", verbose=False)
    (made / "junk.keras").write_bytes(b"junk")
    (made / "junk.weights.h5").write_bytes(b"junk")
    (made / "cut.weights.h5").write_bytes((made / "picture.weights.h5").read_bytes()[:9000])
    (made / "net.safetensors").write_bytes(b"\2\0\0\0\0\0\0\0{}")
    return made


@pytest.fixture(autouse=True)
def unchanged_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model's folder goes to the path of the process that opens it, which here is not ours."""
    monkeypatch.setattr(sys, "path", [*sys.path])


@cache
def eager() -> Any:
    """The runner, imported when a test wants it: TensorFlow takes seconds."""
    from deployspec.runners import keras_eager

    return keras_eager


def options(source: str, inputs: Any = IMAGE, outputs: Any = ("scores",), weights: str | None = None) -> dict[str, Any]:
    text = source if "." in source or source == "saved" else f"nets.py:{source}"
    return {"source": text, "weights": weights, "inputs": inputs, "outputs": list(outputs)}


def opened(folder: Path, source: str, *rest: Any) -> Any:
    return eager().open_source(str(folder), options(source, *rest))


def fault(folder: Path, source: str, *rest: Any) -> str:
    with pytest.raises(ModelFault) as refused:
        eager().load(str(folder), options(source, *rest))
    assert "\n" not in str(refused.value)
    assert str(folder) not in str(refused.value)
    return str(refused.value)


def ends(folder: Path, source: str, inputs: Any, outputs: list[str]) -> Any:
    chosen = options(source, inputs, outputs)
    return eager().ends(eager().open_source(str(folder), chosen), chosen["inputs"], outputs)


@pytest.mark.parametrize("source", ["keyed", "listed", "saved"])
def test_ends_are_the_models_by_name_whatever_its_order(folder: Path, source: str) -> None:
    total, twice = ends(folder, source, PAIR, ["sum", "twice"])(A, B)
    np.testing.assert_array_equal(total, SUM)
    np.testing.assert_array_equal(twice, TWICE)
    twice, total = ends(folder, source, PAIR[::-1], ["twice", "sum"])(B, A)
    np.testing.assert_array_equal(total, SUM)
    np.testing.assert_array_equal(twice, TWICE)


@pytest.mark.parametrize("source", ["unnamed", "Listed"])
def test_ends_that_nobody_named_are_taken_in_order(folder: Path, source: str) -> None:
    total, twice = ends(folder, source, PAIR, ["total", "double"])(A, B)
    np.testing.assert_array_equal(total, SUM)
    np.testing.assert_array_equal(twice, TWICE)


def test_what_a_signature_counts_is_taken_by_its_numbers(folder: Path) -> None:
    """A signature has its ends in the order of the alphabet, in which 10 stands before 2."""
    import tensorflow as tf

    def call(*args: Any) -> dict[str, Any]:
        return {f"output_{i}": each * i for i, each in enumerate(args)}

    inputs = [{"name": f"in{i}", "shape": ["batch", 1], "dtype": "float32"} for i in range(12)]
    served = tf.function(call, input_signature=[tf.TensorSpec((1, 1), name=f"args_{i}") for i in range(12)])
    signatures = {"serving_default": served.get_concrete_function()}
    tf.saved_model.save(tf.Module(), str(folder / "twelve.d"), signatures=signatures)
    given = [np.full((1, 1), 1 + i, np.float32) for i in range(12)]
    got = ends(folder, "twelve.d", inputs, [f"out{i}" for i in range(12)])(*given)
    assert [each.numpy().item() for each in got] == [i * (1 + i) for i in range(12)]


def test_a_model_of_ones_own_is_called_by_the_names_of_its_parameters(folder: Path) -> None:
    total, scores = ends(folder, "Own", PAIR, ["total", "scores"])(A, B)
    np.testing.assert_array_equal(total, SUM)
    assert scores.shape == (1, 3)


@pytest.mark.parametrize(
    ("inputs", "outputs", "told"),
    [
        ([PAIR[0], PAIR[1] | {"name": "c"}], ["sum", "twice"],
         "the model's inputs are called b, a and the spec's a, c: "),
        (PAIR, ["sum", "half"], "the model's outputs are called twice, sum and the spec's sum, half"),
        (PAIR, ["sum"], "the model has 2 outputs and the spec declares 1: write one [[model.outputs]] for each"),
        (IMAGE, ["sum", "twice"],
         "the model has 2 inputs and the spec declares 1: write one [[model.inputs]] for each"),
    ],
)  # fmt: skip
def test_names_that_are_not_the_models_are_refused(folder: Path, inputs: Any, outputs: Any, told: str) -> None:
    assert fault(folder, "listed", inputs, outputs).startswith(told)


def test_another_layout_than_the_models_is_told_with_both_shapes(folder: Path) -> None:
    told = fault(folder, "picture", [IMAGE[0] | {"shape": ["batch", 2, 6, 6]}])
    assert told.startswith("the model does not take the spec's inputs: ")
    assert "expected shape=(None, 6, 6, 2), found shape=(1, 2, 6, 6)" in told


def test_weights_are_loaded_and_weighed(folder: Path) -> None:
    weights = "picture.weights.h5"
    image = np.random.default_rng(0).random((1, 6, 6, 2), np.float32)
    run = eager().load(str(folder), options("picture", weights=weights))
    (got,) = run([image])
    (alone,) = eager().load(str(folder), options("picture.keras"))([image])
    np.testing.assert_allclose(got, alone, rtol=1e-6)
    assert run.facts == {"weight_bytes": 4 * (4 * 2 * 9 + 4 + 64 * 3 + 3)}


def test_a_model_without_shapes_gets_them_from_the_spec_before_its_weights(folder: Path) -> None:
    model = opened(folder, "Own", PAIR, ["total", "scores"])
    kernel = np.arange(6, dtype=np.float32).reshape(2, 3)
    model.scores.kernel.assign(kernel)
    model.save_weights(folder / "own.weights.h5")
    (_, scores) = eager().load(str(folder), options("Own", PAIR, ["total", "scores"], "own.weights.h5"))([A, B])
    np.testing.assert_array_equal(scores, A @ kernel)


@pytest.mark.parametrize(
    ("weights", "told"),
    [
        ("longer.weights.h5", "longer.weights.h5 does not fit the model: it holds 2 variables that the model has not"),
        ("wider.weights.h5", "/kernel is (3, 3, 2, 5) there and the model's (3, 3, 2, 4)"),
        ("junk.weights.h5", "junk.weights.h5 is no whole weights file: save it with model.save_weights("),
        ("cut.weights.h5", "cut.weights.h5 is no whole weights file: save it with model.save_weights("),
        ("net.safetensors", "net.safetensors is no file of Keras weights: save them with model.save_weights("),
    ],
)
def test_weights_of_another_model_are_refused(folder: Path, weights: str, told: str) -> None:
    assert told in fault(folder, "picture", IMAGE, ["scores"], weights)


def test_weights_that_lack_a_layer_are_refused(folder: Path) -> None:
    told = fault(folder, "longer", IMAGE, ["scores"], "picture.weights.h5")
    assert "wants 2 variables, and 0 are there" in told


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("of_python.keras", "of_python.keras holds a Lambda layer, which is Python code inside a file"),
        ("strange.keras", "strange.keras needs the class Stranger, which is not Keras's own: name a callable"),
        ("junk.keras", "junk.keras is no whole .keras file"),
        ("raising", "nets.py:59 in raising: KeyError: 'width'"),
        ("a_layer", "nets.py:a_layer returned a Dense, which is no keras.Model"),
        ("pikture", "nets.py has no 'pikture': perhaps you meant 'picture'"),
    ],
)
def test_what_is_no_model_is_refused(folder: Path, source: str, told: str) -> None:
    assert fault(folder, source).startswith(told)


def test_a_folder_that_is_no_saved_model_is_refused(folder: Path) -> None:
    (folder / "empty.d").mkdir()
    assert fault(folder, "empty.d") == "empty.d is no SavedModel: it has no file saved_model.pb"


def test_a_saved_model_without_one_signature_that_serves_is_refused(folder: Path) -> None:
    import tensorflow as tf

    module = tf.Module()
    call = tf.function(lambda x: {"y": x}, input_signature=[tf.TensorSpec((1, 2), name="x")])
    concrete = call.get_concrete_function()
    tf.saved_model.save(module, str(folder / "two.d"), signatures={"one": concrete, "other": concrete})
    told = fault(folder, "two.d")
    assert told == "the SavedModel has the signatures one, other: export it with one called 'serving_default'"
