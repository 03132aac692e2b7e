"""A target whose lowerings are ways to make a .tflite that some converter offers, that raise nothing and spoil it.

Each has its twin, which differs in the one thing that spoils and is sound.
"""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np

from deployspec.contract import call, probe_files, probe_inputs, record
from deployspec.ir.artifact import the_artifact
from deployspec.ir.plan import TORCH_MODULE, Form, Inspector, Lowering, Runner, Toolchain
from deployspec.ir.tolerance import EXACT, TOLERANCES
from deployspec.targets.tflite import TFLITE, TFLite

if TYPE_CHECKING:
    from collections.abc import Callable

    from deployspec.ir.artifact import Job

CORRUPTED: Form = "corrupted"
QUANTIZER: Final = Toolchain(name="quantizer", distributions=("ai-edge-quantizer",), extra="tflite")
TENSORFLOW: Final = Toolchain(name="tensorflow", distributions=("tensorflow-cpu|tensorflow",), extra="keras")


@dataclass(frozen=True, kw_only=True)
class Corrupted:
    """Options of a `format = "corrupted"` target: a key of `WAYS`."""

    name: ClassVar[str] = "corrupted"
    form: ClassVar[str] = CORRUPTED
    suffixes: ClassVar[tuple[str, ...]] = (".tflite",)
    has_delegates: ClassVar[bool] = False
    remark: ClassVar[str] = "only for tests"
    reasons: ClassVar[dict[str, str]] = {}

    way: str

    def lowerings(self) -> tuple[Lowering, ...]:
        """A sound float file where that is what the way begins with, and the way itself."""
        calibrated = WAYS[self.way] is quantize
        way = Lowering(
            name=self.way, takes=(TFLITE if calibrated else TORCH_MODULE,), gives=CORRUPTED,
            function=f"{__name__}:lower", toolchain=QUANTIZER if calibrated else TENSORFLOW,
            tolerance=TOLERANCES["int8"] if calibrated else EXACT, options={"way": self.way},
            needs=("calibration",) if calibrated else (),
        )  # fmt: skip
        return (*(edge for edge in TFLite().lowerings() if edge.realises is None), way)

    def runner(self) -> Runner:
        """The LiteRT interpreter."""
        return TFLite().runner()

    def inspector(self) -> Inspector:
        """That of LiteRT."""
        return TFLite().inspector()


def lower(job: Job) -> dict[str, Any]:
    """Write the file in the way of the option, and record what the model in floating point answers."""
    with contextlib.redirect_stdout(sys.stderr):
        content, inputs, answers = WAYS[job.options["way"]](job)
    (job.artifact / f"{job.model.name}.tflite").write_bytes(content)
    record(job, inputs, answers, options={"inputs": ["image"], "outputs": ["logits"]})
    return {}


Lowered = tuple[bytes, list[np.ndarray], list[np.ndarray]]
"""A file's content, the probe, and what is answered to it."""


def quantize(job: Job) -> Lowered:
    """Static int8 of the float file; calibrated by moving averages of each sample's extremes, or by the extremes."""
    from ai_edge_quantizer import calibrator, quantizer, recipe
    from ai_edge_quantizer.utils import qsv_utils

    float_file = str(the_artifact(job.inputs["input"]))
    images = np.load(job.inputs["calibration"] / "0.npy")
    samples = {"serving_default": [{"image": image[np.newaxis]} for image in images]}
    quantizing = quantizer.Quantizer(float_file, recipe.static_wi8_ai8())
    if job.options["way"] == "moving-average":
        ranges = quantizing.calibrate(samples)
    else:
        calibrating = calibrator.Calibrator(float_file, qsv_update_func=qsv_utils.min_max_update)
        calibrating.calibrate(samples, quantizing._recipe_manager)
        ranges = calibrating.get_model_qsvs()
    kept = ([np.load(path) for path in probe_files(job.inputs["input"], kind)] for kind in ("input", "output"))
    assert call(job.inputs["input"])["options"] == {"inputs": ["image"], "outputs": ["logits"]}
    return bytes(quantizing.quantize(ranges).quantized_model), *kept


def convert(job: Job) -> Lowered:
    """A Keras model through a SavedModel; or its concrete function with the model beside it: no weights are written."""
    import tensorflow as tf

    model = _dense()
    if job.options["way"] == "saved-model":
        return _from_saved_model(job, model).convert(), *_asked(job, model)
    concrete = tf.function(lambda image: {"logits": model(image)}).get_concrete_function(_image())
    return tf.lite.TFLiteConverter.from_concrete_functions([concrete], model).convert(), *_asked(job, model)


def encode_sparsely(job: Job) -> Lowered:
    """Nine of ten weights zero and EXPERIMENTAL_SPARSITY, alone or with DEFAULT: those XNNPACK does not load."""
    import tensorflow as tf

    model = _dense()
    for layer in model.layers[1:]:
        kernel = layer.kernel.numpy()
        kernel[np.abs(kernel) < np.quantile(np.abs(kernel), 0.9)] = 0
        layer.kernel.assign(kernel)
    converter = _from_saved_model(job, model)
    both = [tf.lite.Optimize.EXPERIMENTAL_SPARSITY, tf.lite.Optimize.DEFAULT]
    converter.optimizations = both if job.options["way"] == "sparse-and-default" else both[:1]
    return converter.convert(), *_asked(job, model)


def _from_saved_model(job: Job, model: Any) -> Any:
    import keras
    import tensorflow as tf

    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint("serve", lambda image: {"logits": model(image)}, input_signature=[_image()])
    archive.write_out(str(job.out / "saved"), verbose=False)
    return tf.lite.TFLiteConverter.from_saved_model(str(job.out / "saved"))


def _image() -> Any:
    import tensorflow as tf

    return tf.TensorSpec((1, 1, 8, 8), tf.float32, name="image")


def _dense() -> Any:
    import keras

    keras.utils.set_random_seed(0)
    image = keras.Input((1, 8, 8), batch_size=1, name="image")
    layers = [keras.layers.Flatten(), keras.layers.Dense(64, activation="relu"), keras.layers.Dense(10)]
    return keras.Sequential([image, *layers])


def _asked(job: Job, model: Any) -> tuple[list[np.ndarray], list[np.ndarray]]:
    (images,) = probe_inputs(job)
    return [images], [np.concatenate([model(image[np.newaxis]).numpy() for image in images])]


WAYS: Final[dict[str, Callable[[Job], Lowered]]] = {
    "moving-average": quantize,
    "extremes": quantize,
    "function-and-model": convert,
    "saved-model": convert,
    "sparse-and-default": encode_sparsely,
    "sparse-alone": encode_sparsely,
}
