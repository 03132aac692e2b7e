"""Writes an .mlpackage: the spec's names on its ends, and the same bytes for the same program."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any, Final

import numpy

from deployspec import contract
from deployspec.errors import SourceFault

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np

    from deployspec.ir.artifact import Job

_DATE: Final = "com.github.apple.coremltools.conversion_date"
_MODEL: Final = "Data/com.apple.CoreML/model.mlmodel"


def settings(job: Job) -> dict[str, Any]:
    """What every conversion asks for: the minimum, and float32 as the model stands or float16 in a scheme."""
    import coremltools

    plain = job.options["scheme"] is None
    return {
        "minimum_deployment_target": coremltools.target[job.options["minimum"]],
        "compute_precision": coremltools.precision.FLOAT32 if plain else coremltools.precision.FLOAT16,
        "skip_model_load": True,
    }


def end(name: str, array: np.ndarray, **shape: Any) -> Any:
    """An input or output as the converter declares it; `array` holds samples of it."""
    import coremltools

    kind = numpy.float32 if array.dtype.kind == "f" else numpy.int32
    return coremltools.TensorType(name=name, dtype=kind, **shape)


def record(job: Job, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> None:
    """Keep the float model's answers; whatever runs the package calls its ends by the spec's names."""
    contract.record(job, inputs, outputs, options=job.model.ends, batch=job.options.get("batch_max", 1))


def write(program: Any, job: Job) -> None:
    """Save the MLModel as the job's artifact. Raises SourceFault where Core ML cannot have one of the spec's names."""
    description = program.get_spec().description
    for kind, wanted in job.model.ends.items():
        got = [each.name for each in getattr(description, kind.removesuffix("s"))]
        if got != wanted:
            raise SourceFault(
                f"Core ML calls the {kind} {', '.join(got)} where the spec says {', '.join(wanted)}: its names are "
                "letters, digits and '_', begin with no digit and leave out words of its own; choose others"
            )
    program.user_defined_metadata.pop(_DATE, None)
    path = job.artifact / f"{job.model.name}.mlpackage"
    program.save(str(path))
    _settle(path)


def _settle(package: Path) -> None:
    """Take out what differs from one run to the next: random identifiers, the order of maps, the file's mode."""
    from coremltools.proto.Model_pb2 import Model

    file = package / _MODEL
    file.write_bytes(Model.FromString(file.read_bytes()).SerializeToString(deterministic=True))
    file.chmod(0o644)
    manifest = package / "Manifest.json"
    content = json.loads(manifest.read_bytes())
    items = sorted(content["itemInfoEntries"].values(), key=lambda item: item["path"])
    named = {_identifier(item["path"]): item for item in items}
    root = content["itemInfoEntries"][content["rootModelIdentifier"]]["path"]
    settled = content | {"itemInfoEntries": named, "rootModelIdentifier": _identifier(root)}
    manifest.write_text(json.dumps(settled, indent=4) + "\n")


def _identifier(path: str) -> str:
    """The same for the same place in a package, wherever and whenever it is written."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, path))
