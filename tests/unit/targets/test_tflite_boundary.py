"""The ends of a .tflite get the spec's names by their positions, and real values where integers stood."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from ai_edge_litert.tools import flatbuffer_utils

from deployspec.targets.tflite.boundary import float_ends, name_ends

if TYPE_CHECKING:
    from collections.abc import Sequence

SCALE, ZERO_POINT = 0.5, 3


def negated(ends: int, kind: str = "FLOAT32") -> bytes:
    """Takes `args_<i>` and gives i + that as `output_<i>`, entries sorted by name; integers are quantized."""
    model, graph, signature, code = schema.ModelT(), schema.SubGraphT(), schema.SignatureDefT(), schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.ADD
    model.version, model.buffers, model.operatorCodes = 3, [schema.BufferT()], [code]
    model.subgraphs, model.signatureDefs = [graph], [signature]
    graph.tensors, graph.operators = [], []
    for i in range(ends):
        added = np.array([i / SCALE + ZERO_POINT], np.int8) if kind == "INT8" else np.array([i], np.float32)
        places = [_tensor(model, kind), _tensor(model, kind, added), _tensor(model, kind)]
        operator = schema.OperatorT()
        operator.inputs, operator.outputs = np.array(places[:2], np.int32), np.array(places[2:], np.int32)
        operator.builtinOptions, operator.builtinOptionsType = schema.AddOptionsT(), schema.BuiltinOptions.AddOptions
        graph.operators.append(operator)
    signature.signatureKey, signature.subgraphIndex = b"serving_default", 0
    signature.inputs = _entries({f"args_{i}": 3 * i for i in range(ends)})
    signature.outputs = _entries({f"output_{i}": 3 * i + 2 for i in range(ends)})
    graph.inputs = [each.tensorIndex for each in signature.inputs]
    graph.outputs = [each.tensorIndex for each in signature.outputs]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _tensor(model: Any, kind: str, data: Any = None) -> int:
    tensor, graph = schema.TensorT(), model.subgraphs[0]
    tensor.name, tensor.shape = f"t{len(graph.tensors)}".encode(), np.array([1], np.int32)
    tensor.type = getattr(schema.TensorType, kind)
    if kind == "INT8":
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale = np.array([SCALE], np.float32)
        tensor.quantization.zeroPoint = np.array([ZERO_POINT], np.int64)
    if data is not None:
        buffer = schema.BufferT()
        buffer.data = data.view(np.uint8)
        model.buffers.append(buffer)
        tensor.buffer = len(model.buffers) - 1
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def _entries(places: dict[str, int]) -> list[Any]:
    entries = []
    for name, place in sorted(places.items()):
        entry = schema.TensorMapT()
        entry.name, entry.tensorIndex = name.encode(), place
        entries.append(entry)
    return entries


def run(content: bytes, given: dict[str, float], dtype: type = np.float32) -> dict[str, np.ndarray]:
    signature = Interpreter(model_content=content).get_signature_runner()
    return signature(**{name: np.array([value], dtype) for name, value in given.items()})


def names_of_ends(content: bytes) -> list[Sequence[str]]:
    interpreter = Interpreter(model_content=content)
    return [
        [each["name"] for each in ends] for ends in (interpreter.get_input_details(), interpreter.get_output_details())
    ]


def test_names_go_by_position_where_the_alphabet_says_otherwise() -> None:
    inputs, outputs = [f"in{i}" for i in range(12)], [f"out{i}" for i in range(12)]
    named = name_ends(negated(12), inputs, outputs)
    assert names_of_ends(named) == [inputs, outputs]
    answered = run(named, {f"in{i}": 100 * i for i in range(12)})
    assert {name: value.item() for name, value in answered.items()} == {f"out{i}": 101 * i for i in range(12)}


def test_names_of_another_number_than_the_ends_are_a_bug() -> None:
    with pytest.raises(ValueError, match="zip"):
        name_ends(negated(2), ["a"], ["b", "c"])


def test_integer_ends_become_real_and_keep_their_names() -> None:
    integers = name_ends(negated(2, "INT8"), ["a", "b"], ["c", "d"])
    assert {name: value.dtype for name, value in run(integers, {"a": 0, "b": 0}, np.int8).items()} == {
        "c": np.int8, "d": np.int8,
    }  # fmt: skip
    real = float_ends(integers)
    assert names_of_ends(real) == [["a", "b"], ["c", "d"]]
    answered = run(real, {"a": 2.0, "b": -4.0})
    assert {name: (value.item(), value.dtype) for name, value in answered.items()} == {
        "c": (2.0, np.float32), "d": (-3.0, np.float32),
    }  # fmt: skip


def test_real_ends_stay_as_they_are() -> None:
    named = name_ends(negated(2), ["a", "b"], ["c", "d"])
    assert float_ends(named) == named
