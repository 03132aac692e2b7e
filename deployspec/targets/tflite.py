"""LiteRT (TFLite): a flatbuffer, lowered from a torch module by litert-torch.

float32 is lowered once and shared: float16 and the schemes without calibration are made from its file by
ai-edge-quantizer in a moment. int8 goes through PT2E, whose calibration does not clip as that tool's own does.
"""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from deployspec.ir.plan import TORCH_MODULE, Form, Lowering, Runner, Toolchain

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import torch

    from deployspec.ir.artifact import Job

TFLITE: Form = "tflite"

TOOLCHAIN: Final = Toolchain(
    name="litert",
    distributions=("torch", "litert-torch", "litert-converter", "torchao", "ai-edge-quantizer", "safetensors"),
    extra="tflite",
    preload=("torch", "litert_torch"),
)
RUNTIME: Final = Toolchain(name="litert-runtime", distributions=("ai-edge-litert",), extra="tflite")

NCHW_TO_NHWC: Final = (0, 2, 3, 1)

_FLOAT16_RECIPE: Final = {
    "regex": ".*",
    "operation": "*",
    "algorithm_key": "float_casting",
    "op_config": {
        "weight_tensor_config": {"num_bits": 16, "symmetric": True, "granularity": "TENSORWISE", "dtype": "FLOAT"},
        "compute_precision": "FLOAT",
        "explicit_dequantize": True,
        "skip_checks": False,
        "min_weight_elements": 0,
    },
}


_FLOAT32: Final = Lowering(
    name="float32",
    takes=TORCH_MODULE,
    gives=TFLITE,
    function=f"{__name__}:lower_float32",
    toolchain=TOOLCHAIN,
    tolerance=1e-4,
    cost_s=9.0,
)
_INT8: Final = replace(
    _FLOAT32,
    name="int8",
    function=f"{__name__}:lower_int8",
    tolerance=0.05,
    realises="int8",
    needs=("calibration",),
    cost_s=10.0,
)
_FROM_FLOAT_FILE: Final = {"float16": 0.01, "int8-dynamic": 0.25, "int8-weights": 0.25}
"""Schemes that are made from the float file, each with the difference from it that the contract accepts."""


@dataclass(frozen=True, kw_only=True)
class TFLite:
    """Options of a `format = "tflite"` target."""

    name: ClassVar[str] = "tflite"
    form: ClassVar[str] = TFLITE
    remark: ClassVar[str] = ""

    layout: Literal["nchw", "nhwc"] = "nchw"
    """Layout of the artifact's image inputs (those with four dimensions)."""
    io: Literal["float32", "int8"] = "float32"
    """Type of an int8 artifact's inputs and outputs."""

    def lowerings(self) -> tuple[Lowering, ...]:
        """float32 and int8 from torch; float16, int8-dynamic and int8-weights from the float file."""
        layout = {"layout": self.layout}
        return (
            replace(_FLOAT32, options=layout),
            replace(_INT8, options=layout | {"io": self.io}),
            *(_from_float_file(scheme, tolerance) for scheme, tolerance in _FROM_FLOAT_FILE.items()),
        )

    def runner(self) -> Runner:
        """The LiteRT interpreter."""
        return Runner(script="deployspec.runners.tflite", toolchain=RUNTIME)


def _from_float_file(scheme: str, tolerance: float) -> Lowering:
    return replace(
        _FLOAT32,
        name=scheme,
        takes=TFLITE,
        function=f"{__name__}:quantize_file",
        tolerance=tolerance,
        realises=scheme,
        options={"scheme": scheme},
        cost_s=0.5,
    )


def lower_float32(job: Job) -> dict[str, Any]:
    """Convert the module as it is; batch 1, static shapes."""
    from deployspec.contract import probe_inputs
    from deployspec.sources.torch_module import answers, open_module

    module, inputs = open_module(job), probe_inputs(job)
    answered = answers(module, inputs)  # first: what is no tensor is told more plainly than converting does
    shipped, axes = _in_layout(job, module, inputs)
    content = _convert(shipped, _example(inputs, axes))
    return _finish(job, content, inputs, answered, axes)


def lower_int8(job: Job) -> dict[str, Any]:
    """Static int8, weights per channel, through PT2E; one pass over the calibration split, in its order."""
    import torch
    from litert_torch.quantize.pt2e_quantizer import PT2EQuantizer, get_symmetric_quantization_config
    from litert_torch.quantize.quant_config import QuantConfig
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    from deployspec.contract import probe_inputs
    from deployspec.sources.torch_module import calibration_samples, open_module

    inputs = probe_inputs(job)
    shipped, axes = _in_layout(job, open_module(job), inputs)
    example = _example(inputs, axes)
    quantizer = PT2EQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True))
    prepared = prepare_pt2e(torch.export.export(shipped, example).module(), quantizer)
    with torch.inference_mode():
        for sample in calibration_samples(job):
            prepared(*_permuted(sample, axes))
    quantized = convert_pt2e(prepared, fold_quantize=False)
    content = _convert(quantized, example, quant_config=QuantConfig(pt2e_quantizer=quantizer))
    return _finish(job, content, inputs, _answers_in_layout(quantized, inputs, axes), axes)


def quantize_file(job: Job) -> dict[str, Any]:
    """Quantize the float file of the role "input"; its recorded answers stay the ones to agree with."""
    import numpy
    from ai_edge_quantizer import quantizer, recipe

    from deployspec import contract
    from deployspec.ir.artifact import the_artifact

    recipes = {
        "float16": lambda: [_FLOAT16_RECIPE],
        "int8-dynamic": recipe.dynamic_wi8_afp32,
        "int8-weights": recipe.weight_only_wi8_afp32,
    }
    source = the_artifact(job.inputs["input"])
    with _prints_to_log():
        result = quantizer.Quantizer(str(source), recipes[job.options["scheme"]]()).quantize()
    (job.artifact / source.name).write_bytes(bytes(result.quantized_model))
    inputs, outputs = (
        [numpy.load(path) for path in contract.probe_files(job.inputs["input"], kind)] for kind in ("input", "output")
    )
    how = contract.call(job.inputs["input"])
    contract.record(job, inputs, outputs, options=how["options"], axes=how["axes"])
    return {}


def _in_layout(
    job: Job, module: torch.nn.Module, inputs: list[np.ndarray]
) -> tuple[torch.nn.Module, list[tuple[int, ...] | None]]:
    """The module that takes its image inputs in the target's layout, and how the model's axes become its own."""
    import litert_torch

    if job.options["layout"] == "nchw":
        return module, [None] * len(inputs)
    images = [i for i, each in enumerate(inputs) if each.ndim == 4]
    axes: list[tuple[int, ...] | None] = [NCHW_TO_NHWC if i in images else None for i in range(len(inputs))]
    return litert_torch.to_channel_last_io(module, args=images).eval(), axes


def _example(inputs: list[np.ndarray], axes: list[tuple[int, ...] | None]) -> tuple[torch.Tensor, ...]:
    import torch

    return _permuted(tuple(torch.from_numpy(each[:1]) for each in inputs), axes)


def _permuted(sample: tuple[torch.Tensor, ...], axes: list[tuple[int, ...] | None]) -> tuple[torch.Tensor, ...]:
    return tuple(
        each if order is None else each.permute(order).contiguous() for each, order in zip(sample, axes, strict=True)
    )


def _answers_in_layout(
    module: torch.nn.Module, inputs: list[np.ndarray], axes: list[tuple[int, ...] | None]
) -> list[np.ndarray]:
    import numpy

    from deployspec.sources.torch_module import answers

    turned = [
        each if order is None else numpy.ascontiguousarray(each.transpose(order))
        for each, order in zip(inputs, axes, strict=True)
    ]
    return answers(module, turned)


def _convert(module: torch.nn.Module, example: tuple[torch.Tensor, ...], **options: Any) -> bytes:
    import litert_torch

    litert_torch.config.show_progress = False
    with _prints_to_log():
        return bytes(litert_torch.convert(module, example, **options).model_content())


def _finish(
    job: Job,
    content: bytes,
    inputs: list[np.ndarray],
    outputs: list[np.ndarray],
    axes: list[tuple[int, ...] | None],
) -> dict[str, Any]:
    """Name the ends, write the file, and record the predecessor's answers for the contract."""
    from deployspec.contract import record
    from deployspec.targets.tflite_boundary import finish

    names = {"inputs": [each.name for each in job.model.inputs], "outputs": [each.name for each in job.model.outputs]}
    float_ends = job.options.get("io", "float32") == "float32"
    finished = finish(content, names["inputs"], names["outputs"], float_ends=float_ends)
    (job.artifact / f"{job.model.name}.tflite").write_bytes(finished)
    record(job, inputs, outputs, options=names, axes=axes)
    return {}


@contextlib.contextmanager
def _prints_to_log() -> Iterator[None]:
    """The converters print to standard output; it belongs to the step's log."""
    with contextlib.redirect_stdout(sys.stderr):
        yield
