"""Constructs of ML Programs that are known to go wrong on devices, each with the public place where it was seen.

No evaluation off the device shows them: the specification gives them a meaning, and a runtime, or the converter that
wrote them, gives another. `HAZARDS` is the table; a hazard is a predicate on an operator and what stands around it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from deployspec.formats.milblob import DType
from deployspec.formats.mlpackage import tensor_type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from deployspec.formats.mlpackage import Package, TensorType

_PRODUCTS: Final = ("conv", "conv_transpose", "linear", "matmul")


@dataclass(frozen=True)
class Graph:
    """The operators of a program, and what gives what."""

    package: Package
    operations: Sequence[Any]
    types: dict[str, TensorType]

    @cached_property
    def _makers(self) -> dict[str, Any]:
        return {output.name: op for op in self.operations for output in op.outputs}

    def kind(self, op: Any) -> TensorType | None:
        """The type of the first output; None where it is no tensor."""
        return self.types.get(op.outputs[0].name) if op.outputs else None

    def computes(self, op: Any, dtype: DType) -> bool:
        """Whether the operator gives elements of this type."""
        kind = self.kind(op)
        return kind is not None and kind.dtype is dtype

    def source(self, op: Any, key: str) -> str:
        """The name that an argument refers to; empty for a constant in place, or where there is none."""
        given = op.inputs[key].arguments if key in op.inputs else ()
        return given[0].name if given and given[0].WhichOneof("binding") == "name" else ""

    def maker(self, op: Any, key: str, kind: str) -> Any | None:
        """The operator that gives an argument, if it is of this kind."""
        made = self._makers.get(self.source(op, key))
        return made if made is not None and made.type == kind else None

    def back(self, op: Any, *path: tuple[str, str]) -> Any | None:
        """The operator at the end of a path of arguments and kinds, if each is as the path says."""
        for key, kind in path:
            op = self.maker(op, key, kind)
            if op is None:
                return None
        return op

    def stores(self, op: Any, key: str, *dtypes: DType) -> bool:
        """Whether an argument is stored as it stands, in one of these types."""
        value = self._stored(op, key)
        return value is not None and tensor_type(value.type).dtype in dtypes

    def constant(self, op: Any, key: str) -> np.ndarray | None:
        """The elements of an argument that is stored as it stands, else None."""
        value = self._stored(op, key)
        found = None if value is None else self.package.decode(value)
        return found if isinstance(found, np.ndarray) else None

    def _stored(self, op: Any, key: str) -> Any | None:
        if key in op.attributes:
            return op.attributes[key]
        given = op.inputs[key].arguments if key in op.inputs else ()
        if given and given[0].WhichOneof("binding") == "value":
            return given[0].value
        constant = self.maker(op, key, "const")
        return None if constant is None else constant.attributes["val"]


@dataclass(frozen=True, kw_only=True)
class Hazard:
    """A construct, what has been seen to go wrong with it, what to do, and where that is told."""

    construct: str
    harm: str
    remedy: str
    reference: str
    found: Callable[[Graph, Any], bool]


def findings(graph: Graph) -> Iterator[str]:
    """A line for each hazard that the program has, naming the first operator."""
    for hazard in HAZARDS:
        names = [op.outputs[0].name for op in graph.operations if hazard.found(graph, op)]
        if names:
            more = f" and {len(names) - 1:,} more" if len(names) > 1 else ""
            yield (f"{hazard.construct} ('{names[0]}'{more}): {hazard.harm}; {hazard.remedy}; see {hazard.reference}")


def _in_float32(graph: Graph, op: Any) -> bool:
    return op.type in _PRODUCTS and graph.computes(op, DType.FP32)


def _power_of_two(graph: Graph, op: Any) -> bool:
    """Only an exact constant base of 2, and only floats: an integer power is computed as it should be."""
    if op.type != "pow" or not graph.stores(op, "x", DType.FP16, DType.FP32):
        return False
    base = graph.constant(op, "x")
    return base is not None and base.size > 0 and bool((base == 2).all())


def _signed_weights(graph: Graph, op: Any) -> bool:
    if op.type != "constexpr_affine_dequantize":
        return False
    offset = graph.constant(op, "zero_point")
    return graph.stores(op, "quantized_data", DType.INT8) and offset is not None and not offset.any()


def _scaled_palette(graph: Graph, op: Any) -> bool:
    """A scale on values that are no integers: those of a palette, or what the palette was expanded to."""
    if op.type != "constexpr_blockwise_shift_scale":
        return False
    expanded = graph.maker(op, "data", "constexpr_lut_to_dense")
    return expanded is not None or graph.stores(op, "data", DType.FP16, DType.FP32)


def _flat_hardswish(graph: Graph, op: Any) -> bool:
    """x * sigmoid_hard(x), as the converter writes hardswish, on x from a product of two dimensions in float16.

    coremltools bounds x from below by a thresholded_relu first, which changes nothing here.
    """
    kind = graph.kind(op)
    if op.type != "mul" or kind is None or kind.dtype is not DType.FP16 or len(kind.shape) != 2:
        return False
    for one, other in (("x", "y"), ("y", "x")):
        gate = graph.maker(op, other, "sigmoid_hard")
        if gate is not None and graph.source(gate, "x") == graph.source(op, one):
            first = graph.maker(gate, "x", "thresholded_relu") or gate
            return any(graph.maker(first, "x", product) is not None for product in ("linear", "matmul"))
    return False


def _softplus(graph: Graph, op: Any) -> bool:
    return op.type == "softplus" and graph.computes(op, DType.FP16)


def _log_sum_exp(graph: Graph, op: Any) -> bool:
    return op.type == "reduce_log_sum_exp" and graph.computes(op, DType.FP16)


def _atan2(graph: Graph, op: Any) -> bool:
    """atan(y / x) + π · (y > 0 and x < 0), as coremltools 9.0 writes it: the test should be y >= 0."""
    ratio = graph.back(op, ("x", "atan"), ("x", "real_div")) if op.type == "add" else None
    above = graph.back(op, ("y", "mul"), ("x", "cast"), ("x", "logical_and"), ("x", "greater"))
    return ratio is not None and above is not None and graph.source(ratio, "x") == graph.source(above, "x")


def _triangle(graph: Graph, op: Any) -> bool:
    """x - band_part(x), as coremltools 9.0 writes triu and tril off the main diagonal."""
    band = graph.maker(op, "y", "band_part") if op.type == "sub" else None
    return band is not None and graph.source(band, "x") == graph.source(op, "x")


HAZARDS: Final = (
    Hazard(
        construct="convolutions and products in float32",
        harm="the Neural Engine does not take them: they run on a GPU or CPU only",
        remedy="compute in float16 where the accuracy allows it",
        reference="https://apple.github.io/coremltools/docs-guides/source/typed-execution-example.html",
        found=_in_float32,
    ),
    Hazard(
        construct="a power of the constant 2",
        harm="Core ML has been seen to give y² for 2^y",
        remedy="write exp(y · ln 2), as later converters do",
        reference="https://github.com/apple/coremltools/pull/2742",
        found=_power_of_two,
    ),
    Hazard(
        construct="int8 weights with zero point 0, in the encoding of iOS 16",
        harm="GPU and Neural Engine have been seen to give wrong results where the CPU gave right ones",
        remedy="compare them on the device; uint8 with zero point 127 means the same and is proposed as the remedy",
        reference="https://github.com/apple/coremltools/issues/2114",
        found=_signed_weights,
    ),
    Hazard(
        construct="a palette with a scale for each channel",
        harm="the Neural Engine of macOS 26 has been seen to abort when it loads the model",
        remedy="palettize without enable_per_channel_scale",
        reference="https://github.com/apple/coremltools/pull/2688",
        found=_scaled_palette,
    ),
    Hazard(
        construct="hardswish of a two-dimensional product in float16",
        harm="the Neural Engine has been seen to drift from GPU and CPU (MobileNetV3 through Core AI: by up to 0.2)",
        remedy="give the product four dimensions, (1, 1, m, n)",
        reference="https://github.com/apple/coreai-torch/issues/51",
        found=_flat_hardswish,
    ),
    Hazard(
        construct="softplus in float16",
        harm="the Neural Engine has been seen to give 0 from about 10.4 on",
        remedy="write max(x, 0) + log(1 + exp(-|x|))",
        reference="https://github.com/apple/coremltools/issues/2687",
        found=_softplus,
    ),
    Hazard(
        construct="log-sum-exp in float16",
        harm="the Neural Engine has been seen to give 0 where the sum exceeds float16: of 32 terms from about 7.6 on",
        remedy="subtract the largest term first and add it again",
        reference="https://github.com/apple/coremltools/issues/2690",
        found=_log_sum_exp,
    ),
    Hazard(
        construct="atan2 as coremltools 9.0 converts it",
        harm="it gives 0 for π where y is 0 and x is negative",
        remedy="convert with a version that has the fix",
        reference="https://github.com/apple/coremltools/pull/2769",
        found=_atan2,
    ),
    Hazard(
        construct="triu or tril as coremltools 9.0 converts it",
        harm="it gives NaN for 0 where its input is infinite",
        remedy="convert with a version that has the fix",
        reference="https://github.com/apple/coremltools/pull/2771",
        found=_triangle,
    ),
)
