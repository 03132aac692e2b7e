"""Runs an .onnx in onnxruntime, one thread, on the CPU; inputs and outputs by their names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import onnxruntime

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

RUNTIME = f"onnxruntime {onnxruntime.__version__}"


def load(artifact: str, options: dict[str, Any]) -> Any:
    """A callable from arrays to arrays, in the order of `options["inputs"]` and `options["outputs"]`."""
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = settings.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(artifact, settings, providers=["CPUExecutionProvider"])
    inputs, outputs = options["inputs"], options["outputs"]

    def run(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        results: list[np.ndarray] = session.run(outputs, dict(zip(inputs, arrays, strict=True)))
        return results

    return run
