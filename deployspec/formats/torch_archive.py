"""torch's zip archives, .pt and .ptl, read without torch and without running a pickle: the file may be hostile.

A pickle may name only what TorchScript writes, and every name becomes a plain record. Tensors are stored as a record
of raw elements, with type, shape and strides in the pickle. A tensor without dimensions is a number of the code or of
a quantization, and no weight.
Source: torch, torch/csrc/jit/serialization/pickler.cpp and docs/serialization.md; aten/src/ATen/native/quantized.
"""

from __future__ import annotations

import io
import json
import pickle
import pickletools
import zipfile
from collections import Counter
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from deployspec.errors import UnreadableModel
from deployspec.ir.structure import End

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

_LARGEST_TEXT_BYTES: Final = 16 << 20
"""Of a pickle, or of code; weights are records of their own."""

_LARGEST_SIZE: Final = 1 << 48
"""Of one dimension: what is larger is nobody's tensor, and numbers that grow without end take time without end."""

_OPCODES: Final = frozenset("""
    PROTO GLOBAL BINPUT LONG_BINPUT BINGET LONG_BINGET MARK STOP NONE NEWTRUE NEWFALSE BININT BININT1 BININT2 LONG1
    BINFLOAT BINUNICODE BINSTRING SHORT_BINSTRING EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_LIST APPEND APPENDS
    EMPTY_DICT SETITEM SETITEMS NEWOBJ BUILD REDUCE BINPERSID
""".split())  # fmt: skip # noqa: SIM905 - a list of names reads badly in quotes and commas
"""What torch's pickler writes. Others set memory aside before they look whether the file has so much."""

_STORAGES: Final = {
    "DoubleStorage": ("float64", "<f8"),
    "FloatStorage": ("float32", "<f4"),
    "HalfStorage": ("float16", "<f2"),
    "BFloat16Storage": ("bfloat16", "<u2"),
    "QInt8Storage": ("int8", "<i1"),
    "QUInt8Storage": ("uint8", "<u1"),
    "QInt32Storage": ("int32", "<i4"),
    "BoolStorage": ("bool", "?"),
    "ByteStorage": ("uint8", "<u1"),
    "CharStorage": ("int8", "<i1"),
    "ShortStorage": ("int16", "<i2"),
    "IntStorage": ("int32", "<i4"),
    "LongStorage": ("int64", "<i8"),
}
"""torch's storage classes: the type's name, and how numpy reads an element (bfloat16 as its bits)."""

_MAGNITUDE_BITS: Final = 0x7FFF
"""Of a bfloat16: all but the sign."""


@dataclass(frozen=True)
class Shaped:
    """A tensor of which only the shape is known. Raises ValueError for sizes that no tensor has."""

    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        if not all(isinstance(size, int) and 0 <= size < _LARGEST_SIZE for size in self.shape):
            raise ValueError(f"no tensor has the shape {self.shape}")


@dataclass(frozen=True)
class Stored(Shaped):
    """A tensor of the archive: where its elements lie, and its zero point, where it is quantized."""

    storage: str
    record: str
    offset: int
    stride: tuple[int, ...]
    zero_point: Any = None
    """None, a number, or a Stored of one number for each index along `axis`."""
    axis: int = 0

    @property
    def dtype(self) -> str:
        """The stored type, e.g. `int8`."""
        return _STORAGES[self.storage][0]

    @property
    def is_weight(self) -> bool:
        """Whether its elements are parameters."""
        return bool(self.shape) and (self.zero_point is not None or "float" in self.dtype)


@dataclass
class Instance:
    """An object of a TorchScript class: its class's dotted name and its state."""

    name: str
    state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


@dataclass(frozen=True)
class Weights:
    """What the weights of an archive come to."""

    parameters: int
    kernel_elements: int
    kernel_zeros: int
    bytes: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Archive:
    """An opened archive; `records` maps names below its root to members of the zip."""

    path: Path
    zip: zipfile.ZipFile = field(repr=False)
    records: dict[str, zipfile.ZipInfo] = field(repr=False)

    def read(self, record: str) -> bytes:
        """The record's bytes. Raises UnreadableModel where it is absent, damaged, or packed to burst."""
        info = self.records.get(record)
        if info is None:
            raise self.fault(f"it lacks '{record}'")
        if info.compress_type != zipfile.ZIP_STORED and info.file_size > _LARGEST_TEXT_BYTES:
            raise self.fault(f"'{record}' would unpack to {info.file_size} bytes")
        try:
            return self.zip.read(info)
        except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError) as error:
            raise self.fault(f"'{record}' cannot be read: {error}") from None
        except Exception as error:  # zlib's own, which has no common base
            raise self.fault(f"'{record}' is damaged: {error}") from None

    def unpickled(self, record: str) -> Any:
        """What the pickle holds, with records in the place of objects."""
        try:
            content = self.read(record)
            _refuse_foreign(content)
            return _Unpickler(self, record, content).load()
        except UnreadableModel:
            raise
        except Exception as error:  # a damaged pickle fails in any way
            raise self.fault(f"'{record}' is no pickle of torch's: {error}") from None

    def elements(self, tensor: Stored) -> np.ndarray:
        """The tensor's elements in its shape."""
        content, dtype = self.read(tensor.record), np.dtype(_STORAGES[tensor.storage][1])
        if len(content) % dtype.itemsize:
            raise self.fault(f"'{tensor.record}' of {len(content)} bytes holds no whole elements of {tensor.dtype}")
        data = np.frombuffer(content, dtype)
        last = tensor.offset + sum((size - 1) * step for size, step in zip(tensor.shape, tensor.stride, strict=True))
        count = prod(tensor.shape)
        if count > len(data) or (count and last >= len(data)):
            raise self.fault(f"a tensor of shape {list(tensor.shape)} reaches beyond '{tensor.record}'")
        strides = [step * data.itemsize for step in tensor.stride]
        return np.lib.stride_tricks.as_strided(data[tensor.offset :], tensor.shape, strides, writeable=False)

    def number(self, tensor: Stored) -> float | int:
        """What a tensor without dimensions holds."""
        value: float | int = self.elements(tensor)[()].item()
        return value

    def fault(self, reason: str) -> UnreadableModel:
        """The fault of this file."""
        return UnreadableModel(f"{self.path.name}: {reason}")

    def signature(self, kind: str, count: int) -> tuple[End, ...]:
        """The ends, named as the file's own record says; `count` are there. Nameless where it has no such record."""
        names: list[Any] = [""] * count
        if "extra/signature.json" in self.records:
            try:
                names = json.loads(self.read("extra/signature.json"))[kind]
            except (ValueError, KeyError, TypeError, RecursionError):
                raise self.fault("its signature is no record of names") from None
        if not isinstance(names, list) or len(names) != count or not all(isinstance(name, str) for name in names):
            raise self.fault(f"its signature names {names} as {kind}, and its code has {count}")
        return tuple(End(name=name) for name in names)

    def weigh(self, held: Iterable[Any]) -> Weights:
        """Every weight that is reached from `held`, each once."""
        found = dict.fromkeys(tensor for tensor in stored_in(held) if tensor.is_weight)
        kernels = [tensor for tensor in found if len(tensor.shape) > 1]
        sizes: Counter[str] = Counter()
        for tensor in found:
            sizes[tensor.dtype] += prod(tensor.shape) * np.dtype(_STORAGES[tensor.storage][1]).itemsize
        return Weights(
            parameters=sum(prod(tensor.shape) for tensor in found),
            kernel_elements=sum(prod(tensor.shape) for tensor in kernels),
            kernel_zeros=sum(map(self._zeros, kernels)),
            bytes=tuple(sorted(sizes.items())),
        )

    def _zeros(self, tensor: Stored) -> int:
        """How many elements stand for 0."""
        elements, zero = self.elements(tensor), tensor.zero_point
        if tensor.storage == "BFloat16Storage":
            elements = elements & _MAGNITUDE_BITS
        if isinstance(zero, Stored):
            zero = self.elements(zero).reshape([-1 if axis == tensor.axis else 1 for axis in range(elements.ndim)])
        return int(np.count_nonzero(elements == (0 if zero is None else zero)))


def open_archive(path: Path) -> Archive:
    """The archive at `path`. Raises UnreadableModel where it is none, or has a record twice."""
    try:
        opened = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise UnreadableModel(f"{path.name}: no whole archive of torch's: {error}") from None
    records = {info.filename.partition("/")[2]: info for info in opened.infolist()}
    if len(records) < len(opened.infolist()):
        raise UnreadableModel(f"{path.name}: a record is there twice")
    return Archive(path, opened, records)


def stored_in(held: Any) -> Iterator[Stored]:
    """Every tensor of the archive that is reached from `held`, through lists, tuples, dictionaries and objects."""
    queue, seen = [held], set()
    while queue:
        value = queue.pop()
        if isinstance(value, Stored):
            yield value
        elif isinstance(value, Instance | dict | list | tuple) and id(value) not in seen:
            seen.add(id(value))
            inner = (
                [value.state] if isinstance(value, Instance) else value.values() if isinstance(value, dict) else value
            )
            queue += list(inner)[::-1]


def _refuse_foreign(content: bytes) -> None:
    """Raises ValueError for a pickle that torch's pickler does not write."""
    for code, argument, _ in pickletools.genops(content):
        beyond = code.name == "LONG_BINPUT" and isinstance(argument, int) and argument > len(content)
        if beyond or code.name not in _OPCODES:
            raise ValueError(f"it has the opcode {code.name} {argument}")


class _Unpickler(pickle.Unpickler):
    """Makes records, calls nothing but the few functions below, and knows no other name."""

    def __init__(self, archive: Archive, record: str, content: bytes) -> None:
        super().__init__(io.BytesIO(content))
        self._archive = archive
        self._folders = dict.fromkeys((record.removesuffix(".pkl"), "constants", "data"))

    def find_class(self, module: str, name: str) -> Any:
        if module.startswith("__torch__"):
            return _maker(f"{module}.{name}")
        if module == "torch" and (name in _STORAGES or name.startswith("per_")):
            return name
        known: dict[tuple[str, str], Callable[..., Any]] = {
            ("collections", "OrderedDict"): dict,
            ("torch", "device"): str,
            ("torch._utils", "_rebuild_tensor_v2"): self._tensor,
            ("torch._utils", "_rebuild_qtensor"): self._quantized,
            ("torch.jit._pickle", "restore_type_tag"): _first,
            ("torch.jit._pickle", "build_tensorlist"): _first,
            ("torch.jit._pickle", "build_intlist"): _first,
            ("torch.jit._pickle", "build_doublelist"): _first,
            ("torch.jit._pickle", "build_boollist"): _first,
        }
        if (module, name) not in known:
            raise self._archive.fault(f"it holds a {module}.{name}, which no TorchScript file does")
        return known[module, name]

    def persistent_load(self, pid: Any) -> tuple[str, str]:
        """A storage: its class and the record that holds it."""
        _, storage, key, _, count = pid
        if storage not in _STORAGES:
            raise self._archive.fault(f"it stores elements as {storage}, which is not read")
        names = (f"{folder}/{key}" for folder in self._folders)
        record = next((name for name in names if name in self._archive.records), None)
        if record is None:
            raise self._archive.fault(f"the tensor stored as '{key}' is missing")
        if count * np.dtype(_STORAGES[storage][1]).itemsize > self._archive.records[record].file_size:
            raise self._archive.fault(f"'{record}' is shorter than its {count} elements")
        return storage, record

    def _tensor(self, storage: Any, offset: Any, shape: Any, stride: Any, *_: Any, **quantized: Any) -> Stored:
        steps = (offset, *stride)
        if len(shape) != len(stride) or not all(isinstance(step, int) and 0 <= step < _LARGEST_SIZE for step in steps):
            raise self._archive.fault(f"a tensor's shape is {shape} with strides {stride}")
        kind, record = storage
        return Stored(shape, kind, record, offset, stride, **quantized)

    def _quantized(self, storage: Any, offset: Any, shape: Any, stride: Any, scheme: Any, *_: Any) -> Stored:
        kind, _, zero_point, *axis = scheme
        many = kind.startswith("per_channel")
        if not (_lies_along(zero_point, shape, *axis) if many else isinstance(zero_point, int)):
            raise self._archive.fault(f"a {kind} tensor has the zero point {zero_point}")
        return self._tensor(storage, offset, shape, stride, zero_point=zero_point, axis=axis[0] if axis else 0)


def _lies_along(zero_points: Any, shape: Any, axis: Any) -> bool:
    """Whether these are plain numbers, one for each index along the axis."""
    plain = isinstance(zero_points, Stored) and zero_points.zero_point is None
    return plain and axis in range(len(shape)) and zero_points.shape == (shape[axis],)


def _first(value: Any, *_: Any) -> Any:
    return value


def _maker(name: str) -> type[Instance]:
    """A class for the pickle to make and fill: `Instance` under the name of the class that it stands for."""

    class Named(Instance):
        def __init__(self) -> None:
            super().__init__(name)

        def __new__(cls, *_: Any) -> Named:  # a pickle calls no __init__
            made = super().__new__(cls)
            made.name, made.state = name, None
            return made

    return Named
