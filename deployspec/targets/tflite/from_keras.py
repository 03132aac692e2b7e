"""From a SavedModel, by TensorFlow's converter: a function of a worker's job.

The SavedModel is read from its folder: of a concrete function with its Keras model beside it the converter writes a
file without weights, and says nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np

    from deployspec.ir.artifact import Job


def lower(job: Job) -> dict[str, Any]:
    """Convert with the scheme of the options, None for float32; one sample, static shapes."""
    import tensorflow as tf

    from deployspec.targets.saved_model import serving
    from deployspec.targets.tflite.files import prints_to_log, ship

    folder, inputs, answers = serving(job)
    if job.options["scheme"] == "int8":
        _refuse_loops(folder)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder))
    _set(converter, job)
    with prints_to_log():
        content = converter.convert()
    ship(job, content, inputs, answers)
    return {}


def _refuse_loops(folder: Path) -> None:
    """TensorFlow's calibration ends its process on a loop. Raises StepFailed."""
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    from deployspec.errors import StepFailed

    saved = SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    graphs = [graph for each in saved.meta_graphs for graph in each.graph_def.library.function]
    if any(node.op in ("While", "StatelessWhile") for graph in graphs for node in graph.node_def):
        raise StepFailed(
            "tflite.int8",
            "the model has a loop (a recurrent layer, as Keras writes it), which TensorFlow cannot calibrate: "
            "build the layer with unroll=True, or take the scheme int8-dynamic",
        )


def _set(converter: Any, job: Job) -> None:
    """What the scheme asks of the converter."""
    import tensorflow as tf

    scheme = job.options["scheme"]
    if scheme is None:
        return
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if scheme == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if scheme == "int8":
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.representative_dataset = lambda: _calibration(job)
        if job.options["io"] == "int8":
            converter.inference_input_type = converter.inference_output_type = tf.int8


def _calibration(job: Job) -> Iterator[dict[str, np.ndarray]]:
    """The calibration split in its order, one sample (1, …) of each input at a time."""
    import numpy

    folder = job.inputs["calibration"]
    stored = [numpy.load(folder / f"{i}.npy", mmap_mode="r") for i in range(len(job.model.inputs))]
    for row in range(len(stored[0])):
        yield {f"input_{i}": numpy.array(each[row : row + 1]) for i, each in enumerate(stored)}
