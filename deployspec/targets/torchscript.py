"""TorchScript: a frozen, traced or scripted module that libtorch loads without Python."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

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

TORCHSCRIPT: Form = "torchscript"

_FLOAT32: Final = Lowering(
    name="float32",
    takes=(TORCH_MODULE,),
    gives=TORCHSCRIPT,
    function=f"{__name__}:lower_float32",
    toolchain=TORCH,
    tolerance=EXACT,
    cost_s=3.0,
)


@dataclass(frozen=True, kw_only=True)
class TorchScript:
    """Options of a `format = "torchscript"` target."""

    name: ClassVar[str] = "torchscript"
    form: ClassVar[str] = TORCHSCRIPT
    suffixes: ClassVar[tuple[str, ...]] = (".pt",)
    has_delegates: ClassVar[bool] = False
    remark: ClassVar[str] = "deprecated by its makers since torch 2.13, which still make, save and load it"
    reasons: ClassVar[dict[str, str]] = reasons("int8", "int8-dynamic", "float16", "bfloat16")

    method: Literal["trace", "script"] = "trace"
    """Record one run of the model, or compile its code with its branches."""
    engine: Literal["x86", "qnnpack"] = "qnnpack"
    """The kernels that int8 is made for: those of phones, or those of servers, whose file is a little larger."""

    def lowerings(self) -> tuple[Lowering, ...]:
        """float32; int8 (FX graph mode); int8-dynamic (linear and recurrent weights); half precision inside."""
        engine = {"engine": self.engine}
        return (
            replace(_FLOAT32, options={"method": self.method}),
            replace(_FLOAT32, takes=(EXPORTED_PROGRAM, SCRIPT_MODULE)),
            replace(_quantized("int8", "lower_int8"), options=engine, needs=("calibration",)),
            replace(_quantized("int8-dynamic", "lower_int8_dynamic"), options=engine),
            replace(_quantized("float16", "lower_half"), options={"dtype": "float16"}),
            replace(_quantized("bfloat16", "lower_half"), options={"dtype": "bfloat16"}),
        )

    def runner(self) -> Runner:
        """libtorch through the torch package; the eager source is loaded beside it as a baseline."""
        shipped = ("deployspec.runners.protocol", "deployspec.runners.callables", "deployspec.runners.eager")
        return Runner(script="deployspec.runners.torchscript", toolchain=TORCH, needs=shipped, runs_source=True)

    def inspector(self) -> Inspector:
        """A reader of the archive's pickles and code."""
        return Inspector(function="deployspec.formats.torchscript:inspect", toolchain=Toolchain(name="structure"))


def _quantized(scheme: str, function: str) -> Lowering:
    return replace(
        _FLOAT32, name=scheme, realises=scheme, function=f"{__name__}:{function}", tolerance=TOLERANCES[scheme]
    )


def lower_float32(job: Job) -> dict[str, Any]:
    """Trace or script the module, freeze and save it."""
    from deployspec.targets.torch_archive import finish, opened

    module, inputs, answered = opened(job)
    return finish(job, module, inputs, answered, _saved, ".ts.pt")


def lower_int8(job: Job) -> dict[str, Any]:
    """Post-training static int8 with FX graph mode quantization; one pass over the calibration split."""
    from deployspec.targets.torch_archive import finish, opened
    from deployspec.targets.torch_quantization import quantized_static

    (module, inputs, answered), engine = opened(job), job.options["engine"]
    quantized = quantized_static(job, module, inputs, engine)
    return finish(job, quantized, inputs, answered, _saved, ".ts.pt", engine=engine)


def lower_int8_dynamic(job: Job) -> dict[str, Any]:
    """int8 weights in linear and recurrent layers, activations quantized per call."""
    from deployspec.targets.torch_archive import finish, opened
    from deployspec.targets.torch_quantization import quantized_dynamic

    (module, inputs, answered), engine = opened(job), job.options["engine"]
    return finish(job, quantized_dynamic(module, engine), inputs, answered, _saved, ".ts.pt", engine=engine)


def lower_half(job: Job) -> dict[str, Any]:
    """Weights and arithmetic of `options["dtype"]`; inputs and outputs stay as they are. Slow on most CPUs."""
    import torch

    from deployspec.targets.torch_archive import finish, opened

    dtype = getattr(torch, job.options["dtype"])

    class Half(torch.nn.Module):
        """float32 in, the wrapped module in `dtype`, float32 out; integers pass."""

        def __init__(self, inner: torch.nn.Module) -> None:
            super().__init__()
            self.inner = inner.to(dtype)

        def forward(self, *inputs: torch.Tensor) -> Any:
            results = self.inner(*(each.to(dtype) if each.is_floating_point() else each for each in inputs))
            return self.widened(results) if isinstance(results, torch.Tensor) else tuple(map(self.widened, results))

        def widened(self, result: torch.Tensor) -> torch.Tensor:
            return result.float() if result.is_floating_point() else result

    module, inputs, answered = opened(job)
    return finish(job, Half(module).eval(), inputs, answered, _saved, ".ts.pt")


def _saved(frozen: torch.jit.ScriptModule) -> bytes:
    import io

    import torch

    buffer = io.BytesIO()
    torch.jit.save(frozen, buffer)
    return buffer.getvalue()
