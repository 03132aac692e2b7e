"""The weights of an ML Program: how each is stored, in how many bytes, and how many of its elements are zero.

Nothing is decompressed: a palette's zeros are looked up in its table, a quantized weight's are compared with its
offset, a sparse one's are those that its mask leaves out. An encoding takes its parts as attributes (iOS 16) or as
arguments (iOS 18), where a part may itself be encoded. Source: coremltools, operator sets iOS16 and iOS18, compression.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import prod
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from deployspec.errors import UnreadableModel
from deployspec.formats.milblob import DType, unpack
from deployspec.formats.mlpackage import Package, TensorType, tensor_type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

FLOATS: Final = {DType.FP16: "float16", DType.FP32: "float32", DType.FP64: "float64", DType.BF16: "bfloat16"}


@dataclass(frozen=True)
class Weight:
    """A stored weight: its shape and zeros as the program sees it, its bytes as they lie in the file."""

    name: str
    shape: tuple[int, ...]
    zeros: int
    stored: str
    size_bytes: int

    @property
    def elements(self) -> int:
        """How many the program sees."""
        return prod(self.shape)


@dataclass(frozen=True)
class _Stored:
    """What a constant or an encoding gives. `zero` tells of each element whether it is 0, where one may ask."""

    elements: int
    zeros: int
    kind: str
    size_bytes: int
    zero: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))


def read_weights(package: Package, operations: Sequence[Any]) -> Iterator[Weight]:
    """The weights among `operations`, in their order: constants that are floating point or quantized.

    Integers are no weights, neither are scales and tables, nor scalars: the format keeps an operator's attributes as
    constants, too, and these are its epsilons and bounds. Raises UnreadableModel where an encoding does not add up
    or a weight holds NaN (infinity is what masks are made of).
    """
    reader = _Reader(package, operations)
    computed_with = [each for op in operations for each in _computed_with(op)]
    used = {each.name for each in computed_with} | {
        name for op in operations for each in op.blocks for name in each.outputs
    }
    for op in operations:
        stored = reader.read(op)
        if stored is not None and op.outputs[-1].name in used:
            yield _weight(op.outputs[-1].name, op.outputs[-1].type, stored)
    for argument in computed_with:
        stored = reader.plain("in place", argument.value) if argument.WhichOneof("binding") == "value" else None
        if stored is not None:
            yield _weight("in place", argument.value.type, stored)


def _weight(name: str, declared: Any, stored: _Stored) -> Weight:
    shape = _known(tensor_type(declared))
    if prod(shape) != stored.elements:
        raise _damaged(f"the weight '{name}' of shape {list(shape)} stores {stored.elements} elements")
    return Weight(name, shape, stored.zeros, stored.kind, stored.size_bytes)


def _computed_with(op: Any) -> Iterator[Any]:
    """The arguments that an operator computes with: neither an encoding's parts nor a quantizer's scales."""
    for key, given in op.inputs.items():
        if op.type not in _ENCODINGS and (op.type not in ("quantize", "dequantize") or key == "input"):
            yield from given.arguments


class _Reader:
    """Reads the operations in order and remembers what later encodings may be made of."""

    def __init__(self, package: Package, operations: Iterable[Any]) -> None:
        self._package = package
        self._constants = {op.outputs[0].name: op.attributes["val"] for op in operations if op.type == "const"}
        self._made: dict[str, _Stored] = {}

    def read(self, op: Any) -> _Stored | None:
        """What the operation stores, None where it computes."""
        if op.type == "const":
            return self.plain(op.outputs[0].name, op.attributes["val"])
        if op.type not in _ENCODINGS:
            return None
        stored = _ENCODINGS[op.type](self, op)
        self._made |= {each.name: stored for each in op.outputs}
        return stored

    def plain(self, name: str, value: Any) -> _Stored | None:
        """A constant, if it is a tensor of floats."""
        if value.type.WhichOneof("type") != "tensorType":
            return None
        kind = tensor_type(value.type)
        if not kind.dtype.is_float or not kind.shape:
            return None
        array = np.asarray(self._package.decode(value))
        if np.isnan(array).any():
            raise UnreadableModel(f"the weight '{name}' holds NaN: it was broken before it was written, or since")
        return _Stored(array.size, int(np.count_nonzero(array == 0)), FLOATS[kind.dtype], _bytes(kind))

    def made(self, op: Any, key: str) -> _Stored | None:
        """The argument, where another encoding gives it."""
        arguments = op.inputs[key].arguments if key in op.inputs else ()
        return self._made.get(arguments[0].name) if arguments else None

    def array(self, op: Any, key: str) -> np.ndarray:
        """The elements of an argument that is stored as it stands."""
        found = self._package.decode(self._value(op, key))
        if not isinstance(found, np.ndarray):
            raise _damaged(f"'{key}' of {op.type} is no tensor")
        return found

    def type(self, op: Any, key: str) -> TensorType:
        """The type of an argument that is stored as it stands."""
        return tensor_type(self._value(op, key).type)

    def size_bytes(self, op: Any, *keys: str) -> int:
        """Of those arguments that are given."""
        made = [self.made(op, key) for key in keys]
        plain = [key for key, each in zip(keys, made, strict=True) if each is None and self.has(op, key)]
        return sum(each.size_bytes for each in made if each) + sum(_bytes(self.type(op, key)) for key in plain)

    def has(self, op: Any, key: str) -> bool:
        """Whether an optional argument is given."""
        return key in op.attributes or key in op.inputs

    def _value(self, op: Any, key: str) -> Any:
        if key in op.attributes:
            return op.attributes[key]
        for argument in op.inputs[key].arguments if key in op.inputs else ():
            if argument.WhichOneof("binding") == "value":
                return argument.value
            if argument.name in self._constants:
                return self._constants[argument.name]
        raise _damaged(f"'{key}' of {op.type} is stored nowhere")


def _cast(reader: _Reader, op: Any) -> _Stored:
    """iOS 16: a float16 weight that is used as float32."""
    values = reader.array(op, "source_val")
    return _counted(values == 0, FLOATS[reader.type(op, "source_val").dtype], reader.size_bytes(op, "source_val"))


def _affine(reader: _Reader, op: Any) -> _Stored:
    """iOS 16: scale * (quantized_data - zero_point), one of each for all or for each slice along an axis."""
    data, offset = reader.array(op, "quantized_data"), reader.array(op, "zero_point")
    if offset.ndim:
        axis = int(reader.array(op, "axis"))
        if not -data.ndim <= axis < data.ndim:
            raise _damaged(f"a weight of {data.ndim} dimensions is quantized along axis {axis}")
        offset = offset.reshape([-1 if each == axis % data.ndim else 1 for each in range(data.ndim)])
        offset = _spread(offset, data.shape)
    size_bytes = reader.size_bytes(op, "quantized_data", "scale", "zero_point")
    return _counted(data == offset, reader.type(op, "quantized_data").dtype, size_bytes)


def _blocks(reader: _Reader, op: Any) -> _Stored:
    """iOS 18: scale * (data - offset), one of each for each block; without an offset also of what is encoded itself."""
    made = reader.made(op, "data")
    if made is not None and not reader.has(op, "offset"):
        return replace(made, size_bytes=made.size_bytes + reader.size_bytes(op, "scale"))
    data = reader.array(op, "data")
    offset = _spread(reader.array(op, "offset"), data.shape) if reader.has(op, "offset") else 0
    return _counted(data == offset, reader.type(op, "data").dtype, reader.size_bytes(op, "data", "scale", "offset"))


def _sparse_blocks(reader: _Reader, op: Any) -> _Stored:
    """iOS 18: the same of those elements that the mask keeps."""
    mask = reader.array(op, "data_mask") != 0
    data = _kept(reader.array(op, "nonzero_data"), mask)
    offset = _spread(reader.array(op, "offset"), mask.shape)[mask] if reader.has(op, "offset") else 0
    size_bytes = reader.size_bytes(op, "data_mask", "nonzero_data", "scale", "offset")
    return _counted(data == offset, reader.type(op, "nonzero_data").dtype, size_bytes)


def _palette(reader: _Reader, op: Any) -> _Stored:
    """iOS 16: packed places in one table. iOS 18: places in a table for each group, its entries perhaps vectors."""
    table, size_bytes = _zero_entries(reader, op), reader.size_bytes(op, "indices", "lut")
    if table.ndim == 1:
        shape = tuple(map(int, reader.array(op, "shape")))
        packed = reader.array(op, "indices").tobytes()
        indices = unpack(packed, _places_type(table.size), prod(shape)).reshape(shape)
        table = table.reshape([1] * len(shape) + [-1, 1])
    else:
        indices = reader.array(op, "indices")
    return _looked_up(table, indices, np.indices(indices.shape, sparse=True), indices.shape, size_bytes)


def _sparse_palette(reader: _Reader, op: Any) -> _Stored:
    """iOS 18: the places of those elements that the mask keeps."""
    mask = reader.array(op, "indices_mask") != 0
    indices = _kept(reader.array(op, "indices_nonzero_data"), mask)
    size_bytes = reader.size_bytes(op, "indices_mask", "indices_nonzero_data", "lut")
    return _looked_up(_zero_entries(reader, op), indices, np.nonzero(mask), mask.shape, size_bytes)


def _sparse(reader: _Reader, op: Any) -> _Stored:
    """A mask, packed in iOS 16, and the elements that it keeps, which iOS 18 may have encoded."""
    inner = reader.made(op, "nonzero_data")
    elements = prod(_known(tensor_type(op.outputs[0].type)))
    if inner is not None:
        return _Stored(elements, elements - inner.elements + inner.zeros, f"sparse-{inner.kind}", inner.size_bytes)
    mask = reader.array(op, "mask")
    if "shape" in op.attributes:
        mask = unpack(mask.tobytes(), DType.UINT1, elements)
    data = _kept(reader.array(op, "nonzero_data"), mask != 0)
    kind = FLOATS.get(reader.type(op, "nonzero_data").dtype, "integers")
    zeros = mask.size - np.count_nonzero(data)
    return _Stored(mask.size, int(zeros), f"sparse-{kind}", reader.size_bytes(op, "nonzero_data", "mask"))


_ENCODINGS: Final[dict[str, Callable[[_Reader, Any], _Stored]]] = {
    "constexpr_cast": _cast,
    "constexpr_affine_dequantize": _affine,
    "constexpr_blockwise_shift_scale": _blocks,
    "constexpr_sparse_blockwise_shift_scale": _sparse_blocks,
    "constexpr_lut_to_dense": _palette,
    "constexpr_lut_to_sparse": _sparse_palette,
    "constexpr_sparse_to_dense": _sparse,
}


def _counted(zero: np.ndarray, kind: str, size_bytes: int) -> _Stored:
    return _Stored(zero.size, int(np.count_nonzero(zero)), str(kind), size_bytes, zero)


def _zero_entries(reader: _Reader, op: Any) -> np.ndarray:
    """Which values of a table are 0; the table may be quantized itself."""
    made = reader.made(op, "lut")
    return reader.array(op, "lut") == 0 if made is None else made.zero


def _looked_up(
    table: np.ndarray, indices: np.ndarray, places: Sequence[np.ndarray], shape: tuple[int, ...], size_bytes: int
) -> _Stored:
    """`table` is (*groups, entries, values); `places` are those of the `indices` within the weight of `shape`."""
    *groups, entries, vector = table.shape
    _hold_blocks(groups, shape)
    if indices.size and indices.max() >= entries:
        raise _damaged(f"a palette of {entries} values is asked for its value {indices.max()}")
    within = [place // (size // count) for place, size, count in zip(places, shape, groups, strict=True)]
    zeros = int(table.sum(axis=-1, dtype=np.uint16)[(*within, indices)].sum())
    return _Stored(indices.size * vector, zeros, f"palette-{(entries - 1).bit_length()}", size_bytes)


def _places_type(entries: int) -> DType:
    """The type of a place in a table of so many values."""
    name = f"uint{max(entries - 1, 1).bit_length()}"
    if name not in [each.value for each in DType]:
        raise _damaged(f"no palette has {entries} values")
    return DType(name)


def _spread(blocks: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Each block's value over the elements of the block."""
    _hold_blocks(blocks.shape, shape)
    for axis, size in enumerate(shape):
        blocks = np.repeat(blocks, size // blocks.shape[axis], axis)
    return blocks


def _hold_blocks(counts: Sequence[int], shape: tuple[int, ...]) -> None:
    """So many blocks along each axis divide the weight evenly."""
    if len(counts) != len(shape) or any(count < 1 or size % count for count, size in zip(counts, shape, strict=True)):
        raise _damaged(f"blocks of {list(counts)} do not divide a weight of {list(shape)}")


def _kept(data: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The data, as many as the mask keeps."""
    if data.size != np.count_nonzero(mask):
        raise _damaged(f"a mask keeps {np.count_nonzero(mask)} elements and {data.size} are stored")
    return data.reshape(-1)


def _known(kind: TensorType) -> tuple[int, ...]:
    if None in kind.shape:
        raise _damaged("a weight has no fixed shape")
    return tuple(size for size in kind.shape if size is not None)


def _bytes(kind: TensorType) -> int:
    return -(-prod(_known(kind)) * kind.dtype.bits // 8)


def _damaged(what: str) -> UnreadableModel:
    return UnreadableModel(f"{what}: the model is damaged, convert it again")
