"""Magnitude pruning of Keras models: what is zero stays zero while it trains; the reopened model is the pruned one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from deployspec.errors import SourceFault
from deployspec.ir.artifact import Job
from deployspec.ir.model import Input, Model

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # keras, on numpy 2

NETS = """
import keras
import numpy as np
from keras import layers


def convolutions():
    return keras.Sequential([
        keras.Input((6, 6, 2), name="image"),
        layers.Conv2D(8, 3, use_bias=False), layers.BatchNormalization(), layers.ReLU(),
        layers.DepthwiseConv2D(3), layers.SeparableConv2D(6, 1), layers.GlobalAveragePooling2D(),
        layers.Dense(3, name="scores"),
    ])


class Unbuilt(keras.Model):
    def __init__(self):
        super().__init__()
        self.flat, self.scores = layers.Flatten(), layers.Dense(3)

    def call(self, image):
        return self.scores(self.flat(image))


def silent():
    return keras.Sequential([keras.Input((6, 6, 2), name="image"), layers.Flatten(name="scores")])


def finetune(model, train):
    (x,), y = train
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01, weight_decay=0.01), loss)
    model.fit(x, y, epochs=2, batch_size=8, verbose=0)
    assert sum(int((np.asarray(each) == 0).sum()) for each in model.weights if "kernel" in each.name) == 145
    return model


def fill(model, train):
    for each in model.weights:
        each.assign(np.ones(each.shape))
    return model


def widened(model, train):
    return keras.Sequential([keras.Input((6, 6, 2), name="image"), layers.Flatten(), layers.Dense(3, name="scores")])


def a_number(model, train):
    return 3


def forgetful(model, train):
    finetune(model, train)
"""


@dataclass(frozen=True)
class Bench:
    """A folder with the nets and a training split."""

    folder: Path

    def job(self, net: str, out: str = "out", hook: str | None = None, sparsity: float = 0.5) -> Job:
        (self.folder / out).mkdir()
        image = Input(name="image", shape=("batch", 6, 6, 2))
        return Job(
            inputs={"model": self.folder, "train": self.folder / "train", "finetune": self.folder},
            out=self.folder / out,
            options={"sparsity": sparsity, "finetune": hook and f"nets.py:{hook}"},
            model=Model(name="net", source=f"nets.py:{net}", framework="keras", inputs=(image,)),
        )


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    (tmp_path / "nets.py").write_text(NETS)
    (tmp_path / "train").mkdir()
    np.save(tmp_path / "train" / "0.npy", np.random.default_rng(0).standard_normal((40, 6, 6, 2), np.float32))
    np.save(tmp_path / "train" / "y.npy", np.arange(40) % 3)
    return Bench(tmp_path)


def prune(job: Job) -> dict[str, Any]:
    from deployspec.passes.prune_keras import magnitude

    return magnitude(job)


def kernels(job: Job) -> dict[str, np.ndarray]:
    """Those of the model that a lowering which follows the pass opens."""
    from deployspec.sources.keras_model import open_keras

    inputs = {"model": job.inputs["model"], "input": job.out}
    return {
        each.path: np.asarray(each) for each in open_keras(replace(job, inputs=inputs)).weights if "kernel" in each.name
    }


@pytest.mark.parametrize("sparsity", [0.3, 0.8])
def test_the_smallest_weights_of_all_layers_together_are_zero(bench: Bench, sparsity: float) -> None:
    facts = prune(bench.job("convolutions", sparsity=sparsity))
    whole = prune(bench.job("convolutions", "whole", sparsity=1e-9))
    assert whole["zeros"] == 0
    assert facts["zeros"] == round(sparsity * facts["weights"]) == round(sparsity * (144 + 72 + 8 + 48 + 18))
    assert facts["parameters"] == [whole["parameters"][0]] * 2


def test_zeros_stay_zero_while_the_others_train(bench: Bench) -> None:
    plain, tuned = bench.job("convolutions", "plain"), bench.job("convolutions", "tuned", "finetune")
    prune(plain)
    said = prune(tuned)["remarks"]
    assert said == ["sparsity 50.0 % of 290 weights, finetuned by nets.py:finetune"]
    before, after = list(kernels(plain).values()), list(kernels(tuned).values())
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one == 0, other == 0)
    assert not np.allclose(before[0], after[0])


def test_what_a_hook_fills_is_zero_again(bench: Bench) -> None:
    plain, filled = bench.job("convolutions", "plain"), bench.job("convolutions", "filled", "fill")
    prune(plain)
    prune(filled)
    for one, other in zip(kernels(plain).values(), kernels(filled).values(), strict=True):
        np.testing.assert_array_equal(other, one != 0)


def test_the_same_seed_gives_the_same_bytes(bench: Bench) -> None:
    one, two = bench.job("convolutions", "one", "finetune"), bench.job("convolutions", "two", "finetune")
    prune(one)
    prune(two)
    assert (one.out / "pruned.weights.h5").read_bytes() == (two.out / "pruned.weights.h5").read_bytes()


def test_a_model_of_layers_without_shapes_is_pruned_too(bench: Bench) -> None:
    job = bench.job("Unbuilt")
    assert prune(job)["zeros"] == 108
    assert [int((each == 0).sum()) for each in kernels(job).values()] == [108]


@pytest.mark.parametrize(
    ("hook", "reason"),
    [
        ("widened", r"does not fit the pruned one: its weights are \[72, 3\], \[3\], not \[3, 3, 2, 8\]"),
        ("forgetful", "nets.py:forgetful returned None: return the model"),
        ("a_number", "returned an int, which is no keras.Model"),
    ],
)
def test_a_hook_that_does_otherwise_is_told_so(bench: Bench, hook: str, reason: str) -> None:
    with pytest.raises(SourceFault, match=reason):
        prune(bench.job("convolutions", hook=hook))


def test_a_model_with_no_kernel_is_refused(bench: Bench) -> None:
    with pytest.raises(SourceFault, match="no convolution and no dense layer"):
        prune(bench.job("silent"))
