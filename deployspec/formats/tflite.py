"""Inspects a .tflite by its schema, in milliseconds; how much of it a delegate takes only the runtime tells."""

from __future__ import annotations

from collections import Counter
from math import prod
from typing import TYPE_CHECKING, Final

import numpy as np

from deployspec.errors import UnreadableModel
from deployspec.formats.tflite_file import File, Graph, Signature, Tensor, read
from deployspec.formats.tflite_macs import multiply_accumulates
from deployspec.ir.structure import End, Structure, ranked

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from deployspec.ir.model import Model

_FLOAT_BITS: Final = {
    "float64": 64, "float32": 32, "float16": 16, "bfloat16": 16, "float8_e4m3fn": 8, "float8_e5m2": 8,
}  # fmt: skip
_INTEGER_BITS: Final = {
    "int64": 64, "int32": 32, "int16": 16, "int8": 8, "int4": 4, "int2": 2,
    "uint64": 64, "uint32": 32, "uint16": 16, "uint8": 8, "uint4": 4,
}  # fmt: skip
_BITS: Final = _FLOAT_BITS | _INTEGER_BITS


def inspect(artifact: Path, model: Model) -> Structure:
    """What the file holds. Raises UnreadableModel for a file that is no whole .tflite."""
    del model  # the file knows its own ends and shapes
    file = read(artifact)
    inputs, outputs = ends(file)
    weights = _weights(file)
    kernels = [each for each in weights if len(each.shape) > 1]
    count, reason = multiply_accumulates(file)
    return Structure(
        inputs=inputs,
        outputs=outputs,
        operators=ranked(Counter(each.name for graph in file.graphs for each in graph.operators)),
        parameters=sum(prod(each.shape) for each in weights),
        kernel_elements=sum(prod(each.shape) for each in kernels),
        kernel_zeros=sum(map(_zeros, kernels)),
        weight_bytes=_bytes_by_type(weights),
        macs=count,
        macs_reason=reason,
        findings=_custom(file),
    )


def ends(file: File) -> tuple[tuple[End, ...], tuple[End, ...]]:
    """Inputs and outputs in the graph's order, by the first signature's names; without one by the tensors' own."""
    signature = next(iter(file.signatures), None)
    if signature is None:
        signature = Signature(key="", graph=0, inputs=(), outputs=())
    graph = file.graphs[signature.graph]
    return _named(graph, graph.inputs, signature.inputs), _named(graph, graph.outputs, signature.outputs)


def _named(graph: Graph, places: Iterable[int], names: Iterable[tuple[str, int]]) -> tuple[End, ...]:
    """A tensor that is given twice has two names, of which each is used once."""
    waiting: dict[int, list[str]] = {}
    for name, place in names:
        waiting.setdefault(place, []).append(name)
    ends = []
    for place in places:
        tensor = graph.tensors[place]
        name = waiting[place].pop(0) if waiting.get(place) else tensor.name
        ends.append(End(name=name, shape=tensor.signature, dtype=tensor.dtype))
    return tuple(ends)


def _weights(file: File) -> list[Tensor]:
    """The stored parameters, each buffer once however many tensors show it."""
    found: dict[int, Tensor] = {}
    for graph in file.graphs:
        scales = {place for each in graph.tensors for place in each.block_tensors}
        for place, each in enumerate(graph.tensors):
            if each.data.size and place not in scales and _is_parameter(each):
                found.setdefault(each.buffer, each)
    for each in found.values():
        _hold_size(each)
    return list(found.values())


def _is_parameter(tensor: Tensor) -> bool:
    return tensor.dtype in _FLOAT_BITS or (tensor.quantized and tensor.dtype in _INTEGER_BITS)


def _hold_size(tensor: Tensor) -> None:
    """The bytes are those of the shape; a sparse tensor stores fewer."""
    wanted = -(-prod(tensor.shape) * _BITS[tensor.dtype] // 8)
    if tensor.data.size > wanted or (tensor.data.size < wanted and not tensor.sparse):
        raise UnreadableModel(
            f"the tensor '{tensor.name}' stores {tensor.data.size:,} bytes where its shape wants {wanted:,}: "
            "the file is damaged"
        )


def _bytes_by_type(weights: list[Tensor]) -> tuple[tuple[str, int], ...]:
    found: Counter[str] = Counter()
    for each in weights:
        found["sparse" if each.sparse else each.dtype] += each.data.size
    return ranked(found)


def _zeros(tensor: Tensor) -> int:
    """Elements that stand for 0: those not stored, both zeros of a float, an integer's zero point."""
    stored = _elements(tensor)
    if tensor.dtype in _FLOAT_BITS:
        zeros = np.count_nonzero(stored << 1 == 0)  # whatever the sign
    elif tensor.zero_points.size > 1 and not tensor.sparse:
        zeros = np.count_nonzero(stored.reshape(tensor.shape) == _along_axis(tensor))
    else:
        zeros = np.count_nonzero(stored == (tensor.zero_points[0] if tensor.zero_points.size else 0))
    return int(zeros) + prod(tensor.shape) - stored.size


def _along_axis(tensor: Tensor) -> np.ndarray:
    """The zero points, shaped to stand beside the elements. Raises UnreadableModel where they do not fit these."""
    sizes = [size if axis == tensor.axis else 1 for axis, size in enumerate(tensor.shape)]
    if tensor.axis not in range(len(sizes)) or tensor.zero_points.size != sizes[tensor.axis]:
        raise UnreadableModel(
            f"the tensor '{tensor.name}' of shape {list(tensor.shape)} has {tensor.zero_points.size} zero points "
            f"along its axis {tensor.axis}: the file is damaged"
        )
    return tensor.zero_points.reshape(sizes)


def _elements(tensor: Tensor) -> np.ndarray:
    """The stored elements in a row: floats as their bits, integers below a byte one each."""
    bits = _BITS[tensor.dtype]
    if bits < 8:
        return _unpacked(tensor.data, bits, signed=tensor.dtype.startswith("i"))[: prod(tensor.shape)]
    kind = tensor.dtype if tensor.dtype in _INTEGER_BITS else f"uint{bits}"
    return tensor.data.view(np.dtype(kind))


def _unpacked(data: np.ndarray, bits: int, *, signed: bool) -> np.ndarray:
    """Integers that share a byte, the first in its lowest bits."""
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    left = (data[:, np.newaxis] >> shifts) << np.uint8(8 - bits)
    return (left.view(np.int8) if signed else left).ravel() >> (8 - bits)


def _custom(file: File) -> tuple[str, ...]:
    names = sorted({each.name for graph in file.graphs for each in graph.operators if each.custom})
    return tuple(map(_custom_finding, names))


def _custom_finding(name: str) -> str:
    if name.startswith("Flex"):
        return f"the operator {name} is TensorFlow's own: the app must ship the Flex delegate, many megabytes"
    return f"the operator {name} is a custom one: it runs only where the app registers it"
