"""Finishes a .tflite: the spec's names on its ends, and float32 where the converter left integers there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

if TYPE_CHECKING:
    from collections.abc import Sequence

_INTEGERS = (schema.TensorType.INT8, schema.TensorType.UINT8, schema.TensorType.INT16)


def finish(content: bytes, inputs: Sequence[str], outputs: Sequence[str], *, float_ends: bool) -> bytes:
    """The flatbuffer with `inputs` and `outputs` as the names of its tensors and signature entries.

    `content` holds one subgraph with one signature whose entries are `args_<i>` and `output_<i>`, as
    litert-torch writes them (sorted by name, not by position). With `float_ends`, a quantized end gets a
    QUANTIZE or DEQUANTIZE operator, so that callers pass and get real values.
    """
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
    (graph,), (signature,) = model.subgraphs, model.signatureDefs
    quantize = schema.BuiltinOperator.QUANTIZE if float_ends else None
    dequantize = schema.BuiltinOperator.DEQUANTIZE if float_ends else None
    graph.inputs = _name_ends(model, signature.inputs, "args", inputs, quantize)
    graph.outputs = _name_ends(model, signature.outputs, "output", outputs, dequantize)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _name_ends(model: Any, entries: list[Any], stem: str, names: Sequence[str], operator: int | None) -> np.ndarray:
    """Name each end; where `operator` is given, put it between an integer end and the caller."""
    tensors, found, ends = model.subgraphs[0].tensors, {entry.name: entry for entry in entries}, []
    for place, name in enumerate(names):
        entry = found[f"{stem}_{place}".encode()]
        tensor = tensors[entry.tensorIndex]
        if operator is not None and _is_quantized(tensor):
            tensor.name = f"{name}_quantized".encode()
            entry.tensorIndex = _cast(model, entry.tensorIndex, operator)
        tensors[entry.tensorIndex].name = entry.name = name.encode()
        ends.append(entry.tensorIndex)
    return np.array(ends, np.int32)


def _is_quantized(tensor: Any) -> bool:
    quantization = tensor.quantization
    return tensor.type in _INTEGERS and quantization is not None and quantization.scale is not None


def _cast(model: Any, index: int, builtin: int) -> int:
    """Put QUANTIZE before, or DEQUANTIZE after, the integer tensor; returns its float32 twin's index."""
    graph, integer = model.subgraphs[0], model.subgraphs[0].tensors[index]
    twin = schema.TensorT()
    twin.shape, twin.shapeSignature, twin.hasRank = integer.shape, integer.shapeSignature, integer.hasRank
    twin.type = schema.TensorType.FLOAT32  # its buffer, 0, is the empty one by the format's rule
    graph.tensors.append(twin)
    new = len(graph.tensors) - 1
    entering = builtin == schema.BuiltinOperator.QUANTIZE
    operator = schema.OperatorT()
    operator.opcodeIndex = _opcode(model, builtin)
    source, sink = (new, index) if entering else (index, new)
    operator.inputs, operator.outputs = np.array([source], np.int32), np.array([sink], np.int32)
    graph.operators.insert(0 if entering else len(graph.operators), operator)
    return new


def _opcode(model: Any, builtin: int) -> int:
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = builtin  # the older field serves all codes below 127
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1
