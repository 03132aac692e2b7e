"""ONNX: a graph that onnxruntime and many others run, exported from a torch module with any batch size."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Final

from deployspec.ir.plan import TORCH_MODULE, Form, Inspector, Lowering, Runner, Toolchain
from deployspec.ir.tolerance import EXACT, TOLERANCES

if TYPE_CHECKING:
    from pathlib import Path

    from deployspec.ir.artifact import Job

ONNX: Form = "onnx"

EXPORTER: Final = Toolchain(
    name="onnx", distributions=("torch", "onnx", "onnxscript", "safetensors"), preload=("torch",)
)
QUANTIZER: Final = Toolchain(name="onnx-quantizer", distributions=("onnx", "onnxruntime"))
BATCH_MAX: Final = 8
"""How many samples at a time the contract tries."""

_FLOAT32: Final = Lowering(
    name="float32",
    takes=(TORCH_MODULE,),
    gives=ONNX,
    function=f"{__name__}:export",
    toolchain=EXPORTER,
    tolerance=EXACT,
)


@dataclass(frozen=True, kw_only=True)
class Onnx:
    """Options of a `format = "onnx"` target."""

    name: ClassVar[str] = "onnx"
    form: ClassVar[str] = ONNX
    suffixes: ClassVar[tuple[str, ...]] = (".onnx",)
    has_delegates: ClassVar[bool] = False
    remark: ClassVar[str] = ""
    reasons: ClassVar[dict[str, str]] = {"int8": "this plug-in does not calibrate; int8-dynamic needs no data"}

    opset: int = 18
    """The version of the operators that the file uses."""

    def lowerings(self) -> tuple[Lowering, ...]:
        """float32 from torch; int8-dynamic, its matrix products in int8, from the float file."""
        dynamic = replace(
            _FLOAT32, name="int8-dynamic", realises="int8-dynamic", takes=(ONNX,), function=f"{__name__}:quantize",
            toolchain=QUANTIZER, tolerance=TOLERANCES["int8-dynamic"],
        )  # fmt: skip
        return replace(_FLOAT32, options={"opset": self.opset}), dynamic

    def runner(self) -> Runner:
        """onnxruntime on the CPU."""
        return Runner(
            script="deployspec_onnx.runner", toolchain=Toolchain(name="onnxruntime", distributions=("onnxruntime",))
        )

    def inspector(self) -> Inspector:
        """A reader of the file's protocol buffer."""
        toolchain = Toolchain(name="onnx-structure", distributions=("onnx",))
        return Inspector(function="deployspec_onnx.structure:inspect", toolchain=toolchain)


def export(job: Job) -> dict[str, Any]:
    """Export the module of the spec; what it answers to the probe is what the file must answer."""
    import torch

    from deployspec.contract import probe_inputs, record
    from deployspec.sources.torch_module import answers, open_module

    module, inputs = open_module(job), probe_inputs(job)
    record(job, inputs, answers(module, inputs), options=_names(job), batch=BATCH_MAX)
    example = tuple(torch.from_numpy(each[:2]) for each in inputs)  # a batch of one would be taken for a constant
    shapes = torch.export.ShapesCollection()
    for tensor in example:
        shapes[tensor] = {0: torch.export.Dim("batch")}
    with contextlib.redirect_stdout(sys.stderr):
        program = torch.onnx.export(
            module, example, dynamo=True, dynamic_shapes=shapes.dynamic_shapes(module, example), verbose=False,
            input_names=_names(job)["inputs"], output_names=_names(job)["outputs"], opset_version=job.options["opset"],
        )  # fmt: skip
    _save(program.model_proto, job.artifact / f"{job.model.name}.onnx")
    return {}


def _save(model: Any, path: Path) -> None:
    """Write the model without what the exporter tells of our machine (stack traces), the same bytes every time."""
    graph = model.graph
    graph.ClearField("value_info")  # shapes that the quantizer would find to be wrong once it transposes a weight
    for each in (model, graph, *graph.node, *graph.initializer, *graph.input, *graph.output):
        each.ClearField("metadata_props")
        each.ClearField("doc_string")
    path.write_bytes(model.SerializeToString(deterministic=True))


def quantize(job: Job) -> dict[str, Any]:
    """Quantize the float file of the step before; what it is held to are still the float answers."""
    import numpy
    from onnxruntime.quantization import QuantType, quantize_dynamic

    from deployspec.contract import probe_files, record
    from deployspec.ir.artifact import the_artifact

    source = the_artifact(job.inputs["input"])
    quantize_dynamic(
        source, job.artifact / source.name, op_types_to_quantize=["MatMul", "Gemm"], weight_type=QuantType.QInt8
    )
    probe = ([numpy.load(path) for path in probe_files(job.inputs["input"], kind)] for kind in ("input", "output"))
    record(job, *probe, options=_names(job), batch=BATCH_MAX)
    return {}


def _names(job: Job) -> dict[str, list[str]]:
    return {"inputs": [each.name for each in job.model.inputs], "outputs": [each.name for each in job.model.outputs]}
