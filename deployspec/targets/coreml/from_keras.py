"""From a SavedModel to an ML Program: its concrete function is converted, the ends get the spec's names afterwards."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from deployspec.errors import SourceFault
from deployspec.targets.coreml import package
from deployspec.targets.coreml.compress import compress
from deployspec.targets.saved_model import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from deployspec.ir.artifact import Job


def lower(job: Job) -> dict[str, Any]:
    """Convert the signature in the scheme of `job.options`; the source's answers are those to agree with."""
    import tensorflow as tf

    folder, inputs, answered = serving(job)
    package.record(job, inputs, answered)
    loaded = tf.saved_model.load(str(folder))  # held for as long as its function is read
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = _convert(job, loaded.signatures["serving_default"], inputs, answered)
        package.write(_named(job, compress(program, job.options["scheme"])), job)
    return {}


def _convert(job: Job, signature: Any, inputs: list[np.ndarray], outputs: list[np.ndarray]) -> Any:
    """The MLModel, its ends in the spec's order and called what TensorFlow's graph calls them."""
    import coremltools

    # The graph lists its outputs by their keys in the order of the alphabet, in which output_10 precedes output_2.
    made = dict(zip(sorted(signature.structured_outputs), signature.outputs, strict=True))
    results = [made[f"output_{i}"].name.partition(":")[0] for i in range(len(outputs))]
    return coremltools.convert(
        [signature],
        source="tensorflow",
        inputs=[package.end(f"input_{i}", array, shape=(1, *array.shape[1:])) for i, array in enumerate(inputs)],
        outputs=[package.end(name, array) for name, array in zip(results, outputs, strict=True)],
        **package.settings(job),
    )


def _named(job: Job, program: Any) -> Any:
    """The MLModel with the spec's names. Raises SourceFault for one that a value inside has."""
    import coremltools

    spec, names = program.get_spec(), job.model.ends
    passing = {each: f"{each}_of_the_spec" for each in (*names["inputs"], *names["outputs"])}
    for ends, wanted in ((spec.description.input, "inputs"), (spec.description.output, "outputs")):
        for end, name in zip(list(ends), names[wanted], strict=True):
            coremltools.utils.rename_feature(spec, end.name, passing[name])
    if taken := sorted(set(passing) & set(_values(spec))):
        raise SourceFault(f"the converted model has a value '{taken[0]}' inside: choose another name for that end")
    for name, between in passing.items():
        coremltools.utils.rename_feature(spec, between, name)
    return coremltools.models.MLModel(spec, weights_dir=program.weights_dir, skip_model_load=True)


def _values(spec: Any) -> Iterator[str]:
    """What the program calls its values."""
    for function in spec.mlProgram.functions.values():
        for block in function.block_specializations.values():
            yield from (output.name for op in block.operations for output in op.outputs)
