"""Multiply-accumulates of a .tflite, from the shapes of its tensors; the formulas are those of every format."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Final

from deployspec.errors import UnreadableModel
from deployspec.formats import macs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from deployspec.formats.tflite_file import File, Graph, Operator, Tensor

    Shape = tuple[int, ...]

_OPAQUE: Final = frozenset({
    "WHILE", "IF", "CALL", "STABLEHLO_WHILE", "STABLEHLO_CASE", "STABLEHLO_CUSTOM_CALL", "STABLEHLO_CONVOLUTION",
    "STABLEHLO_DOT_GENERAL", "SVDF",
})  # fmt: skip
"""Operators that may multiply and accumulate in a way, or as often, as the file alone does not tell."""

_NESTED: Final = 16
"""So deep may composites lie in composites."""


class _Unknown(Exception):
    """The file does not tell; the text says what."""


def multiply_accumulates(file: File) -> tuple[int | None, str]:
    """Those of one sample through the first signature's graph, or None with the reason."""
    start = file.signatures[0].graph if file.signatures else 0
    try:
        return _of_graph(file, start, {}, 0), ""
    except _Unknown as unknown:
        return None, str(unknown)


def _of_graph(file: File, place: int, known: dict[int, int], depth: int) -> int:
    if depth > _NESTED:
        raise UnreadableModel("its composites lie within each other without an end")
    if place not in known:
        graph = file.graphs[place]
        known[place] = sum(
            _of_operator(each, graph) if each.graph is None else _of_graph(file, each.graph, known, depth + 1)
            for each in graph.operators
        )
    return known[place]


def _of_operator(operator: Operator, graph: Graph) -> int:
    if operator.custom or operator.name in _OPAQUE:
        raise _Unknown(f"what the operator {operator.name} multiplies cannot be read from the file")
    count = _COUNTS.get(operator.name)
    if count is None:
        return 0
    call = _Call(
        inputs=[graph.tensors[place] if place >= 0 else None for place in operator.inputs],
        outputs=[graph.tensors[place] for place in operator.outputs],
        transposed=operator.transposed,
    )
    if any(-1 in each.signature[1:] for each in (*call.inputs, *call.outputs) if each is not None):
        raise _Unknown(f"the sizes that the operator {operator.name} meets are known only when the model runs")
    try:
        return count(call)
    except (IndexError, ValueError) as error:
        raise UnreadableModel(f"an operator {operator.name} lacks operands: the file is damaged") from error


@dataclass(frozen=True, kw_only=True)
class _Call:
    """An operator with its tensors; an input that was left out is None."""

    inputs: Sequence[Tensor | None]
    outputs: Sequence[Tensor]
    transposed: bool

    @property
    def output(self) -> Shape:
        return self.outputs[0].shape

    def input(self, place: int) -> Shape:
        tensor = self.inputs[place]
        if tensor is None:
            raise IndexError(place)
        return tensor.shape


def _convolution(call: _Call) -> int:
    """Its kernel is (out, *window, in / groups)."""
    return macs.convolution(call.output, call.input(1))


def _depthwise(call: _Call) -> int:
    """Its kernel is (1, height, width, out): each filter meets one channel."""
    one, *window, out = call.input(1)
    return macs.convolution(call.output, (out, one, *window))


def _convolution_3d(call: _Call) -> int:
    """Its kernel is (depth, height, width, in / groups, out)."""
    *window, channels, out = call.input(1)
    return macs.convolution(call.output, (out, channels, *window))


def _transposed(call: _Call) -> int:
    """Its kernel is (out, height, width, in); what it convolves is its third input."""
    out, *window, channels = call.input(1)
    return macs.transposed_convolution(call.input(2), (channels, out, *window))


def _transposed_3d(call: _Call) -> int:
    """Its kernel is (depth, height, width, out, in); what it convolves is its third input."""
    *window, out, channels = call.input(1)
    return macs.transposed_convolution(call.input(2), (channels, out, *window))


def _fully_connected(call: _Call) -> int:
    """Its weights are (out, in)."""
    return macs.product(call.output, call.input(1)[1])


def _batch_matmul(call: _Call) -> int:
    """Its first operand is (…, rows, inner), or (…, inner, rows) where the operator says so."""
    return macs.product(call.output, call.input(0)[-2 if call.transposed else -1])


def _recurrent(call: _Call) -> int:
    """At each step every weight matrix, of a gate or a projection, is met once; the states are variables."""
    steps = prod(call.input(0)[:-1])
    matrices = (each.shape for each in call.inputs[1:] if each is not None and not each.variable)
    return sum(macs.product((steps, shape[0]), shape[1]) for shape in matrices if len(shape) == 2)


_COUNTS: Final[dict[str, Callable[[_Call], int]]] = {
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "CONV_3D": _convolution_3d,
    "TRANSPOSE_CONV": _transposed,
    "CONV_3D_TRANSPOSE": _transposed_3d,
    "FULLY_CONNECTED": _fully_connected,
    "BATCH_MATMUL": _batch_matmul,
    "LSTM": _recurrent,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _recurrent,
    "BIDIRECTIONAL_SEQUENCE_LSTM": _recurrent,
    "RNN": _recurrent,
    "UNIDIRECTIONAL_SEQUENCE_RNN": _recurrent,
    "BIDIRECTIONAL_SEQUENCE_RNN": _recurrent,
}
