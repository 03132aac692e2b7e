"""ExecuTorch: a .pte program for phones, its graph delegated to XNNPACK as far as XNNPACK takes it.

A .pte has no names for its inputs and outputs. They are kept as two constant methods, `input_names` and
`output_names`, each of which gives a list of strings: any ExecuTorch runtime can call them.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final

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
from deployspec.ir.tolerance import EXACT, TOLERANCES

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    import torch

    from deployspec.ir.artifact import Job

EXECUTORCH: Form = "executorch"

TOOLCHAIN: Final = Toolchain(
    name="executorch",
    shares="torch",
    distributions=("torch", "torchao", "executorch", "safetensors"),
    extra="executorch",
    preload=(
        "torch",
        "executorch.exir",
        "executorch.backends.xnnpack.partition.xnnpack_partitioner",
        "executorch.backends.xnnpack.quantizer.xnnpack_quantizer",
    ),
)
RUNTIME: Final = Toolchain(
    name="executorch-runtime", shares="torch", distributions=("torch", "executorch"), extra="executorch"
)

_NEEDS_EXPORT: Final = "an ExecuTorch program is made by torch.export, which reads a torch module's Python code"
_WEIGHTS_ALONE: Final = "XNNPACK takes weights of fewer bits only with 8-bit activations, as int8-dynamic has them"
_NO_PALETTE: Final = "XNNPACK has no look-up tables for weights"

_FLOAT32: Final = Lowering(
    name="float32",
    takes=(TORCH_MODULE, EXPORTED_PROGRAM),
    gives=EXECUTORCH,
    function=f"{__name__}:lower_float32",
    toolchain=TOOLCHAIN,
    tolerance=EXACT,
    cost_s=10.0,
)
_INT8: Final = replace(
    _FLOAT32,
    name="int8",
    function=f"{__name__}:lower_int8",
    tolerance=TOLERANCES["int8"],
    realises="int8",
    needs=("calibration",),
    cost_s=11.0,
)
_INT8_DYNAMIC: Final = replace(
    _INT8,
    name="int8-dynamic",
    function=f"{__name__}:lower_int8_dynamic",
    tolerance=TOLERANCES["int8-dynamic"],
    realises="int8-dynamic",
    needs=(),
)


@dataclass(frozen=True, kw_only=True)
class ExecuTorch:
    """Options of a `format = "executorch"` target."""

    name: ClassVar[str] = "executorch"
    form: ClassVar[str] = EXECUTORCH
    suffixes: ClassVar[tuple[str, ...]] = (".pte",)
    has_delegates: ClassVar[bool] = True
    remark: ClassVar[str] = ""

    reasons: ClassVar[dict[str, str]] = {
        SCRIPT_MODULE: f"{_NEEDS_EXPORT}, and a TorchScript file has none",
        KERAS_MODEL: _NEEDS_EXPORT,
        SAVED_MODEL: _NEEDS_EXPORT,
        "float16": "XNNPACK computes in half precision only on processors that do, and fails on others",
        "bfloat16": "XNNPACK has kernels in bfloat16 for hardly an operator",
        "int16x8": "XNNPACK has no 16-bit activations",
        "int8-weights": _WEIGHTS_ALONE,
        "int4-weights": _WEIGHTS_ALONE,
        "palette-4": _NO_PALETTE,
        "palette-6": _NO_PALETTE,
        "palette-8": _NO_PALETTE,
    }

    batch_max: Annotated[int, Constraint(ge=1)] = 1
    """The largest batch that the program takes; with 1 its shapes are fixed."""

    def lowerings(self) -> tuple[Lowering, ...]:
        """float32; int8 (weights per channel, calibrated); int8-dynamic (activations quantized per call)."""
        options = {"batch_max": self.batch_max}
        return tuple(replace(each, options=options) for each in (_FLOAT32, _INT8, _INT8_DYNAMIC))

    def runner(self) -> Runner:
        """ExecuTorch's runtime through its Python binding."""
        return Runner(script="deployspec.runners.pte", toolchain=RUNTIME)

    def inspector(self) -> Inspector:
        """A reader of the program and of XNNPACK's graphs in it, by the schemas that executorch ships."""
        toolchain = Toolchain(name="structure", distributions=("executorch",), extra="executorch")
        return Inspector(function="deployspec.formats.executorch:inspect", toolchain=toolchain)


def lower_float32(job: Job) -> dict[str, Any]:
    """Export the module as it is."""
    from deployspec.contract import probe_inputs
    from deployspec.sources.torch_module import answers, open_module

    module, inputs = open_module(job), probe_inputs(job)
    return _finish(job, module, inputs, answers(module, inputs))


def lower_int8(job: Job) -> dict[str, Any]:
    """Static int8, weights per channel, through PT2E; one pass over the calibration split, in its order."""
    from deployspec.sources.torch_module import calibration_samples

    return _lower_quantized(job, calibration_samples(job), is_dynamic=False)


def lower_int8_dynamic(job: Job) -> dict[str, Any]:
    """int8 weights per channel, their activations quantized per call, in linear layers and in some convolutions.

    XNNPACK's quantizer leaves out depthwise ones and those that a ReLU follows: they stay in float32.
    """
    import torch

    from deployspec.contract import probe_inputs

    # Activations need no ranges; weights are looked at in passing.
    sample = tuple(torch.from_numpy(each[:1]) for each in probe_inputs(job))
    return _lower_quantized(job, [sample], is_dynamic=True)


def _lower_quantized(job: Job, samples: Iterable[tuple[torch.Tensor, ...]], *, is_dynamic: bool) -> dict[str, Any]:
    """Quantize for XNNPACK; the float model's answers are those to agree with."""
    import torch
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import get_symmetric_quantization_config
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    from deployspec.contract import probe_inputs
    from deployspec.sources.torch_module import answers, open_module
    from deployspec.targets.executorch_trims import post_training_quantizer

    module, inputs = open_module(job), probe_inputs(job)
    answered = answers(module, inputs)
    config = get_symmetric_quantization_config(is_per_channel=True, is_dynamic=is_dynamic)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        exported = _export(job, module, inputs).module()
        prepared = prepare_pt2e(exported, post_training_quantizer().set_global(config))
        for sample in samples:
            prepared(*sample)
        quantized = convert_pt2e(prepared)
    return _finish(job, quantized, inputs, answered)


def _export(job: Job, module: torch.nn.Module, inputs: list[np.ndarray]) -> torch.export.ExportedProgram:
    """The module's graph, its first dimensions fixed to one, or from one to `batch_max` where the spec names them."""
    import torch

    batch_max = job.options["batch_max"]
    batch = torch.export.Dim("batch", min=1, max=batch_max) if batch_max > 1 else None
    dims = tuple({0: batch} if batch and isinstance(each.shape[0], str) else None for each in job.model.inputs)
    # Of a single row, torch.export would make a constant.
    rows = [1 if dim is None else 2 for dim in dims]
    example = tuple(torch.from_numpy(each[:1].repeat(n, axis=0)) for each, n in zip(inputs, rows, strict=True))
    return torch.export.export(_enclosed(module), example, dynamic_shapes=(dims,) if any(dims) else None)


def _enclosed(module: torch.nn.Module) -> torch.nn.Module:
    """`module` as another's part: executorch cannot fold a BatchNorm into a layer whose name begins with a digit."""
    import torch

    class Enclosing(torch.nn.Module):
        """Gives each of its parameters a name that begins with a letter."""

        def __init__(self) -> None:
            super().__init__()
            self.model = module

        def forward(self, *inputs: torch.Tensor) -> Any:
            return self.model(*inputs)

    return Enclosing()


def _finish(job: Job, module: torch.nn.Module, inputs: list[np.ndarray], answered: list[np.ndarray]) -> dict[str, Any]:
    """Export, delegate to XNNPACK, write the program with its names, and record the answers for the contract."""
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower
    from executorch.kernels import quantized  # noqa: F401 - what XNNPACK leaves of quantize and dequantize

    from deployspec.contract import record
    from deployspec.targets.executorch_trims import without_idle_patterns

    names = job.model.ends
    methods = {"input_names": names["inputs"], "output_names": names["outputs"]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exported = _export(job, module, inputs)
        with without_idle_patterns(exported):
            edge = to_edge_transform_and_lower(exported, partitioner=[XnnpackPartitioner()], constant_methods=methods)
        content = edge.to_executorch().buffer
    (job.artifact / f"{job.model.name}.pte").write_bytes(content)
    record(job, inputs, answered, options=names, batch=job.options["batch_max"])
    return {}
