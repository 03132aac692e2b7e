"""The ends of a .tflite: the spec's names on them, and float32 where a converter left quantized integers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

if TYPE_CHECKING:
    from collections.abc import Sequence

_INTEGERS = (schema.TensorType.INT8, schema.TensorType.UINT8, schema.TensorType.INT16)


def name_ends(content: bytes, inputs: Sequence[str], outputs: Sequence[str]) -> bytes:
    """The flatbuffer with `inputs` and `outputs` as the names of its tensors and signature entries, in that order.

    `content` holds one signature whose entries end in their positions, as `args_0` does: converters sort them
    otherwise.
    """
    model, graph, signature = _opened(content)
    graph.inputs = _named(graph, signature.inputs, inputs)
    graph.outputs = _named(graph, signature.outputs, outputs)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def float_ends(content: bytes) -> bytes:
    """The flatbuffer with a QUANTIZE or DEQUANTIZE at each quantized end: callers pass and get real values."""
    model, graph, signature = _opened(content)
    graph.inputs = _real(model, graph, graph.inputs, signature.inputs, schema.BuiltinOperator.QUANTIZE)
    graph.outputs = _real(model, graph, graph.outputs, signature.outputs, schema.BuiltinOperator.DEQUANTIZE)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _opened(content: bytes) -> tuple[Any, Any, Any]:
    """The model, its one signature, and the graph that this is of."""
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
    for buffer in model.buffers:  # of a large model they lie behind the flatbuffer, which is about to change its size
        if buffer.offset > 1:
            buffer.data = np.frombuffer(content, np.uint8, buffer.size, buffer.offset)
            buffer.offset = buffer.size = 0
    (signature,) = model.signatureDefs
    return model, model.subgraphs[signature.subgraphIndex], signature


def _named(graph: Any, entries: list[Any], names: Sequence[str]) -> np.ndarray:
    in_order = sorted(entries, key=_place)
    for name, entry in zip(names, in_order, strict=True):
        graph.tensors[entry.tensorIndex].name = entry.name = name.encode()
    return np.array([entry.tensorIndex for entry in in_order], np.int32)


def _place(entry: Any) -> int:
    return int(entry.name.rpartition(b"_")[2])


def _real(model: Any, graph: Any, ends: Sequence[int], entries: list[Any], operator: int) -> np.ndarray:
    """The ends, each quantized one replaced by its float32 twin, which takes its name."""
    twins = {int(end): _twin(model, graph, end, operator) for end in ends if _is_quantized(graph.tensors[end])}
    for entry in entries:
        entry.tensorIndex = twins.get(entry.tensorIndex, entry.tensorIndex)
    return np.array([twins.get(int(end), end) for end in ends], np.int32)


def _is_quantized(tensor: Any) -> bool:
    quantization = tensor.quantization
    return tensor.type in _INTEGERS and quantization is not None and quantization.scale is not None


def _twin(model: Any, graph: Any, index: int, operator: int) -> int:
    """Put QUANTIZE before, or DEQUANTIZE after, the integer tensor; returns its float32 twin's index."""
    integer, twin = graph.tensors[index], schema.TensorT()
    twin.shape, twin.shapeSignature, twin.hasRank = integer.shape, integer.shapeSignature, integer.hasRank
    twin.name, integer.name = integer.name, integer.name + b"_quantized"
    twin.type = schema.TensorType.FLOAT32  # its buffer, 0, is the empty one by the format's rule
    graph.tensors.append(twin)
    new = len(graph.tensors) - 1
    entering = operator == schema.BuiltinOperator.QUANTIZE
    cast = schema.OperatorT()
    cast.opcodeIndex = _opcode(model, operator)
    source, sink = (new, index) if entering else (index, new)
    cast.inputs, cast.outputs = np.array([source], np.int32), np.array([sink], np.int32)
    graph.operators.insert(0 if entering else len(graph.operators), cast)
    return new


def _opcode(model: Any, builtin: int) -> int:
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = builtin  # the older field serves all codes below 127
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1
