"""LiteRT (TFLite): a flatbuffer, lowered from a torch module by litert-torch, from a SavedModel by TensorFlow.

The float file is made once and shared: from it ai-edge-quantizer makes the quantized ones in a moment, with ranges that
are the extremes over the calibration split, since that tool's own moving averages clip. The file's operators have
their activations fused, so that a ReLU6 bounds the range of the convolution before it; what PT2E makes of such
networks is far worse (EfficientNet-Lite0: errors of 33 % of the spread against 7 %).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Final, Literal

from deployspec.ir.plan import (
    EXPORTED_PROGRAM,
    SAVED_MODEL,
    SCRIPT_MODULE,
    TORCH_MODULE,
    Form,
    Inspector,
    Lowering,
    Runner,
    Toolchain,
)
from deployspec.ir.tolerance import EXACT, TOLERANCES
from deployspec.sources.keras_model import TENSORFLOW
from deployspec.targets.saved_model import EXPORT

if TYPE_CHECKING:
    from collections.abc import Mapping

TFLITE: Form = "tflite"

TOOLCHAIN: Final = Toolchain(
    name="litert",
    shares="torch",
    distributions=("torch", "litert-torch", "litert-converter", "safetensors"),
    extra="tflite",
    preload=("torch", "litert_torch"),
)
QUANTIZER: Final = Toolchain(
    name="ai-edge-quantizer", distributions=("ai-edge-quantizer", "ai-edge-litert"), extra="litert"
)
RUNTIME: Final = Toolchain(name="litert-runtime", distributions=("ai-edge-litert",), extra="litert")

_FROM_TORCH: Final = Lowering(
    name="float32",
    takes=(TORCH_MODULE, EXPORTED_PROGRAM),
    gives=TFLITE,
    function=f"{__name__}.from_torch:lower_float32",
    toolchain=TOOLCHAIN,
    tolerance=EXACT,
    cost_s=9.0,
)
_FROM_TENSORFLOW: Final = replace(
    _FROM_TORCH,
    takes=(SAVED_MODEL,),
    function=f"{__name__}.from_keras:lower",
    toolchain=TENSORFLOW,
    options={"scheme": None},
    cost_s=4.0,
)
_FROM_FLOAT_FILE: Final = replace(
    _FROM_TORCH,
    takes=(TFLITE,),
    function=f"{__name__}.quantize_file:quantize",
    toolchain=QUANTIZER,
    cost_s=0.5,
)
_CALIBRATED: Final = frozenset({"int8", "int16x8"})


@dataclass(frozen=True, kw_only=True)
class TFLite:
    """Options of a `format = "tflite"` target."""

    name: ClassVar[str] = "tflite"
    form: ClassVar[str] = TFLITE
    suffixes: ClassVar[tuple[str, ...]] = (".tflite",)
    has_delegates: ClassVar[bool] = True
    remark: ClassVar[str] = ""

    reasons: ClassVar[dict[str, str]] = {
        SCRIPT_MODULE: "litert-torch starts from torch.export, which takes no TorchScript: "
        "name the callable or a .pt2 file",
        "bfloat16": "LiteRT's kernels compute in float32 or float16",
        "palette-4": "LiteRT has no weights by palette; int4-weights is as small",
        "palette-6": "LiteRT has no weights by palette; int4-weights is smaller",
        "palette-8": "LiteRT has no weights by palette; int8-weights is as small",
    }

    layout: Literal["nchw", "nhwc"] = "nchw"
    """Layout of the image inputs (those with four dimensions) of an artifact made from torch."""
    io: Literal["float32", "int8"] = "float32"
    """Type of an int8 artifact's inputs and outputs."""

    def lowerings(self) -> tuple[Lowering, ...]:
        """float32 from torch; from a SavedModel what TensorFlow makes; the rest from the float file."""
        layout: dict[str, str] = {"layout": self.layout}
        io: dict[str, str] = {"io": self.io}
        return (
            replace(_FROM_TORCH, options=layout),
            EXPORT,
            _FROM_TENSORFLOW,
            *(_scheme(_FROM_TENSORFLOW, each) for each in ("float16", "int8-dynamic")),
            _scheme(_FROM_TENSORFLOW, "int8", options=io),
            _scheme(_FROM_FLOAT_FILE, "int8", options=io),
            *(
                _scheme(_FROM_FLOAT_FILE, each)
                for each in ("float16", "int8-dynamic", "int8-weights", "int4-weights", "int16x8")
            ),
        )

    def runner(self) -> Runner:
        """The LiteRT interpreter."""
        return Runner(script="deployspec.runners.tflite", toolchain=RUNTIME)

    def inspector(self) -> Inspector:
        """A reader of the flatbuffer by its schema; what XNNPACK takes is asked of LiteRT."""
        return Inspector(
            function="deployspec.formats.tflite:inspect",
            toolchain=Toolchain(name="structure", distributions=("ai-edge-litert",), extra="litert"),
            asks=Runner(script="deployspec.runners.tflite_delegate", toolchain=RUNTIME),
        )


def _scheme(edge: Lowering, scheme: str, options: Mapping[str, str] | None = None) -> Lowering:
    """The edge that realises a scheme, beside that which makes the float file."""
    return replace(
        edge,
        name=scheme,
        tolerance=TOLERANCES[scheme],
        realises=scheme,
        options={"scheme": scheme} | dict(options or {}),
        needs=("calibration",) if scheme in _CALIBRATED else (),
    )
