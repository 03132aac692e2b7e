"""The torch operators that multiply: each rule gives the result's shape and the multiply-accumulates.

A rule has the arguments of its operator's schema. `deployspec.formats.macs` holds the formulas.
Source of the schemas: torch, aten/src/ATen/native/native_functions.yaml and native/quantized/library.cpp.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any, Final

from deployspec.formats import macs
from deployspec.formats.torch_archive import Shaped

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Counted = tuple[Any, int]


def _convolution(
    x: Shaped,
    weight: Shaped,
    _bias: Any,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool = False,
    output_padding: Sequence[int] = (0,),
    groups: int = 1,
    *_: Any,
) -> Counted:
    rank = len(weight.shape) - 2
    batch, spatial = x.shape[: -rank - 1], x.shape[-rank:]
    stride, padding, dilation, extra = (per_axis(value, rank) for value in (stride, padding, dilation, output_padding))
    axes = zip(spatial, weight.shape[2:], stride, padding, dilation, extra, strict=True)
    if transposed:
        sizes = tuple((n - 1) * s - 2 * p + d * (k - 1) + e + 1 for n, k, s, p, d, e in axes)
        shape = (*batch, weight.shape[1] * groups, *sizes)
        return Shaped(shape), macs.transposed_convolution(x.shape, weight.shape)
    sizes = tuple((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d, _ in axes)
    shape = (*batch, weight.shape[0], *sizes)
    return Shaped(shape), macs.convolution(shape, weight.shape)


def per_axis(value: Any, rank: int) -> list[int]:
    """A setting of every spatial axis, where one number may stand for all."""
    values = [value] if isinstance(value, int) else list(value)
    return values * rank if len(values) == 1 else values


def _convolution_nd(
    x: Shaped, weight: Shaped, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
) -> Counted:
    if isinstance(padding, str):
        return _convolution_mode(x, weight, bias, stride, padding, dilation, groups)
    return _convolution(x, weight, bias, stride, padding, dilation, groups=groups)


def _convolution_mode(
    x: Shaped, weight: Shaped, bias: Any, stride: Any, padding: str, dilation: Any, groups: int
) -> Counted:
    if padding == "valid":
        return _convolution(x, weight, bias, stride, [0], dilation, groups=groups)
    shape = (*x.shape[: 1 - len(weight.shape)], weight.shape[0], *x.shape[2 - len(weight.shape) :])  # "same"
    return Shaped(shape), macs.convolution(shape, weight.shape)


def _transposed_nd(
    x: Shaped,
    weight: Shaped,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Counted:
    return _convolution(x, weight, bias, stride, padding, dilation, True, output_padding, groups)


def _packed_convolution(x: Shaped, packed: tuple[Any, ...], *_: Any) -> Counted:
    """A quantized convolution, whose parameters are those of `_convolution` in one object."""
    return _convolution(x, *packed)


def _linear(x: Shaped, weight: Shaped, *_: Any) -> Counted:
    shape = (*x.shape[:-1], *weight.shape[:-1])
    return Shaped(shape), macs.product(shape, weight.shape[-1])


def _matmul(x: Shaped, y: Shaped) -> Counted:
    rows = x.shape if len(x.shape) > 1 else (1, *x.shape)
    columns = y.shape if len(y.shape) > 1 else (*y.shape, 1)
    batch = broadcast(rows[:-2], columns[:-2])
    kept = (*rows[-2:-1][: len(x.shape) - 1], *columns[-1:][: len(y.shape) - 1])
    shape = (*batch, *kept)
    return Shaped(shape), macs.product(shape, x.shape[-1])


def _addmm(_bias: Any, x: Shaped, y: Shaped, **_: Any) -> Counted:
    return _matmul(x, y)


def _attention(query: Shaped, key: Shaped, value: Shaped, *_: Any, **__: Any) -> Counted:
    """Two products: the query with each key, and the weights that follow with the values."""
    shape = (*query.shape[:-1], value.shape[-1])
    scores = (*query.shape[:-1], key.shape[-2])
    return Shaped(shape), macs.product(scores, query.shape[-1]) + macs.product(shape, key.shape[-2])


def _recurrent(gates: int) -> Callable[..., Counted]:
    """An LSTM, GRU or plain recurrence over a sequence; its weights lie flat, or as a quantized cell a direction."""

    def rule(
        x: Shaped,
        state: Any,
        weights: Sequence[Any],
        biases: bool,
        layers: int,
        _dropout: float,
        _train: bool,
        bidirectional: bool,
        *_: Any,
        **__: Any,
    ) -> Counted:
        directions = 2 if bidirectional else 1
        cells = weights if isinstance(weights[0], list) else _cells(weights, 4 if biases else 2)
        if len(cells) != layers * directions:
            raise ValueError(f"{len(cells)} cells in {layers} layers")
        states = state if isinstance(state, list) else [state]
        hidden = cells[0][1].shape[-1]
        steps = prod(x.shape[:-1])
        work = sum(macs.recurrent(steps, gates, each[0].shape[-1], hidden) for each in cells)
        return (Shaped((*x.shape[:-1], hidden * directions)), *states), work

    return rule


def _cells(weights: Sequence[Any], count: int) -> list[Sequence[Any]]:
    return [weights[i : i + count] for i in range(0, len(weights), count)]


def broadcast(*shapes: Sequence[int]) -> tuple[int, ...]:
    """The shape that elementwise operators give. Raises ValueError where there is none."""
    rank = max(map(len, shapes))
    padded = [(*([1] * (rank - len(shape))), *shape) for shape in shapes]
    sizes = []
    for column in zip(*padded, strict=True):
        wide = {size for size in column if size != 1} or {1}
        if len(wide) > 1:
            raise ValueError(f"{shapes} do not go together")
        sizes.append(wide.pop())
    return tuple(sizes)


_CONVOLUTIONS: Final[dict[str, Callable[..., Counted]]] = {
    f"quantized::conv{rank}d{after}": _packed_convolution
    for rank in ("1", "2", "3", "_transpose1", "_transpose2", "_transpose3")
    for after in ("", "_relu", "_dynamic")
}
_LINEARS: Final[dict[str, Callable[..., Counted]]] = {
    f"quantized::linear{after}": _linear for after in ("", "_relu", "_dynamic", "_relu_dynamic")
}

PRODUCTS: Final[dict[str, Callable[..., Counted]]] = {
    "aten::_convolution": _convolution,
    "aten::convolution": _convolution,
    "aten::_convolution_mode": _convolution_mode,
    **{f"aten::conv{rank}d": _convolution_nd for rank in (1, 2, 3)},
    "aten::conv_transpose1d": _transposed_nd,
    "aten::conv_transpose2d": _transposed_nd,
    "aten::conv_transpose3d": _transposed_nd,
    **_CONVOLUTIONS,
    "aten::linear": _linear,
    **_LINEARS,
    **dict.fromkeys(("aten::matmul", "aten::mm", "aten::bmm", "aten::mv", "aten::dot"), _matmul),
    **dict.fromkeys(("aten::addmm", "aten::baddbmm"), _addmm),
    "aten::scaled_dot_product_attention": _attention,
    "aten::lstm": _recurrent(4),
    "aten::gru": _recurrent(3),
    "aten::rnn_tanh": _recurrent(1),
    "aten::rnn_relu": _recurrent(1),
    "aten::quantized_lstm": _recurrent(4),
    "aten::quantized_gru": _recurrent(3),
}
"""By operator, e.g. `aten::linear`: the rule for its shape and work."""
