"""A Keras source as a SavedModel of one sample, from which the formats start that are made by way of TensorFlow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from deployspec.ir.plan import KERAS_MODEL, SAVED_MODEL, Lowering
from deployspec.ir.tolerance import EXACT
from deployspec.sources.keras_model import TENSORFLOW

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from deployspec.ir.artifact import Job

EXPORT: Final = Lowering(
    name="export",
    takes=(KERAS_MODEL,),
    gives=SAVED_MODEL,
    function=f"{__name__}:export",
    toolchain=TENSORFLOW,
    tolerance=EXACT,
    cost_s=3.0,
)
"""The step that those formats share."""


def export(job: Job) -> dict[str, Any]:
    """The Keras model as a SavedModel, with its own answers to the probe."""
    from deployspec.contract import probe_inputs, record
    from deployspec.sources.keras_model import answers, open_keras

    opened, inputs = open_keras(job), probe_inputs(job)
    _write(job, opened, job.artifact / job.model.name)
    record(job, inputs, answers(job, opened, inputs))
    return {}


def serving(job: Job) -> tuple[Path, list[np.ndarray], list[np.ndarray]]:
    """A SavedModel of one sample, samples for it and the source's answers to them.

    Its ends are `input_0` … and `output_0` …, in the spec's order. It is what `export` gave; of a SavedModel that is
    the source itself it is made here, beside the artifact. Raises SourceFault.
    """
    import numpy

    from deployspec.contract import probe_files, probe_inputs
    from deployspec.ir.artifact import the_artifact
    from deployspec.sources.keras_model import answers, open_saved_model

    made = job.inputs.get("input")
    if made is not None:
        samples, known = ([numpy.load(path) for path in probe_files(made, kind)] for kind in ("input", "output"))
        return the_artifact(made), samples, known
    opened, samples, folder = open_saved_model(job), probe_inputs(job), job.out / "serving"
    _write(job, opened, folder)
    return folder, samples, answers(job, opened, samples)


def _write(job: Job, opened: Any, folder: Path) -> None:
    """The SavedModel with its one signature; the same model gives the same bytes. Raises SourceFault."""
    import tensorflow as tf

    from deployspec.runners.keras_eager import SERVING, variables
    from deployspec.sources.keras_model import one_sample

    module = tf.Module()
    module.kept = variables(opened)  # what a signature needs and nothing holds is lost without a word
    tf.saved_model.save(module, str(folder), signatures={SERVING: one_sample(job, opened)})
    (folder / "fingerprint.pb").unlink(missing_ok=True)  # it names this very writing
