"""ML Programs written by hand, straight as protobuf: an operator, its inputs, the types of its outputs."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from deployspec.formats.mlpackage import proto

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_ENUM = {"fp16": "FLOAT16", "fp32": "FLOAT32", "fp64": "FLOAT64", "bool": "BOOL", "string": "STRING"}
_OF_NUMPY = {"float16": "fp16", "float32": "fp32", "float64": "fp64", "bool": "bool"}
_CODES = {"fp16": 1, "fp32": 2, "uint8": 3, "int8": 4, "int4": 8, "uint1": 9, "uint2": 10, "uint4": 11, "uint6": 13}


@dataclass(frozen=True)
class Typed:
    """A constant of a type that numpy does not have, or that Python does not tell: its elements and its type."""

    values: Any
    dtype: str


@dataclass(frozen=True)
class InBlob:
    """A constant that lies in the weight file."""

    offset: int
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Op:
    """An operator: inputs are names of other outputs, lists of names, or constants; outputs are (dtype, shape).

    An output without a type is a dictionary.
    """

    type: str
    inputs: dict[str, Any]
    outputs: dict[str, tuple[str, Sequence[int | None]] | None]
    blocks: tuple[Body, ...] = ()


@dataclass(frozen=True)
class Name:
    """A reference to the output of another operator or to an input."""

    name: str


@dataclass(frozen=True)
class Body:
    """A block: its inputs, its operators and what it gives."""

    ops: list[Op]
    outputs: list[str]
    inputs: dict[str, tuple[str, Sequence[int | None]]] = field(default_factory=dict)


def save(folder: Path, body: Body, *, opset: int = 8, states: Sequence[str] = (), blob: bytes = b"") -> Path:
    """An .mlpackage of one function `main`; `states` are the inputs that are states."""
    model = proto().Model_pb2.Model(specificationVersion=opset + 1)
    model.mlProgram.version = 1
    add_function(model, "main", body, opset, states)
    return save_model(folder, model, blob)


def add_function(model: Any, name: str, body: Body, opset: int, states: Sequence[str] = ()) -> None:
    function = model.mlProgram.functions[name]
    function.opset = f"CoreML{opset}"
    for each, (dtype, shape) in body.inputs.items():
        made = function.inputs.add(name=each)
        _tensor(made.type.stateType.wrappedType if each in states else made.type, dtype, shape)
    _fill(function.block_specializations[function.opset], body, with_inputs=False)


def save_model(folder: Path, model: Any, blob: bytes = b"") -> Path:
    """Write `model` as an .mlpackage."""
    data = folder / "Data" / "com.apple.CoreML"
    (data / "weights").mkdir(parents=True, exist_ok=True)
    (data / "model.mlmodel").write_bytes(model.SerializeToString())
    if blob:
        (data / "weights" / "weight.bin").write_bytes(blob)
    entry = {"A": {"path": "com.apple.CoreML/model.mlmodel"}}
    manifest = {"fileFormatVersion": "1.0.0", "itemInfoEntries": entry, "rootModelIdentifier": "A"}
    (folder / "Manifest.json").write_text(json.dumps(manifest))
    return folder


def mil_type(array: np.ndarray) -> str:
    """MIL's name of an array's type."""
    return _OF_NUMPY.get(array.dtype.name, array.dtype.name)


def blob_of(dtype: str, packed: bytes, padding_bits: int = 0) -> bytes:
    """A weight file with one entry, at byte 64."""
    header = struct.pack("<II", 1, 2).ljust(64, b"\0")
    metadata = struct.pack("<IIQQQ", 0xDEADBEEF, _CODES[dtype], len(packed), 128, padding_bits).ljust(64, b"\0")
    return header + metadata + packed


def _fill(block: Any, body: Body, *, with_inputs: bool) -> None:
    if with_inputs:
        for name, (dtype, shape) in body.inputs.items():
            _tensor(block.inputs.add(name=name).type, dtype, shape)
    for op in body.ops:
        _operation(block.operations.add(type=op.type), op)
    block.outputs.extend(body.outputs)


def _operation(made: Any, op: Op) -> None:
    for key, value in op.inputs.items():
        for each in value if isinstance(value, list) and isinstance(value[0], Name) else [value]:
            _bind(made.inputs[key].arguments.add(), each)
    for name, declared in op.outputs.items():
        output = made.outputs.add(name=name)
        if declared is None:
            output.type.dictionaryType.SetInParent()
        else:
            _tensor(output.type, *declared)
    for each in op.blocks:
        _fill(made.blocks.add(), each, with_inputs=True)


def _bind(binding: Any, value: Any) -> None:
    if isinstance(value, Name):
        binding.name = value.name
    elif isinstance(value, tuple):  # a list of strings, such as a classifier's classes
        for each in value:
            _constant(binding.value.immediateValue.list.values.add(), each)
    else:
        _constant(binding.value, value)


def _constant(target: Any, value: Any) -> None:
    if isinstance(value, InBlob):
        _tensor(target.type, value.dtype, value.shape)
        target.blobFileValue.fileName, target.blobFileValue.offset = "@model_path/weights/weight.bin", value.offset
        return
    dtype, array = _typed(value)
    _tensor(target.type, dtype, array.shape)
    tensor, flat = target.immediateValue.tensor, array.reshape(-1)
    match dtype:
        case "string":
            tensor.strings.values.extend(flat.tolist())
        case "bool":
            tensor.bools.values.extend(flat.tolist())
        case "fp32":
            tensor.floats.values.extend(flat.tolist())
        case "int32":
            tensor.ints.values.extend(flat.tolist())
        case "int64":
            tensor.longInts.values.extend(flat.tolist())
        case _:
            tensor.bytes.values = _packed(flat, dtype)


def _typed(value: Any) -> tuple[str, np.ndarray]:
    if isinstance(value, Typed):
        return value.dtype, np.array(value.values)
    if isinstance(value, str):
        return "string", np.array(value, dtype=object)
    array = np.array(value)
    if not isinstance(value, np.ndarray | np.generic) and array.dtype.kind in "if":
        array = array.astype("i4" if array.dtype.kind == "i" else "f4")
    return mil_type(array), array


def _packed(flat: np.ndarray, dtype: str) -> bytes:
    if dtype in ("uint1", "uint2", "uint3", "uint4", "uint6", "int4"):
        bits = np.unpackbits(flat.astype("u1")[:, None], axis=1, bitorder="little")[:, : int(dtype[-1])]
        return np.packbits(bits.reshape(-1), bitorder="little").tobytes()
    return flat.astype({"fp16": "<f2", "fp64": "<f8"}.get(dtype, dtype)).tobytes()


def _tensor(target: Any, dtype: str, shape: Sequence[int | None]) -> None:
    made = target.tensorType
    made.dataType = proto().MIL_pb2.DataType.Value(_ENUM.get(dtype, dtype.upper()))
    made.rank = len(shape)
    for size in shape:
        dimension = made.dimensions.add()
        if size is None:
            dimension.unknown.SetInParent()
        else:
            dimension.constant.size = size
