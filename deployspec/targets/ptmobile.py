"""PyTorch Mobile: a frozen module as bytecode, which the lite interpreter of older apps runs.

`torch.utils.mobile_optimizer.optimize_for_mobile` is left out: its rewrite for XNNPACK needs a torch that was built
with it, and none is on offer any more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Final

from deployspec.ir.plan import (
    EXPORTED_PROGRAM,
    SCRIPT_MODULE,
    TORCH_MODULE,
    Form,
    Inspector,
    Lowering,
    Runner,
    Toolchain,
)
from deployspec.ir.tolerance import EXACT, TOLERANCES
from deployspec.sources.torch_module import TORCH
from deployspec.targets.torch_quantization import reasons

if TYPE_CHECKING:
    import torch

    from deployspec.ir.artifact import Job

PTMOBILE: Form = "ptmobile"

ENGINE: Final = "qnnpack"
"""The only kernels for int8 that a phone has."""

_FLOAT32: Final = Lowering(
    name="float32",
    takes=(TORCH_MODULE, EXPORTED_PROGRAM, SCRIPT_MODULE),
    gives=PTMOBILE,
    function=f"{__name__}:lower_float32",
    toolchain=TORCH,
    tolerance=EXACT,
    cost_s=3.0,
)
_NO_HALF: Final = "the lite interpreter has no fast kernels for half precision: the file would only get slower"


@dataclass(frozen=True, kw_only=True)
class PTMobile:
    """Options of a `format = "ptmobile"` target: there are none."""

    name: ClassVar[str] = "ptmobile"
    form: ClassVar[str] = PTMOBILE
    suffixes: ClassVar[tuple[str, ...]] = (".ptl",)
    has_delegates: ClassVar[bool] = False
    remark: ClassVar[str] = (
        "deprecated by its makers, whose way on is the format 'executorch'; this torch lacks the rewrite for XNNPACK "
        "(optimize_for_mobile), so floating point runs on slower kernels than it could"
    )
    reasons: ClassVar[dict[str, str]] = {
        **reasons("int8", "int8-dynamic"),
        **dict.fromkeys(("float16", "bfloat16"), _NO_HALF),
    }

    def lowerings(self) -> tuple[Lowering, ...]:
        """float32; int8 (FX graph mode); int8-dynamic (linear and recurrent weights)."""
        return (
            _FLOAT32,
            replace(_quantized("int8", "lower_int8"), needs=("calibration",)),
            _quantized("int8-dynamic", "lower_int8_dynamic"),
        )

    def runner(self) -> Runner:
        """The lite interpreter in the torch package; the eager source is loaded beside it as a baseline."""
        shipped = ("deployspec.runners.protocol", "deployspec.runners.callables", "deployspec.runners.eager")
        return Runner(script="deployspec.runners.ptmobile", toolchain=TORCH, needs=shipped, runs_source=True)

    def inspector(self) -> Inspector:
        """A reader of the bytecode."""
        return Inspector(function="deployspec.formats.ptmobile:inspect", toolchain=Toolchain(name="structure"))


def _quantized(scheme: str, function: str) -> Lowering:
    return replace(
        _FLOAT32,
        name=scheme,
        takes=(TORCH_MODULE,),
        realises=scheme,
        function=f"{__name__}:{function}",
        tolerance=TOLERANCES[scheme],
    )


def lower_float32(job: Job) -> dict[str, Any]:
    """Trace the module, freeze it and save its bytecode."""
    from deployspec.targets.torch_archive import finish, opened

    module, inputs, answered = opened(job)
    return finish(job, module, inputs, answered, _saved, ".ptl")


def lower_int8(job: Job) -> dict[str, Any]:
    """Post-training static int8 with FX graph mode quantization; one pass over the calibration split."""
    from deployspec.targets.torch_archive import finish, opened
    from deployspec.targets.torch_quantization import quantized_static

    module, inputs, answered = opened(job)
    quantized = quantized_static(job, module, inputs, ENGINE)
    return finish(job, quantized, inputs, answered, _saved, ".ptl", engine=ENGINE)


def lower_int8_dynamic(job: Job) -> dict[str, Any]:
    """int8 weights in linear and recurrent layers, activations quantized per call."""
    from deployspec.targets.torch_archive import finish, opened
    from deployspec.targets.torch_quantization import quantized_dynamic

    module, inputs, answered = opened(job)
    return finish(job, quantized_dynamic(module, ENGINE), inputs, answered, _saved, ".ptl", engine=ENGINE)


def _saved(frozen: torch.jit.ScriptModule) -> bytes:
    saved: bytes = frozen._save_to_buffer_for_lite_interpreter()
    return saved
