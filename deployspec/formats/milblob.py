"""MIL blob storage, the file that holds the weights of an ML Program, read strictly: it may be hostile.

A header of 64 bytes, then entries: 64 bytes of metadata, then the data, both aligned to 64 bytes, little-endian.
A program names an entry by the offset of its metadata. Types below a byte are packed from the least significant bit.
Source: coremltools, mlmodel/src/MILBlob/Blob/StorageFormat.hpp and BlobDataType.hpp.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import numpy as np

from deployspec.errors import UnreadableModel

if TYPE_CHECKING:
    from pathlib import Path

_HEADER: Final = struct.Struct("<II")
_METADATA: Final = struct.Struct("<IIQQQ")
_ALIGNED: Final = 64
_SENTINEL: Final = 0xDEADBEEF
_VERSION: Final = 2


class DType(StrEnum):
    """An element type of MIL, by the name that MIL's text form gives it."""

    BOOL = "bool"
    STRING = "string"
    FP16 = "fp16"
    FP32 = "fp32"
    FP64 = "fp64"
    BF16 = "bf16"
    INT4 = "int4"
    INT8 = "int8"
    INT16 = "int16"
    INT32 = "int32"
    INT64 = "int64"
    UINT1 = "uint1"
    UINT2 = "uint2"
    UINT3 = "uint3"
    UINT4 = "uint4"
    UINT6 = "uint6"
    UINT8 = "uint8"
    UINT16 = "uint16"
    UINT32 = "uint32"
    UINT64 = "uint64"

    @property
    def bits(self) -> int:
        """How many bits an element takes in a file; meaningless for a string."""
        return _NARROW.get(self) or self.numpy.itemsize * 8

    @property
    def is_float(self) -> bool:
        """Whether it is a floating-point type."""
        return self in _FLOATS

    @property
    def is_signed(self) -> bool:
        """Whether it holds numbers below zero."""
        return self.numpy.kind in "if"

    @property
    def numpy(self) -> np.dtype:
        """The type of the array that holds its elements: sub-byte integers widen to 8 bits, bf16 to float32."""
        return np.dtype(_NUMPY[self])


_FLOATS: Final = frozenset({DType.FP16, DType.FP32, DType.FP64, DType.BF16})

_NUMPY: Final[dict[DType, str]] = {
    DType.BOOL: "?",
    DType.STRING: "O",
    DType.FP16: "<f2",
    DType.FP32: "<f4",
    DType.FP64: "<f8",
    DType.BF16: "<f4",
    DType.INT4: "i1",
    DType.INT8: "i1",
    DType.INT16: "<i2",
    DType.INT32: "<i4",
    DType.INT64: "<i8",
    DType.UINT1: "u1",
    DType.UINT2: "u1",
    DType.UINT3: "u1",
    DType.UINT4: "u1",
    DType.UINT6: "u1",
    DType.UINT8: "u1",
    DType.UINT16: "<u2",
    DType.UINT32: "<u4",
    DType.UINT64: "<u8",
}

_NARROW: Final = {
    DType.BF16: 16,
    DType.INT4: 4,
    DType.UINT1: 1,
    DType.UINT2: 2,
    DType.UINT3: 3,
    DType.UINT4: 4,
    DType.UINT6: 6,
}
"""Bits of the types whose array is wider than what the file holds."""

_STORED: Final[dict[int, DType]] = {
    1: DType.FP16,
    2: DType.FP32,
    3: DType.UINT8,
    4: DType.INT8,
    5: DType.BF16,
    6: DType.INT16,
    7: DType.UINT16,
    8: DType.INT4,
    9: DType.UINT1,
    10: DType.UINT2,
    11: DType.UINT4,
    12: DType.UINT3,
    13: DType.UINT6,
    14: DType.INT32,
    15: DType.UINT32,
}
"""BlobDataType's numbers. 16 and 17, the 8-bit floats, are in no released operator set."""


@dataclass(frozen=True)
class Entry:
    """Where one tensor lies in a blob file."""

    dtype: DType
    offset: int
    size_bytes: int
    count: int


@dataclass(frozen=True)
class Blob:
    """A blob file, mapped and not copied; only what is asked for is read."""

    path: Path
    data: np.ndarray

    def entry(self, offset: int) -> Entry:
        """The entry whose metadata lies at `offset`, checked against the file's bounds."""
        if offset < _ALIGNED or offset + _ALIGNED > len(self.data):
            raise self._fault(
                f"no entry can lie at byte {offset} of {len(self.data)}: the file was cut short or swapped"
            )
        sentinel, code, size, start, padding = _METADATA.unpack_from(self.data[offset : offset + _ALIGNED].tobytes())
        if sentinel != _SENTINEL:
            raise self._fault(
                f"there is no entry at byte {offset}: this is not the file that the program was saved with"
            )
        dtype = _STORED.get(code)
        if dtype is None:
            raise self._fault(f"the entry at byte {offset} has the unknown element type {code}")
        if start + size > len(self.data):
            raise self._fault(f"an entry ends at byte {start + size}, the file at {len(self.data)}: it was cut short")
        return Entry(dtype, start, size, self._count(dtype, size, padding))

    def read(self, offset: int) -> np.ndarray:
        """The elements of the entry at `offset`, 1-D, of its type's numpy dtype."""
        entry = self.entry(offset)
        packed = self.data[entry.offset : entry.offset + entry.size_bytes]
        return unpack(packed.tobytes(), entry.dtype, entry.count)

    def _count(self, dtype: DType, size_bytes: int, padding_bits: int) -> int:
        """How many elements there are. Whole-byte types leave `padding_bits` uninitialised in files before iOS 18."""
        used = size_bytes * 8 - (padding_bits if dtype.bits < 8 else 0)
        if used < 0 or used % dtype.bits:
            raise self._fault(f"an entry of {used} bits is no whole number of {dtype} elements")
        return used // dtype.bits

    def _fault(self, reason: str) -> UnreadableModel:
        return UnreadableModel(f"{self.path}: {reason}")


def open_blob(path: Path) -> Blob:
    """Map the blob file at `path` and check its header."""
    try:
        data = np.memmap(path, dtype=np.uint8, mode="r")
    except FileNotFoundError:
        raise UnreadableModel(f"{path}: the program keeps weights in this file, and the package lacks it") from None
    except (OSError, ValueError) as error:
        raise UnreadableModel(f"{path}: cannot be read as a weight file: {error}") from None
    blob = Blob(path, data)
    if len(data) < _ALIGNED:
        raise blob._fault(f"{len(data)} bytes are too few for a weight file: it was cut short")
    _, version = _HEADER.unpack_from(data[:_ALIGNED].tobytes())
    if version != _VERSION:
        raise blob._fault(f"weight files of version {_VERSION} are read, this one says {version}")
    return blob


def unpack(data: bytes, dtype: DType, count: int) -> np.ndarray:
    """`count` elements of `dtype` from packed little-endian bytes; raises `UnreadableModel` if the length differs."""
    if len(data) != (count * dtype.bits + 7) // 8:
        raise UnreadableModel(f"{count} elements of {dtype} do not fill {len(data)} bytes: the model is damaged")
    if dtype.bits < 8:
        return _unpack_bits(data, dtype, count)
    if dtype is DType.BF16:
        return (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32)
    return np.frombuffer(data, dtype.numpy)


def _unpack_bits(data: bytes, dtype: DType, count: int) -> np.ndarray:
    bits = np.unpackbits(np.frombuffer(data, np.uint8), count=count * dtype.bits, bitorder="little")
    rows = np.zeros((count, 8), np.uint8)
    rows[:, : dtype.bits] = bits.reshape(count, dtype.bits)
    if dtype.is_signed:
        rows[:, dtype.bits :] = rows[:, dtype.bits - 1 : dtype.bits]
    return np.packbits(rows, axis=1, bitorder="little").reshape(count).view(dtype.numpy)
