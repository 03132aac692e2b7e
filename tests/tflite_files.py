"""A .tflite written table by table: what each figure of it must be can be counted by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

_TYPES = {np.dtype("f4"): "FLOAT32", np.dtype("f2"): "FLOAT16", np.dtype("i1"): "INT8", np.dtype("i4"): "INT32"}


class File:
    """A .tflite in the making, of one graph."""

    def __init__(self) -> None:
        self.model, self.graph = schema.ModelT(), schema.SubGraphT()
        self.model.version, self.model.buffers, self.model.operatorCodes = 3, [schema.BufferT()], []
        self.model.subgraphs, self.model.signatureDefs = [self.graph], []
        self.graph.tensors, self.graph.operators, self.graph.inputs, self.graph.outputs = [], [], [], []

    def tensor(self, shape: tuple[int, ...] | None, data: Any = None, kind: str = "FLOAT32", **more: Any) -> int:
        tensor = schema.TensorT()
        tensor.name, tensor.shape = f"t{len(self.graph.tensors)}".encode(), shape and np.array(shape, np.int32)
        if data is not None:
            data = np.asarray(data)
            kind = _TYPES[data.dtype] if kind == "FLOAT32" else kind
            buffer = schema.BufferT()
            buffer.data = data.ravel().view(np.uint8)
            self.model.buffers.append(buffer)
            tensor.buffer = len(self.model.buffers) - 1
        tensor.type = getattr(schema.TensorType, kind)
        for name, value in more.items():
            setattr(tensor, name, value)
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def operator(self, name: str, inputs: list[int], output: int, options: Any = None, custom: str = "") -> None:
        code, operator = schema.OperatorCodeT(), schema.OperatorT()
        code.builtinCode = getattr(schema.BuiltinOperator, name)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        code.customCode = custom.encode() or None
        self.model.operatorCodes.append(code)
        operator.opcodeIndex = len(self.model.operatorCodes) - 1
        operator.inputs, operator.outputs = np.array(inputs, np.int32), np.array([output], np.int32)
        if options is not None:
            operator.builtinOptions = options
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
        self.graph.operators.append(operator)

    def sign(self, inputs: dict[str, int], outputs: dict[str, int]) -> None:
        """A signature; entries lie in the file sorted by name, as converters write them."""
        signature = schema.SignatureDefT()
        signature.signatureKey, signature.subgraphIndex = b"serving_default", 0
        signature.inputs, signature.outputs = (
            [entry(*each) for each in sorted(ends.items())] for ends in (inputs, outputs)
        )
        self.graph.inputs, self.graph.outputs = list(inputs.values()), list(outputs.values())
        self.model.signatureDefs.append(signature)

    def bytes(self) -> bytes:
        return bytes(flatbuffer_utils.convert_object_to_bytearray(self.model))


def entry(name: str, tensor: int) -> Any:
    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = name.encode(), tensor
    return entry


def dense(weights: np.ndarray, **more: Any) -> File:
    """y = x · weights."""
    file = File()
    x, w, y = file.tensor((1, weights.shape[1])), file.tensor(weights.shape, weights, **more), None
    y = file.tensor((1, weights.shape[0]))
    file.operator("FULLY_CONNECTED", [x, w, -1], y, schema.FullyConnectedOptionsT())
    file.sign({"x": x}, {"y": y})
    return file


def left_over() -> File:
    """y = (x · ones) mod itself, of which XNNPACK takes the product alone."""
    file = dense(np.ones((3, 2), np.float32))
    told = file.tensor((1, 3))
    file.operator("FLOOR_MOD", [2, 2], told)  # behind what is delegated
    file.sign({"x": 0}, {"y": told})
    file.model.signatureDefs.pop(0)
    return file
