"""Reads what ExecuTorch hands to XNNPACK: a header, a graph as a FlatBuffer, and constants beside it."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Final

import numpy as np

from deployspec.errors import UnreadableModel
from deployspec.formats import macs
from deployspec.formats.flatbuffer import open_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from deployspec.formats.flatbuffer import Schema, Table

_HEADER: Final = struct.Struct("<4x4sHIIIQ")
"""Magic, the header's length, offset and size of the graph, offset and size of the constants."""

_NOT_HERE: Final = 2**64 - 1
"""The offset of a constant that lies under a name of the program's own."""

_STORED: Final = {
    "xnn_datatype_fp32": "float32",
    "xnn_datatype_fp16": "float16",
    "xnn_datatype_qint8": "int8",
    "xnn_datatype_quint8": "uint8",
    "xnn_datatype_qcint8": "int8",
    "xnn_datatype_qint32": "int32",
    "xnn_datatype_qcint32": "int32",
}
"""Types of weights, as numpy calls what is stored."""

_WHOLE_NUMBERS: Final = "xnn_datatype_int32"
_CONVOLUTIONS: Final = ("XNNConv2d", "XNNDepthwiseConv2d", "XNNConvTranspose2d")


@dataclass(frozen=True, kw_only=True)
class Weight:
    """A stored constant that is floating point or quantized; `key` tells those that are stored once."""

    key: str
    dtype: str
    shape: tuple[int, ...]
    zeros: int

    @property
    def elements(self) -> int:
        """How many numbers it holds."""
        return prod(self.shape)

    @property
    def size_bytes(self) -> int:
        """What they take."""
        return self.elements * np.dtype(self.dtype).itemsize


@dataclass(frozen=True)
class _Value:
    """A tensor of the graph: the type XNNPACK gives it, its shape, the constant behind it (0: none), its zero point."""

    datatype: str
    shape: tuple[int, ...]
    constant: int
    zero_point: int


class XnnpackGraph:
    """The graph in `payload`; `named` gives a constant of the program's by its key.

    Raises UnreadableModel where the payload is damaged or of a version that `schema` does not describe.
    """

    def __init__(self, payload: memoryview, schema: Schema, named: Callable[[str], memoryview]) -> None:
        if len(payload) < _HEADER.size or bytes(payload[4:8]) != b"XH00":
            raise UnreadableModel("what it hands to XNNPACK has no header: damaged, or of an older version")
        _, _, start, size, self._constants_at, _ = _HEADER.unpack_from(payload)
        self._payload, self._named = payload, named
        graph = open_root(payload[start : start + size], schema)
        self._values = dict(map(_value, graph["xvalues"]))
        self._constants: list[Table] = graph["constant_data"]
        nodes = (each["xnode_union"] for each in graph["xnodes"])
        self._nodes: list[tuple[str, Table]] = [each for each in nodes if each is not None]

    @property
    def kinds(self) -> list[str]:
        """What each node is, in the order they run."""
        return [kind for kind, _ in self._nodes]

    def macs(self) -> int:
        """Multiply-accumulates of one run, at the largest shapes."""
        return sum(self._macs(kind, node) for kind, node in self._nodes)

    def weights(self) -> Iterator[Weight]:
        """Every constant of the graph that is floating point or quantized."""
        for value in self._values.values():
            if value.constant and value.datatype != _WHOLE_NUMBERS:
                yield self._weight(value)

    def _macs(self, kind: str, node: Table) -> int:
        if kind in _CONVOLUTIONS:
            return self._convolution(kind, node)
        if kind == "XNNFullyConnected":
            output = self._shape(node, "output_id")
            return macs.product(output, prod(self._shape(node, "filter_id")) // max(1, output[-1]))
        if kind == "XNNBatchMatrixMultiply":
            return macs.product(self._shape(node, "output_id"), self._shape(node, "input1_id")[-1])
        if kind == "XNNScaledDotProductAttention":
            query, key, value = (self._shape(node, f"{each}_id") for each in ("query", "key", "value"))
            scores = (*query[:-1], key[-2])
            return macs.product(scores, query[-1]) + macs.product(scores, value[-1])
        return 0

    def _convolution(self, kind: str, node: Table) -> int:
        """XNNPACK stores kernels in several orders: the node's own figures say what each output element takes."""
        window = (node["kernel_height"], node["kernel_width"])
        if kind == "XNNConvTranspose2d":
            kernel = (node["group_input_channels"], node["group_output_channels"], *window)
            return macs.transposed_convolution(self._shape(node, "input1_id"), kernel)
        kernel = (node["group_output_channels"], node["group_input_channels"], *window)
        return macs.convolution(self._shape(node, "output_id"), kernel)

    def _shape(self, node: Table, end: str) -> tuple[int, ...]:
        value = self._values.get(node[end])
        if value is None or not value.shape:
            raise UnreadableModel("a node of XNNPACK's graph has no tensor where it needs one: damaged")
        return value.shape

    def _weight(self, value: _Value) -> Weight:
        dtype = _STORED.get(value.datatype)
        if dtype is None:
            raise UnreadableModel(f"weights of type {value.datatype} are not read")
        key, stored = self._constant(value.constant)
        elements = prod(value.shape)
        if elements * np.dtype(dtype).itemsize > len(stored):
            raise UnreadableModel(f"a weight of shape {list(value.shape)} is longer than what is stored: damaged")
        numbers = np.frombuffer(stored, np.dtype(dtype).newbyteorder("<"), elements)
        zeros = elements - int(np.count_nonzero(numbers - value.zero_point if value.zero_point else numbers))
        return Weight(key=key, dtype=dtype, shape=value.shape, zeros=zeros)

    def _constant(self, index: int) -> tuple[str, memoryview]:
        if index >= len(self._constants):
            raise UnreadableModel(f"XNNPACK's graph names constant {index} of {len(self._constants)}: damaged")
        place = self._constants[index]
        if place["offset"] == _NOT_HERE:
            return place["named_key"], self._named(place["named_key"])
        start = self._constants_at + place["offset"]
        return f"{id(self)}:{index}", self._payload[start : start + place["size"]]


def _value(stored: Table) -> tuple[int, _Value]:
    kind, table = stored["xvalue_union"] or ("", stored)
    match kind:
        case "XNNTensorValue":
            tensor, quantization = table, None
        case "XNNQuantizedTensorValue":
            tensor, quantization = table["tensor_value"], table["quant_params"]
        case _:
            raise UnreadableModel("a value of XNNPACK's graph is of no kind: damaged")
    return tensor["id_out"], _Value(
        tensor["datatype"], tuple(map(int, tensor["dims"])), tensor["constant_buffer_idx"], _zero_point(quantization)
    )


def _zero_point(quantization: tuple[str, Table] | None) -> int:
    """Weights that are quantized per channel lie around zero."""
    if quantization is None or quantization[0] != "PerTensorQuant":
        return 0
    return int(quantization[1]["zero_point"])
