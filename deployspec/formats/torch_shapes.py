"""What torch's operators that multiply nothing do to shapes: enough for the nets that archives store frozen.

A rule has the arguments of its operator's schema and gives the result. Numbers, lists and texts are Python's own.
Source of the schemas: torch, aten/src/ATen/native/native_functions.yaml.
"""

from __future__ import annotations

import operator
from math import ceil, prod
from typing import TYPE_CHECKING, Any, Final

from deployspec.formats.torch_archive import Shaped
from deployspec.formats.torch_products import broadcast, per_axis

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_LARGEST_NUMBER: Final = 1 << 64

_MOST_PARTS: Final = 4096
"""Into how many parts a tensor is split, at most."""


class Opaque:
    """A value that no shape follows from: a type, a device, a text. To compare it is an error."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        raise TypeError("what is not known cannot be compared")

    def __bool__(self) -> bool:
        raise TypeError("what is not known is neither true nor false")


OPAQUE: Final = Opaque()


def _same(x: Shaped, *_: Any, **__: Any) -> Any:
    return x if not isinstance(x, Shaped) else Shaped(x.shape)


def _elementwise(x: Any, y: Any, *_: Any, **__: Any) -> Any:
    return Shaped(broadcast(*(each.shape if isinstance(each, Shaped) else () for each in (x, y))))


def _arithmetic(function: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """Of two tensors, or of two numbers, such as sizes. Raises ValueError for those that no size can have."""

    def rule(x: Any, y: Any, *_: Any, **__: Any) -> Any:
        if isinstance(x, Shaped) or isinstance(y, Shaped):
            return _elementwise(x, y)
        if not all(isinstance(each, int | float) and abs(each) < _LARGEST_NUMBER for each in (x, y)):
            raise ValueError(f"{x} and {y} are no numbers of sizes")
        return function(x, y)

    return rule


def _compared(function: Callable[[Any, Any], bool]) -> Callable[..., Any]:
    """Of two tensors, or of two numbers, texts, or flat lists of such."""

    def rule(x: Any, y: Any) -> Any:
        if isinstance(x, Shaped) or isinstance(y, Shaped):
            return _elementwise(x, y)
        if not all(isinstance(each, int | float | str) for value in (x, y) for each in _items(value)):
            raise TypeError("what is compared is not known")
        return function(x, y)

    return rule


def _items(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else [value]


def _cast(kind: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Of a number; what a tensor of the input holds is not known."""
    return lambda value: OPAQUE if isinstance(value, Shaped | Opaque) else kind(value)


def _divided(x: Any, y: Any, *_: Any, rounding_mode: str | None = None, **__: Any) -> Any:
    if not isinstance(x, Shaped) and not isinstance(y, Shaped):
        return int(x / y) if rounding_mode == "trunc" else x // y if rounding_mode == "floor" else x / y
    return _elementwise(x, y)


def _size(x: Shaped, axis: int | None = None) -> Any:
    return list(x.shape) if axis is None else x.shape[axis]


def _viewed(x: Shaped, sizes: Sequence[int]) -> Shaped:
    if -1 not in sizes:
        return Shaped(tuple(sizes))
    rest = prod(size for size in sizes if size != -1)
    return Shaped(tuple(prod(x.shape) // rest if size == -1 else size for size in sizes))


def _expanded(x: Shaped, sizes: Sequence[int], **_: Any) -> Shaped:
    own = (1,) * (len(sizes) - len(x.shape)) + x.shape
    return Shaped(tuple(old if new == -1 else new for old, new in zip(own, sizes, strict=True)))


def _flattened(x: Shaped, start: int = 0, end: int = -1) -> Shaped:
    first, last = start % len(x.shape), end % len(x.shape)
    return Shaped((*x.shape[:first], prod(x.shape[first : last + 1]), *x.shape[last + 1 :]))


def _unflattened(x: Shaped, axis: int, sizes: Sequence[int]) -> Shaped:
    at = axis % len(x.shape)
    return Shaped((*x.shape[:at], *_viewed(Shaped((x.shape[at],)), sizes).shape, *x.shape[at + 1 :]))


def _permuted(x: Shaped, order: Sequence[int]) -> Shaped:
    return Shaped(tuple(x.shape[axis] for axis in order))


def _transposed(x: Shaped, one: int = 0, other: int = 1) -> Shaped:
    shape = list(x.shape)
    shape[one], shape[other] = shape[other], shape[one]
    return Shaped(tuple(shape))


def _unsqueezed(x: Shaped, axis: int) -> Shaped:
    at = axis % (len(x.shape) + 1)
    return Shaped((*x.shape[:at], 1, *x.shape[at:]))


def _squeezed(x: Shaped, axes: int | Sequence[int] | None = None) -> Shaped:
    chosen = range(len(x.shape)) if axes is None else [axes] if isinstance(axes, int) else axes
    gone = {axis % len(x.shape) for axis in chosen}
    return Shaped(tuple(size for axis, size in enumerate(x.shape) if axis not in gone or size != 1))


def _joined(tensors: Sequence[Shaped], axis: int = 0, *_: Any) -> Shaped:
    shape = list(tensors[0].shape)
    shape[axis] = sum(each.shape[axis] for each in tensors)
    return Shaped(tuple(shape))


def _stacked(tensors: Sequence[Shaped], axis: int = 0) -> Shaped:
    shape = _unsqueezed(tensors[0], axis).shape
    return _joined([Shaped(shape)] * len(tensors), axis)


def _sliced(x: Any, axis: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> Any:
    if isinstance(x, list):  # of a list there is no axis: the arguments are start, end and step
        return x[slice(axis, start, end)]
    return _resized(x, axis, len(range(*slice(start, end, step).indices(x.shape[axis]))))


def _resized(x: Shaped, axis: int, size: int) -> Shaped:
    shape = list(x.shape)
    shape[axis] = size
    return Shaped(tuple(shape))


def _selected(x: Shaped, axis: int, _index: int) -> Shaped:
    at = axis % len(x.shape)
    return Shaped((*x.shape[:at], *x.shape[at + 1 :]))


def _narrowed(x: Shaped, axis: int, _start: int, length: int) -> Shaped:
    return _resized(x, axis, length)


def _chunked(x: Shaped, count: int, axis: int = 0) -> list[Shaped]:
    return _split(x, ceil(x.shape[axis] / count), axis)


def _split(x: Shaped, size: int | Sequence[int], axis: int = 0) -> list[Shaped]:
    whole = x.shape[axis]
    sizes = [min(size, whole - at) for at in _steps(whole, size)] if isinstance(size, int) else size
    return [_resized(x, axis, each) for each in sizes]


def _steps(whole: int, size: int) -> range:
    found = range(0, whole, size)
    if len(found) > _MOST_PARTS:
        raise ValueError(f"{len(found)} parts")
    return found


def _unbound(x: Shaped, axis: int = 0) -> list[Shaped]:
    return [_selected(x, axis, at) for at in _steps(x.shape[axis], 1)]


def _padded(x: Shaped, widths: Sequence[int], *_: Any) -> Shaped:
    """`widths` holds what goes before and after each axis, the last axis first."""
    shape = list(x.shape)
    for i in range(len(widths) // 2):
        shape[-1 - i] += widths[2 * i] + widths[2 * i + 1]
    return Shaped(tuple(shape))


def _reduced(x: Shaped, axes: int | Sequence[int] | None = None, keep: bool = False, *_: Any, **named: Any) -> Shaped:
    keep = named.get("keepdim", keep)
    chosen = range(len(x.shape)) if axes is None or axes == [] else [axes] if isinstance(axes, int) else axes
    gone = {axis % len(x.shape) for axis in chosen}
    shape = (1 if axis in gone else size for axis, size in enumerate(x.shape) if keep or axis not in gone)
    return Shaped(tuple(shape))


def _extreme(x: Any, other: Any = None, keep: bool = False, **_: Any) -> Any:
    """max and min: of two tensors or numbers, of a whole tensor, or along an axis, with the places."""
    if not isinstance(other, int) or not isinstance(x, Shaped):
        return _elementwise(x, other) if other is not None else Shaped(())
    return (_reduced(x, other, keep), _reduced(x, other, keep))


def _pooled(
    x: Shaped,
    window: Any,
    stride: Any = (),
    padding: Any = 0,
    dilation: Any = 1,
    rounds_up: bool = False,
    *_: Any,
    ceil_mode: bool = False,
) -> Shaped:
    rank = len(window)
    stride, padding, dilation = (per_axis(value, rank) for value in (stride or window, padding, dilation))
    axes = zip(x.shape[-rank:], window, stride, padding, dilation, strict=True)
    return Shaped((*x.shape[:-rank], *(_windows(*axis, rounds_up or ceil_mode) for axis in axes)))


def _windows(size: int, window: int, stride: int, padding: int, dilation: int, rounds_up: bool) -> int:
    """How many windows there are; a last one that begins beyond the input and its left padding is none."""
    room = size + 2 * padding - dilation * (window - 1) - 1
    count = (-(-room // stride) if rounds_up else room // stride) + 1
    return count - 1 if rounds_up and (count - 1) * stride >= size + padding else count


def _averaged(x: Shaped, window: Any, stride: Any = (), padding: Any = 0, rounds_up: bool = False, *_: Any) -> Shaped:
    return _pooled(x, window, stride, padding, 1, rounds_up)


def _adapted(x: Shaped, sizes: int | Sequence[int]) -> Shaped:
    wanted = [sizes] if isinstance(sizes, int) else sizes
    return Shaped((*x.shape[: -len(wanted)], *wanted))


def _scaled(x: Shaped, sizes: Sequence[int] | None, *rest: Any) -> Shaped:
    """An upsampling: to `sizes`, or by the factors that are the last list among the other arguments."""
    if sizes:
        return _adapted(x, sizes)
    factors = next(each for each in reversed(rest) if isinstance(each, list))
    return _adapted(x, [int(size * factor) for size, factor in zip(x.shape[2:], factors, strict=True)])


def _shuffled(x: Shaped, factor: int) -> Shaped:
    *batch, channels, height, width = x.shape
    return Shaped((*batch, channels // factor**2, height * factor, width * factor))


def _looked_up(weight: Shaped, index: Shaped, *_: Any) -> Shaped:
    return Shaped((*index.shape, *weight.shape[1:]))


def _filled(sizes: Sequence[int], *_: Any, **__: Any) -> Shaped:
    return Shaped(tuple(sizes))


def _named(names: str, rule: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    return {f"aten::{name}": rule for name in names.split()}


_COMPARISONS: Final = {name: getattr(operator, name) for name in ("eq", "ne", "lt", "le", "gt", "ge")}

SHAPES: Final[dict[str, Callable[..., Any]]] = {
    **_named(
        "relu relu6 hardtanh hardswish hardsigmoid sigmoid tanh gelu silu elu selu celu mish leaky_relu prelu softplus "
        "log_sigmoid softmax log_softmax dropout feature_dropout batch_norm layer_norm group_norm instance_norm "
        "rms_norm exp log log2 log1p neg abs sqrt rsqrt reciprocal square sin cos erf floor ceil round sign clamp "
        "clamp_min clamp_max pow to type_as float half contiguous clone detach alias dequantize quantize_per_tensor "
        "quantize_per_tensor_dynamic masked_fill cumsum zeros_like ones_like full_like logical_not bitwise_not roll "
        "flip threshold lift_fresh",
        _same,
    ),
    **_named("rsub maximum minimum logical_and logical_or bitwise_and bitwise_or remainder atan2", _elementwise),
    **_named("add add_relu", _arithmetic(operator.add)),
    **_named("sub", _arithmetic(operator.sub)),
    **_named("mul", _arithmetic(operator.mul)),
    **_named("floor_divide floordiv", _arithmetic(operator.floordiv)),
    **{f"aten::{name}": _compared(function) for name, function in _COMPARISONS.items()},
    "aten::div": _divided,
    **{f"quantized::{name}": _elementwise for name in ("add", "add_relu", "mul", "mul_relu")},
    **{f"quantized::{name}": _same for name in ("batch_norm", "batch_norm2d", "hardswish", "leaky_relu", "layer_norm")},
    **{f"quantized::{name}": _same for name in ("relu6", "sigmoid", "elu", "prelu", "instance_norm", "group_norm")},
    "quantized::cat": _joined,
    "aten::where": lambda condition, x, y: Shaped(broadcast(*(getattr(v, "shape", ()) for v in (condition, x, y)))),
    "aten::size": _size,
    "aten::dim": lambda x: len(x.shape),
    "aten::len": len,
    "aten::__getitem__": lambda values, at: values[at],
    "aten::__not__": operator.not_,
    "aten::__is__": lambda x, y: x is y,
    "aten::__isnot__": lambda x, y: x is not y,
    "aten::__contains__": lambda values, x: any(_compared(operator.eq)(each, x) for each in values),
    **_named("format device dtype", lambda *_, **__: OPAQUE),
    "aten::list": list,
    **{f"aten::{name}": _cast(int) for name in ("Int", "IntImplicit")},
    **{f"aten::{name}": _cast(float) for name in ("Float", "FloatImplicit")},
    "aten::Bool": _cast(bool),
    **_named("view reshape _unsafe_view", _viewed),
    **_named("view_as reshape_as expand_as", lambda _, like: Shaped(like.shape)),
    "aten::expand": _expanded,
    "aten::repeat": lambda x, times: Shaped(
        tuple(a * b for a, b in zip((1,) * (len(times) - len(x.shape)) + x.shape, times, strict=True))
    ),
    "aten::flatten": _flattened,
    "aten::unflatten": _unflattened,
    "aten::permute": _permuted,
    **_named("transpose t", _transposed),
    "aten::unsqueeze": _unsqueezed,
    "aten::squeeze": _squeezed,
    **_named("cat concat", _joined),
    "aten::stack": _stacked,
    "aten::slice": _sliced,
    "aten::select": _selected,
    "aten::narrow": _narrowed,
    "aten::chunk": _chunked,
    **_named("split split_with_sizes", _split),
    "aten::unbind": _unbound,
    **_named("pad constant_pad_nd reflection_pad1d reflection_pad2d replication_pad1d replication_pad2d", _padded),
    **_named("mean sum amax amin argmax argmin logsumexp prod all any var std", _reduced),
    **_named("max min", _extreme),
    **_named("max_pool1d max_pool2d max_pool3d", _pooled),
    **_named("avg_pool1d avg_pool2d avg_pool3d", _averaged),
    **_named("adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d", _adapted),
    **_named("upsample_nearest1d upsample_nearest2d upsample_bilinear2d upsample_bicubic2d", _scaled),
    "aten::pixel_shuffle": _shuffled,
    **_named("embedding", _looked_up),
    **_named("zeros ones full empty", _filled),
}
"""By operator: what it gives; in-place ones have the rule of their name without the final '_'."""
