"""Core ML's .mlpackage: manifest, Model protobuf and weights, read without Core ML, macOS or importing coremltools.

Only the protobuf classes that coremltools ships are used, in 0.06 s and 16 MB. Every path stays inside the package and
every offset inside its file: the package may come from anyone.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
from dataclasses import dataclass, field
from functools import cache
from math import prod
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from deployspec.errors import UnreadableModel
from deployspec.formats.milblob import Blob, DType, Entry, open_blob, unpack

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Blob", "DType", "Entry", "Package", "TensorType", "UnreadableModel", "open_package", "proto", "tensor_type"]

_SPEC_VERSIONS: Final = range(6, 10)
"""Model.specificationVersion of ML Programs that are known here: iOS 15, 16, 17 and 18."""

_ELEMENTS: Final[dict[str, DType]] = {
    "BOOL": DType.BOOL,
    "STRING": DType.STRING,
    "FLOAT16": DType.FP16,
    "FLOAT32": DType.FP32,
    "FLOAT64": DType.FP64,
    "BFLOAT16": DType.BF16,
} | {name.upper(): DType(name) for name in DType if "int" in name}
"""MILSpec.DataType's names."""

Decoded: TypeAlias = "np.ndarray | list[Decoded] | dict[Any, Decoded]"
"""A constant: a tensor (0-D if it is a scalar, of dtype object if it holds text), a list or a dictionary."""


@dataclass(frozen=True)
class TensorType:
    """Element type and shape of a tensor; None stands for a size known only when the model runs."""

    dtype: DType
    shape: tuple[int | None, ...]
    any_rank: bool = False
    """Whether even the number of dimensions is known only then; `shape` is (None,)."""


@dataclass(frozen=True)
class Package:
    """An opened model: its protobuf, and its weights on demand."""

    root: Path
    """The folder that `@model_path` stands for in the program."""
    model: Any
    """The Model message of Core ML's Model.proto."""
    _blobs: dict[str, Blob] = field(default_factory=dict, repr=False, compare=False)

    @property
    def spec_version(self) -> int:
        """6 for iOS 15 up to 9 for iOS 18."""
        return int(self.model.specificationVersion)

    @property
    def program(self) -> Any:
        """The MIL Program; raises `UnreadableModel` for any other kind of model, and says which it is."""
        kind = self.model.WhichOneof("Type")
        if kind != "mlProgram":
            raise UnreadableModel(f"{self.root}: {_not_a_program(kind)}")
        if self.spec_version not in _SPEC_VERSIONS:
            raise UnreadableModel(
                f"{self.root}: specification version {self.spec_version} is not known; ML Programs have"
                f" {_SPEC_VERSIONS[0]} (iOS 15) to {_SPEC_VERSIONS[-1]} (iOS 18): convert for one of these targets"
            )
        return self.model.mlProgram

    def blob(self, name: str) -> Blob:
        """The weight file that the program calls `name`, as in `@model_path/weights/weight.bin`."""
        if name not in self._blobs:
            self._blobs[name] = open_blob(_inside(self.root, name.removeprefix("@model_path").lstrip("/")))
        return self._blobs[name]

    def decode(self, value: Any) -> Decoded:
        """What a MIL Value holds, inline or in a weight file; raises `UnreadableModel` if its type says otherwise."""
        if value.WhichOneof("value") == "blobFileValue":
            return self._from_blob(value)
        immediate = value.immediateValue
        match immediate.WhichOneof("value"):
            case "tensor":
                return _shaped(_inline(immediate.tensor, tensor_type(value.type)), tensor_type(value.type))
            case "list" | "tuple" as kind:
                return [self.decode(each) for each in getattr(immediate, kind).values]
            case "dictionary":
                return {_key(self.decode(each.key)): self.decode(each.value) for each in immediate.dictionary.values}
            case kind:
                raise UnreadableModel(f"{self.root}: a constant of kind {kind!r} has no meaning: the model is damaged")

    def _from_blob(self, value: Any) -> np.ndarray:
        where, declared = value.blobFileValue, tensor_type(value.type)
        blob = self.blob(where.fileName)
        stored = blob.entry(where.offset).dtype
        if stored is not declared.dtype:
            raise UnreadableModel(
                f"{blob.path}: the program says {declared.dtype} at byte {where.offset}, the file says {stored}:"
                " these two do not belong together"
            )
        return _shaped(blob.read(where.offset), declared)


def open_package(path: Path) -> Package:
    """The model at `path`, an .mlpackage folder or an .mlmodel file; raises `UnreadableModel`."""
    if path.is_dir() and (path.suffix == ".mlmodelc" or (path / "coremldata.bin").exists()):
        raise UnreadableModel(f"{path}: {_compiled(path)}")
    model = _root_model(path) if path.is_dir() else path
    try:
        data = model.read_bytes()
    except OSError as error:
        raise UnreadableModel(f"{path}: cannot be read: {error.strerror or error}") from None
    return Package(model.parent, _parse(path, data))


def tensor_type(value_type: Any) -> TensorType:
    """The type of a tensor, or of the tensor that a state wraps, from a MIL ValueType."""
    kind = value_type.WhichOneof("type")
    if kind == "stateType":
        return tensor_type(value_type.stateType.wrappedType)
    if kind != "tensorType":
        raise UnreadableModel(f"a tensor was expected where the program declares {kind or 'nothing'}")
    declared = value_type.tensorType
    if declared.rank != len(declared.dimensions):
        raise UnreadableModel(f"a tensor of rank {declared.rank} declares {len(declared.dimensions)} sizes: not read")
    any_rank = any(each.unknown.variadic for each in declared.dimensions)
    return TensorType(_element(declared.dataType), tuple(_size(each) for each in declared.dimensions), any_rank)


def _element(number: int) -> DType:
    names = proto().MIL_pb2.DESCRIPTOR.enum_types_by_name["DataType"].values_by_number
    name = names[number].name if number in names else str(number)
    if name not in _ELEMENTS:
        raise UnreadableModel(f"the element type {name} is in no released operator set of ML Programs")
    return _ELEMENTS[name]


def _size(dimension: Any) -> int | None:
    return int(dimension.constant.size) if dimension.WhichOneof("dimension") == "constant" else None


def _inline(tensor: Any, declared: TensorType) -> np.ndarray:
    """The elements of a TensorValue, 1-D: as bytes for types that protobuf has no field for."""
    kind = tensor.WhichOneof("value")
    if kind is None:
        return np.zeros(0, declared.dtype.numpy)
    values = getattr(tensor, kind).values
    if kind == "bytes":
        return unpack(values, declared.dtype, prod(_known(declared)))
    try:
        return np.array(values, dtype=declared.dtype.numpy)
    except (OverflowError, ValueError, TypeError) as error:
        raise UnreadableModel(f"a constant of {declared.dtype} holds other values ({error}): damaged") from None


def _shaped(values: np.ndarray, declared: TensorType) -> np.ndarray:
    try:
        return values.reshape(_known(declared))
    except ValueError:
        shape = list(declared.shape)
        raise UnreadableModel(f"a constant of shape {shape} holds {values.size} elements: damaged") from None


def _known(declared: TensorType) -> tuple[int, ...]:
    shape = tuple(each for each in declared.shape if each is not None)
    if len(shape) != len(declared.shape):
        raise UnreadableModel("a constant of unknown shape has no meaning: the model is damaged")
    return shape


def _key(decoded: Decoded) -> Any:
    if not isinstance(decoded, np.ndarray) or decoded.ndim:
        raise UnreadableModel("a dictionary's key must be a scalar: the model is damaged")
    return decoded.item()


def _root_model(package: Path) -> Path:
    """The Model file that the package's manifest names as its root."""
    manifest = package / "Manifest.json"
    try:
        content = json.loads(manifest.read_bytes())
        relative = content["itemInfoEntries"][content["rootModelIdentifier"]]["path"]
    except FileNotFoundError:
        raise UnreadableModel(
            f"{package}: no Manifest.json: not an .mlpackage, or one that was copied in part"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise UnreadableModel(f"{manifest}: names no root model ({type(error).__name__}: {error})") from None
    return _inside(package / "Data", str(relative))


def _inside(folder: Path, relative: str) -> Path:
    """`relative` below `folder`, symbolic links followed; refused if it leads out."""
    try:
        path = (folder / relative).resolve()
    except (OSError, ValueError, RuntimeError) as error:
        raise UnreadableModel(f"{folder}: the path {relative!r} cannot be followed: {error}") from None
    if not path.is_relative_to(folder.resolve()):
        raise UnreadableModel(f"{folder}: the path {relative!r} leads out of the package: do not trust this model")
    return path


def _parse(path: Path, data: bytes) -> Any:
    if not data:
        raise UnreadableModel(f"{path}: the model file is empty: it was copied in part")
    from google.protobuf.message import DecodeError

    try:
        model = proto().Model_pb2.Model.FromString(data)
    except DecodeError:
        raise UnreadableModel(
            f"{path}: no Core ML model, or one that was cut short: copy or convert it again"
        ) from None
    if model.WhichOneof("Type") is None:
        raise UnreadableModel(f"{path}: holds no model that Core ML's format knows: cut short, or of a later version")
    return model


def _compiled(path: Path) -> str:
    what = "an encrypted, compiled model" if (path / "encryptionInfo").exists() else "a compiled model (.mlmodelc)"
    return f"{what}, which only Core ML reads: give the .mlpackage that it was compiled from"


def _not_a_program(kind: str) -> str:
    """What a model of another kind is, and what to do."""
    if kind.startswith("neuralNetwork"):
        return "a legacy neural network, not an ML Program: convert the source again with convert_to='mlprogram'"
    if kind.startswith("pipeline"):
        return "a pipeline of several models: give its parts one by one, each as an .mlpackage of its own"
    if kind == "serializedModel":
        return "a model serialized or encrypted for another program: give the .mlpackage that it was made from"
    return f"a model of kind {kind}, not an ML Program: only ML Programs (.mlpackage, iOS 15 and later) are read"


@cache
def proto() -> ModuleType:
    """coremltools' generated protobuf modules, without running coremltools' __init__ (seconds, gigabytes).

    A package that only knows where coremltools lies stands in for it, for as long as the import takes.
    """
    if "coremltools" in sys.modules:
        return importlib.import_module("coremltools.proto")
    spec = importlib.util.find_spec("coremltools")
    if spec is None:
        raise UnreadableModel("reading Core ML models needs coremltools' files: pip install 'deployspec[coreml]'")
    stand_in = ModuleType("coremltools")
    stand_in.__path__ = list(spec.submodule_search_locations or ())
    sys.modules["coremltools"] = stand_in
    try:
        return importlib.import_module("coremltools.proto")
    finally:
        for each in [each for each in sys.modules if each.partition(".")[0] == "coremltools"]:
            del sys.modules[each]
