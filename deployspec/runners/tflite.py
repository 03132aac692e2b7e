"""Runs a .tflite in the LiteRT interpreter, one thread, XNNPACK as the interpreter chooses.

Tensors are found by the names of the file's signature, else by their own, never by position or shape; integer inputs
and outputs of a quantized file are converted with the tensor's own scale and zero point.
"""

from __future__ import annotations

import importlib.metadata
from typing import TYPE_CHECKING, Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

if TYPE_CHECKING:
    from collections.abc import Sequence

RUNTIME = f"ai-edge-litert {importlib.metadata.version('ai-edge-litert')}"


def load(artifact: str, options: dict[str, Any]) -> Any:
    """A callable from arrays to arrays, in the order of `options["inputs"]` and `options["outputs"]`."""
    interpreter = Interpreter(model_path=artifact, num_threads=1)
    interpreter.allocate_tensors()
    taken, given = _ends(interpreter)
    inputs = [_Tensor(taken[name]) for name in options["inputs"]]
    outputs = [_Tensor(given[name]) for name in options["outputs"]]
    # A small model answers in microseconds: what is looked up here is not timed with it.
    set_tensor, invoke, get_tensor = interpreter.set_tensor, interpreter.invoke, interpreter.get_tensor
    encoders = [(i, tensor.index, tensor.encode) for i, tensor in enumerate(inputs)]
    decoders = [(tensor.index, tensor.decode) for tensor in outputs]

    def run(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        for i, index, encode in encoders:
            set_tensor(index, encode(arrays[i]))
        invoke()
        return [decode(get_tensor(index)) for index, decode in decoders]

    return run


def _ends(interpreter: Interpreter) -> tuple[dict[str, Any], dict[str, Any]]:
    """Details of inputs and outputs by the names of the signature, or by the tensors' own where there is none."""
    if interpreter.get_signature_list():
        signature = interpreter.get_signature_runner()
        return signature.get_input_details(), signature.get_output_details()
    ends = interpreter.get_input_details(), interpreter.get_output_details()
    taken, given = ({each["name"]: each for each in details} for details in ends)
    return taken, given


class _Tensor:
    """A tensor's index and how to cross between its stored integers and real values."""

    def __init__(self, details: dict[str, Any]) -> None:
        self.index = details["index"]
        self._dtype = np.dtype(details["dtype"])
        scale, self._zero = details["quantization"]
        self._scale = float(scale)

    def encode(self, real: np.ndarray) -> np.ndarray:
        """What the tensor stores for real values."""
        if real.dtype == self._dtype:
            return real
        if not self._scale:  # no quantized real but an integer, such as a token that the converter narrowed to int32
            return real.astype(self._dtype)
        limits = np.iinfo(self._dtype)
        return np.clip(np.rint(real / self._scale) + self._zero, limits.min, limits.max).astype(self._dtype)

    def decode(self, stored: np.ndarray) -> np.ndarray:
        """The real values of what the tensor stores."""
        if not self._scale or self._dtype == np.float32:
            return stored
        return ((stored.astype(np.float32) - self._zero) * self._scale).astype(np.float32)
