"""TorchScript: a frozen, traced or scripted module that libtorch loads without Python.

`torch.jit.optimize_for_inference` is left out on purpose: it runs in memory, but what it saves has lost its
prepacked weights. Freezing is what survives the file.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from deployspec.ir.plan import TORCH_MODULE, TORCHSCRIPT, Lowering, Runner, Toolchain

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import torch

    from deployspec.ir.artifact import Job

TOOLCHAIN: Final = Toolchain(name="torch", distributions=("torch", "safetensors"), extra="torch", preload=("torch",))


_WRITTEN_BY_TORCH: Final = ("version", "byteorder", ".data/serialization_id")
"""Records that torch's writer adds to every archive by itself."""

_FLOAT32: Final = Lowering(
    name="float32",
    takes=TORCH_MODULE,
    gives=TORCHSCRIPT,
    function=f"{__name__}:lower_float32",
    toolchain=TOOLCHAIN,
    tolerance=1e-4,
    cost_s=3.0,
)


@dataclass(frozen=True, kw_only=True)
class TorchScript:
    """Options of a `format = "torchscript"` target."""

    name: ClassVar[str] = "torchscript"
    form: ClassVar[str] = TORCHSCRIPT
    remark: ClassVar[str] = "deprecated by its makers since torch 2.13, which still make, save and load it"

    method: Literal["trace", "script"] = "trace"
    """Record one run of the model, or compile its code with its branches."""
    engine: Literal["x86", "qnnpack"] = "qnnpack"
    """The kernels that int8 is made for; x86 also widens the file."""

    def lowerings(self) -> tuple[Lowering, ...]:
        """float32; int8 (FX graph mode); int8-dynamic (linear and recurrent weights); float16 inside."""
        engine = {"engine": self.engine}
        return (
            replace(_FLOAT32, options={"method": self.method}),
            replace(_quantized("int8", "lower_int8"), options=engine, needs=("calibration",)),
            replace(_quantized("int8-dynamic", "lower_int8_dynamic"), options=engine),
            _quantized("float16", "lower_float16"),
        )

    def runner(self) -> Runner:
        """libtorch through the torch package; the eager source is loaded beside it as a baseline."""
        shipped = ("deployspec.runners.protocol", "deployspec.runners.eager")
        return Runner(script="deployspec.runners.torchscript", toolchain=TOOLCHAIN, needs=shipped, runs_source=True)


def _quantized(scheme: str, function: str) -> Lowering:
    return replace(_FLOAT32, name=scheme, realises=scheme, function=f"{__name__}:{function}", tolerance=1e-3)


def lower_float32(job: Job) -> dict[str, Any]:
    """Trace or script the module, freeze and save it."""
    from deployspec.contract import probe_inputs
    from deployspec.sources.torch_module import open_module

    return _finish(job, open_module(job), probe_inputs(job), freeze=True)


def lower_int8(job: Job) -> dict[str, Any]:
    """Post-training static int8 with FX graph mode quantization; one pass over the calibration split."""
    import torch
    from torch.ao.quantization import get_default_qconfig_mapping
    from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx

    from deployspec.contract import probe_inputs
    from deployspec.sources.torch_module import calibration_samples, open_module

    engine = job.options["engine"]
    torch.backends.quantized.engine = engine
    inputs = probe_inputs(job)
    example = tuple(torch.from_numpy(each[:1]) for each in inputs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        prepared = prepare_fx(open_module(job), get_default_qconfig_mapping(engine), example)
        with torch.no_grad():
            for sample in calibration_samples(job):
                prepared(*sample)
        quantized = convert_fx(prepared)
    # Frozen, the x86 engine's packed weights are stored twice; qnnpack's are not.
    return _finish(job, quantized, inputs, freeze=engine == "qnnpack", engine=engine)


def lower_int8_dynamic(job: Job) -> dict[str, Any]:
    """int8 weights in linear and recurrent layers, activations quantized per call."""
    import torch

    from deployspec.contract import probe_inputs
    from deployspec.sources.torch_module import open_module

    engine = job.options["engine"]
    torch.backends.quantized.engine = engine
    kinds = {torch.nn.Linear, torch.nn.LSTM, torch.nn.GRU}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantized = torch.ao.quantization.quantize_dynamic(open_module(job), kinds, dtype=torch.qint8)
    return _finish(job, quantized, probe_inputs(job), freeze=False, engine=engine)


def lower_float16(job: Job) -> dict[str, Any]:
    """Half precision weights and arithmetic; inputs and outputs stay float32. Slower than float32 on most CPUs."""
    import torch

    from deployspec.contract import probe_inputs
    from deployspec.sources.torch_module import open_module

    class Half(torch.nn.Module):
        """float32 in, the wrapped module in float16, float32 out."""

        def __init__(self, inner: torch.nn.Module) -> None:
            super().__init__()
            self.inner = inner.half()

        def forward(self, *inputs: torch.Tensor) -> Any:
            halved = [each.half() if each.is_floating_point() else each for each in inputs]
            results = self.inner(*halved)
            return results.float() if isinstance(results, torch.Tensor) else tuple(each.float() for each in results)

    return _finish(job, Half(open_module(job)).eval(), probe_inputs(job), freeze=True)


def _finish(
    job: Job, module: torch.nn.Module, inputs: list[np.ndarray], *, freeze: bool, engine: str | None = None
) -> dict[str, Any]:
    """Script or trace `module`, save it, and record its answers for the contract."""
    import torch

    from deployspec.contract import record
    from deployspec.sources.torch_module import answers

    answered = answers(module, inputs)  # first: what is no tensor is told more plainly than tracing does
    example = tuple(torch.from_numpy(each[:1]) for each in inputs)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        scripted = (
            torch.jit.script(module) if job.options.get("method") == "script" else torch.jit.trace(module, example)
        )
        frozen = torch.jit.freeze(scripted.eval()) if freeze else scripted
        buffer = io.BytesIO()
        torch.jit.save(frozen, buffer)
    _write_without_paths(buffer, job.artifact / f"{job.model.name}.ts.pt")
    record(job, inputs, answered, options={"engine": engine} if engine else {})
    return {}


def _write_without_paths(saved: io.BytesIO, path: Path) -> None:
    """Write the archive without its debug records: they hold absolute paths of the machine that built it.

    With them the same model would have another digest in every folder.
    """
    import torch

    saved.seek(0)
    reader, writer = torch._C.PyTorchFileReader(saved), torch._C.PyTorchFileWriter(str(path))
    for name in reader.get_all_records():
        if not name.endswith(".debug_pkl") and name not in _WRITTEN_BY_TORCH:
            record = reader.get_record(name)
            writer.write_record(name, record, len(record))
    writer.write_end_of_file()
