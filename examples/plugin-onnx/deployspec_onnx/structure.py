"""Reads an .onnx without a runtime: its ends, operators, weights and multiply-accumulates."""

from __future__ import annotations

from collections import Counter
from math import prod
from typing import TYPE_CHECKING, Any

from deployspec.errors import UnreadableModel
from deployspec.formats import macs
from deployspec.ir.structure import End, Structure, ranked

if TYPE_CHECKING:
    from pathlib import Path

    from deployspec.ir.model import Model

SCALES = ("_scale", "_zero_point")
"""What onnxruntime's quantizer adds to a weight's name for what is no weight itself."""


def inspect(artifact: Path, _: Model) -> Structure:
    """What is in the file; shapes of one sample. Raises UnreadableModel for bytes that are no ONNX model."""
    import numpy as np
    import onnx

    try:
        graph = onnx.shape_inference.infer_shapes(onnx.load(artifact)).graph
    except Exception as error:
        raise UnreadableModel(f"{artifact.name} is not an ONNX model: {error}") from error
    stored = {each.name: onnx.numpy_helper.to_array(each) for each in graph.initializer}
    weights = {name: each for name, each in stored.items() if each.dtype.kind == "f" or each.dtype.itemsize == 1}
    weights = {name: each for name, each in weights.items() if not name.endswith(SCALES)}
    kernels = [each for each in weights.values() if each.ndim >= 2]
    types: Counter[str] = Counter()
    for each in weights.values():
        types[str(each.dtype)] += each.nbytes
    shapes = {each.name: _end(each) for each in [*graph.value_info, *graph.input, *graph.output]}
    return Structure(
        inputs=tuple(_end(each) for each in graph.input),
        outputs=tuple(_end(each) for each in graph.output),
        operators=ranked(Counter(node.op_type for node in graph.node)),
        parameters=sum(each.size for each in weights.values()),
        kernel_elements=sum(each.size for each in kernels),
        kernel_zeros=sum(int(np.count_nonzero(each == 0)) for each in kernels),
        weight_bytes=ranked(types),
        **_work(graph, stored, shapes),
    )


def _end(value: Any) -> End:
    """A dimension with a name is the batch: of one sample, it is 1."""
    import onnx

    tensor = value.type.tensor_type
    dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
    return End(name=value.name, shape=tuple(each.dim_value or 1 for each in tensor.shape.dim), dtype=str(dtype))


def _work(graph: Any, stored: dict[str, Any], shapes: dict[str, End]) -> dict[str, Any]:
    """The multiply-accumulates, or why they cannot be told."""
    total = 0
    for node in graph.node:
        if node.op_type in ("LSTM", "GRU", "RNN", "ConvTranspose", "Attention", "Einsum"):
            return {"macs": None, "macs_reason": f"this reader does not count {node.op_type}"}
        if node.op_type in ("Conv", "ConvInteger"):
            total += macs.convolution(shapes[node.output[0]].shape or (), stored[node.input[1]].shape)
        elif node.op_type in ("MatMul", "MatMulInteger", "Gemm"):
            rows, columns = shapes[node.output[0]].shape, stored[node.input[1]].shape
            total += macs.product(rows or (), prod(columns) // (rows or (1,))[-1])
    return {"macs": total}
