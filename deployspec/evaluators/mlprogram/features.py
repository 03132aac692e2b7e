"""What a model takes and gives: names, types, shapes, images; and the way between arrays and tensors."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from deployspec.evaluators.mlprogram.faults import WrongInput
from deployspec.formats.mlpackage import DType, tensor_type

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deployspec.evaluators.mlprogram.numerics import Numerics
    from deployspec.formats.mlpackage import Package, TensorType

_COLOURS: Final = {10: "GRAYSCALE", 20: "RGB", 30: "BGR", 40: "GRAYSCALE_FLOAT16"}
"""ImageFeatureType.ColorSpace in Core ML's FeatureTypes.proto."""


@dataclass(frozen=True)
class Feature:
    """An input or an output of a model."""

    name: str
    dtype: DType
    shape: tuple[int | None, ...]
    """None for a size that may vary."""
    image: str | None = None
    """The order of an image's channels: RGB, BGR, GRAYSCALE or GRAYSCALE_FLOAT16."""
    sizes: tuple[tuple[int, int | None], ...] = ()
    """The least and the largest size of each dimension, if the model names them; None for no limit."""
    shapes: tuple[tuple[int, ...], ...] = ()
    """The shapes allowed, if the model enumerates them."""
    default: float | None = None
    """What an optional input is filled with when it is left out."""
    classes: tuple[str | int, ...] = ()
    """Of a classifier's probabilities: the class of each element."""

    def to_tensor(self, array: np.ndarray | None, numerics: Numerics) -> torch.Tensor:
        """`array` checked and in the mode's type. An image may also be (height, width, 3) of uint8, in RGB."""
        if array is None:
            return self._left_out(numerics)
        given = self._as_planes(np.asarray(array)) if self.image else np.asarray(array)
        self._check(given)
        return numerics.settle(numerics.constant(given, self.dtype), self.dtype)

    def to_numpy(self, value: Any) -> np.ndarray:
        """A result as an array: of the declared type, or float64 where the mode computes in it."""
        if not isinstance(value, torch.Tensor):
            return np.array(value)
        array = value.numpy()
        held = np.dtype(np.float64) if array.dtype == np.float64 else self.dtype.numpy
        return np.array(array, dtype=held)

    def _left_out(self, numerics: Numerics) -> torch.Tensor:
        if self.default is None:
            raise WrongInput(f"the input '{self.name}' is missing: {self._wanted()}")
        shape = [1 if each is None else each for each in self.shape]
        return torch.full(shape, self.default, dtype=numerics.dtype(self.dtype))

    def _as_planes(self, array: np.ndarray) -> np.ndarray:
        """(height, width, 3) or (height, width) of uint8 as (1, channels, height, width) in the model's order."""
        if array.dtype != np.uint8 or array.ndim not in (2, 3):
            return array
        planes = array[None] if array.ndim == 2 else np.moveaxis(array, -1, 0)
        return (planes[::-1] if self.image == "BGR" else planes)[None]

    def _check(self, array: np.ndarray) -> None:
        if not self._takes(array.dtype):
            raise WrongInput(f"the input '{self.name}' is {array.dtype}: {self._wanted()}")
        if array.dtype.kind in "iu" and not self._holds(array):
            raise WrongInput(f"the input '{self.name}' has values that {self.dtype} cannot hold: {self._wanted()}")
        if not self._allows(array.shape):
            raise WrongInput(f"the input '{self.name}' has shape {list(array.shape)}: {self._wanted()}")

    def _takes(self, dtype: np.dtype) -> bool:
        if self.dtype is DType.BOOL:
            return dtype.kind == "b"
        if self.dtype.is_float:
            return dtype.kind == "f" or (self.image is not None and dtype == np.uint8)
        return dtype.kind in "iu"

    def _holds(self, array: np.ndarray) -> bool:
        if self.dtype.is_float or not array.size:
            return True
        limits = np.iinfo(self.dtype.numpy)
        return bool(limits.min <= array.min() and array.max() <= limits.max)

    def _allows(self, shape: tuple[int, ...]) -> bool:
        if self.shapes:
            return shape in self.shapes
        return len(shape) == len(self.shape) and all(self._allows_size(at, have) for at, have in enumerate(shape))

    def _allows_size(self, at: int, have: int) -> bool:
        low, high = self._limits(at)
        return have >= low and (high is None or have <= high)

    def _limits(self, at: int) -> tuple[int, int | None]:
        fixed = self.shape[at]
        if fixed is not None:
            return fixed, fixed
        return self.sizes[at] if at < len(self.sizes) else (0, None)

    def _wanted(self) -> str:
        kind = f"{self.image} image, {self.dtype}" if self.image else str(self.dtype)
        if self.shapes:
            return f"the model takes {kind} of shape {' or '.join(str(list(each)) for each in self.shapes)}"
        sizes = ", ".join(self._wanted_size(at) for at in range(len(self.shape)))
        return f"the model takes {kind} of shape [{sizes}]"

    def _wanted_size(self, at: int) -> str:
        low, high = self._limits(at)
        if low == high:
            return str(low)
        return f"{low} or more" if high is None else f"{low} to {high}"


def inputs_of(package: Package, function: str, declared: Sequence[Any]) -> tuple[Feature, ...]:
    """The inputs of a function, in its order, with what the model's description says of them."""
    described = {each.name: each.type for each in _description(package, function).input}
    return tuple(_input(each.name, tensor_type(each.type), described.get(each.name)) for each in declared)


def outputs_of(spec: Any, inputs: Sequence[Any], classes: Sequence[str | int]) -> tuple[Feature, ...]:
    """The outputs of a function's block, in its order. A classifier's probabilities are a vector over its classes."""
    types = {each.name: each.type for each in inputs}
    types |= {output.name: output.type for each in spec.operations for output in each.outputs}
    return tuple(_output(name, types[name], tuple(classes)) for name in spec.outputs)


def _description(package: Package, function: str) -> Any:
    """The description of a function: its own in a model of several functions, else the model's."""
    named = {each.name: each for each in package.model.description.functions}
    return named.get(function, package.model.description)


def _input(name: str, declared: TensorType, described: Any) -> Feature:
    plain = Feature(name, declared.dtype, declared.shape)
    if described is None:
        return plain
    if described.WhichOneof("Type") == "imageType":
        return replace(plain, image=_COLOURS.get(described.imageType.colorSpace), **_image_sizes(described.imageType))
    array = described.multiArrayType
    return replace(
        plain,
        sizes=tuple(_range(each) for each in array.shapeRange.sizeRanges),
        shapes=tuple(tuple(each.shape) for each in array.enumeratedShapes.shapes),
        default=_default(array) if described.isOptional else None,
    )


def _image_sizes(image: Any) -> dict[str, Any]:
    channels = 3 if _COLOURS.get(image.colorSpace) in ("RGB", "BGR") else 1
    match image.WhichOneof("SizeFlexibility"):
        case "enumeratedSizes":
            return {"shapes": tuple((1, channels, each.height, each.width) for each in image.enumeratedSizes.sizes)}
        case "imageSizeRange":
            height, width = image.imageSizeRange.heightRange, image.imageSizeRange.widthRange
            return {"sizes": ((1, 1), (channels, channels), _range(height), _range(width))}
        case _:
            return {}


def _range(size: Any) -> tuple[int, int | None]:
    return size.lowerBound, None if size.upperBound < 0 else size.upperBound


def _default(array: Any) -> float:
    named = array.WhichOneof("defaultOptionalValue")
    return float(getattr(array, named)) if named else 0.0


def _output(name: str, value_type: Any, classes: tuple[str | int, ...]) -> Feature:
    if value_type.WhichOneof("type") == "dictionaryType":
        return Feature(name, DType.FP32, (len(classes),), classes=classes)
    declared = tensor_type(value_type)
    return Feature(name, declared.dtype, declared.shape)
