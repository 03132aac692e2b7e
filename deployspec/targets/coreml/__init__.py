"""Core ML: an ML Program (.mlpackage), converted by coremltools on any system; only Apple's devices run it.

As it stands a model is converted in float32. In every scheme it computes in float16, Core ML's own default and the
only arithmetic that the Neural Engine has; the weights are then stored as the scheme says. Inputs and outputs are
float32, or int32 where the model's are integers: Core ML has no others that every minimum takes.

A pruned model's zeros are not stored: from iOS 16 on for float weights, from iOS 18 on also for quantized ones.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Final, Literal, get_args

from deployspec.ir.constraint import Constraint
from deployspec.ir.plan import (
    EXPORTED_PROGRAM,
    KERAS_MODEL,
    SAVED_MODEL,
    SCRIPT_MODULE,
    TORCH_MODULE,
    Form,
    Inspector,
    Lowering,
    Runner,
    Toolchain,
)
from deployspec.ir.rules import EvidenceClass
from deployspec.ir.tolerance import EXACT, TOLERANCES
from deployspec.targets.saved_model import EXPORT

COREML: Form = "coreml"

Minimum = Literal["iOS15", "iOS16", "iOS17", "iOS18"]

_UNUSED: Final = ("executorch", "torchao", "sklearn", "scipy", "xgboost", "libsvm", "transformers")
"""What coremltools imports where it is there, and nothing here needs: it would triple the time and the memory."""

TORCH: Final = Toolchain(
    name="coremltools",
    shares="torch",
    distributions=("coremltools", "torch", "safetensors"),
    extra="coreml",
    preload=("torch", "coremltools"),
    block=(*_UNUSED, "tensorflow", "keras", "torchvision", "torchaudio"),
)
TENSORFLOW: Final = Toolchain(
    name="coremltools-tensorflow",
    shares="tensorflow",
    distributions=("coremltools", "tensorflow-cpu|tensorflow", "keras"),
    extra="coreml,keras",
    preload=("deployspec.runners.keras_eager", "coremltools"),
    block=(*_UNUSED, "jax", "pandas", "torch"),
)

EVALUATOR: Final = Toolchain(
    name="coreml-evaluator", shares="torch", distributions=("coremltools", "torch"), extra="coreml"
)

_TYPED_EXECUTION: Final = "https://apple.github.io/coremltools/docs-guides/source/typed-execution-example.html"

_FROM_TORCH: Final = Lowering(
    name="float32",
    takes=(TORCH_MODULE, EXPORTED_PROGRAM, SCRIPT_MODULE),
    gives=COREML,
    function=f"{__name__}.from_torch:lower",
    toolchain=TORCH,
    tolerance=EXACT,
    remark=f"in float32 it runs on GPU and CPU only, the Neural Engine takes float16 ({_TYPED_EXECUTION})",
    cost_s=4.0,
)
_FROM_TENSORFLOW: Final = replace(
    _FROM_TORCH, takes=(SAVED_MODEL,), function=f"{__name__}.from_keras:lower", toolchain=TENSORFLOW
)

_SINCE: Final[dict[str, Minimum]] = {
    "float16": "iOS15",
    "int8-weights": "iOS16",
    "palette-8": "iOS16",
    "palette-6": "iOS16",
    "palette-4": "iOS16",
    "int8": "iOS17",
    "int4-weights": "iOS18",
}
"""The first system that has the operators of each scheme."""

_NEEDS_CODE: Final = "activations are quantized in the model's code, and this source brings none"
_TORCH_ONLY: Final = "coremltools quantizes the activations of torch modules only"
_NEEDS_IOS16: Final = 'weights in fewer bits came with iOS 16: set minimum = "iOS16" or a later one'


@dataclass(frozen=True, kw_only=True)
class CoreML:
    """Options of a `format = "coreml"` target."""

    name: ClassVar[str] = "coreml"
    form: ClassVar[str] = COREML
    suffixes: ClassVar[tuple[str, ...]] = (".mlpackage", ".mlmodel", ".mlmodelc")
    """The reader of the latter two says what to give instead."""
    has_delegates: ClassVar[bool] = False
    remark: ClassVar[str] = (
        "runs on Apple's systems only: here a reference evaluator tells its quality, and nothing its time"
    )
    reasons: ClassVar[dict[str, str]] = {
        "int8": 'activations in 8 bits came with iOS 17: set minimum = "iOS17" or a later one',
        "int4-weights": 'blocks of 4-bit weights came with iOS 18: set minimum = "iOS18"',
        **dict.fromkeys(("int8-weights", "palette-8", "palette-6", "palette-4"), _NEEDS_IOS16),
        "int8-dynamic": "Core ML has no operators that quantize activations anew at each call",
        "int16x8": "Core ML has no activations in 16-bit integers",
        "bfloat16": "Core ML computes in float32 or float16",
        **{f"int8 from {form}": _NEEDS_CODE for form in (EXPORTED_PROGRAM, SCRIPT_MODULE)},
        **{f"int8 from {form}": _TORCH_ONLY for form in (KERAS_MODEL, SAVED_MODEL)},
    }

    minimum: Minimum = "iOS16"
    """The oldest system that has to run it; iOS16 stands for macOS 13, tvOS 16 and watchOS 9 too, and so on."""
    batch_max: Annotated[int, Constraint(ge=1)] = 1
    """The largest batch that an artifact made from torch takes; with 1 its shapes are fixed."""

    def lowerings(self) -> tuple[Lowering, ...]:
        """Of every scheme that the minimum has: from torch, from a SavedModel; int8 from a torch module only."""
        systems = get_args(Minimum)
        schemes = [each for each, since in _SINCE.items() if systems.index(since) <= systems.index(self.minimum)]
        torch: dict[str, Any] = {"minimum": self.minimum, "batch_max": self.batch_max}
        keras: dict[str, Any] = {"minimum": self.minimum}
        return (
            _lowering(_FROM_TORCH, None, torch),
            *(_lowering(_FROM_TORCH, each, torch) for each in schemes),
            EXPORT,
            _lowering(_FROM_TENSORFLOW, None, keras),
            *(_lowering(_FROM_TENSORFLOW, each, keras) for each in schemes if each != "int8"),
        )

    def runner(self) -> Runner:
        """The reference evaluator, in each of its arithmetics: Core ML itself runs on Apple's systems only."""
        return Runner(
            script="deployspec.runners.coreml",
            toolchain=EVALUATOR,
            evidence=EvidenceClass.REFERENCE,
            modes=("declared", "fp64", "fp16acc"),
        )

    def inspector(self) -> Inspector:
        """A reader of the package by its protobuf schema."""
        toolchain = Toolchain(name="structure", distributions=("coremltools",), extra="coreml")
        return Inspector(function="deployspec.formats.coreml:inspect", toolchain=toolchain)


def _lowering(edge: Lowering, scheme: str | None, options: dict[str, Any]) -> Lowering:
    """The edge with the options, realising the scheme if there is one."""
    made = replace(edge, options={"scheme": scheme} | options)
    if scheme is None:
        return made
    made = replace(made, name=scheme, realises=scheme, tolerance=TOLERANCES[scheme], remark="")
    return replace(made, takes=(TORCH_MODULE,), needs=("calibration",)) if scheme == "int8" else made
