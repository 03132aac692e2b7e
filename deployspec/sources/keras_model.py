"""Opens Keras sources, a SavedModel among them, and asks them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from deployspec.errors import SourceFault
from deployspec.ir.plan import Toolchain

if TYPE_CHECKING:
    import keras
    import numpy as np

    from deployspec.ir.artifact import Job

PRUNED: Final = "pruned.weights.h5"
"""What a prune pass before leaves: the model's weights."""

TENSORFLOW: Final = Toolchain(
    name="tensorflow",
    distributions=("tensorflow-cpu|tensorflow", "keras"),
    extra="keras",
    preload=("deployspec.runners.keras_eager",),
    block=("jax", "torch", "scipy", "sklearn", "pandas"),
)
"""Without what TensorFlow and Keras import only where it is installed: 2.8 CPU s and 712 MB become 1.6 and 503."""


def open_keras(job: Job) -> keras.Model:
    """The model of the role "model", with the weights of a prune pass where one went before. Raises SourceFault."""
    return _opened(job)


def open_saved_model(job: Job) -> Any:
    """The loaded SavedModel of the role "model". Raises SourceFault."""
    return _opened(job)


def _opened(job: Job) -> Any:
    from deployspec.runners.callables import ModelFault
    from deployspec.runners.keras_eager import load_weights, open_source

    try:
        opened = open_source(str(job.inputs["model"]), job.source)
        if "input" in job.inputs:
            load_weights(opened, job.inputs["input"] / PRUNED)
    except ModelFault as error:
        raise SourceFault(f"the model could not be opened: {error}") from error
    return opened


def one_sample(job: Job, opened: Any) -> Any:
    """The model's concrete function of one sample; its ends are `input_0` … and `output_0` …, in the spec's order.

    Raises SourceFault when they are not those that the spec declares.
    """
    import tensorflow as tf

    from deployspec.runners.callables import ModelFault
    from deployspec.runners.keras_eager import ends, specs

    declared = job.source
    try:
        call = ends(opened, declared["inputs"], declared["outputs"])
    except ModelFault as error:
        raise SourceFault(f"the model could not be called: {error}") from error

    def serve(*tensors: Any) -> dict[str, Any]:
        return {f"output_{i}": result for i, result in enumerate(call(*tensors))}

    return tf.function(serve, input_signature=specs(declared["inputs"])).get_concrete_function()


def answers(job: Job, opened: Any, inputs: list[np.ndarray]) -> list[np.ndarray]:
    """The model's outputs for `inputs`, one sample at a time, stacked again. Raises SourceFault."""
    import numpy
    import tensorflow as tf

    call = one_sample(job, opened)
    rows = [call(*(tf.constant(each[i : i + 1]) for each in inputs)) for i in range(len(inputs[0]))]
    names = [f"output_{i}" for i in range(len(job.model.outputs))]
    return [numpy.concatenate([row[name].numpy() for row in rows]) for name in names]
