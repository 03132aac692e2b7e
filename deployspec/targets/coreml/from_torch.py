"""From torch to an ML Program: a callable is traced, an exported program exported again, TorchScript taken as it is."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from deployspec.contract import probe_inputs
from deployspec.errors import SourceFault
from deployspec.ir.model import SourceKind
from deployspec.sources.torch_module import answers, calibration_samples, open_module
from deployspec.targets.coreml import package
from deployspec.targets.coreml.compress import compress

if TYPE_CHECKING:
    import numpy as np
    import torch

    from deployspec.ir.artifact import Job
    from deployspec.ir.model import Input


def lower(job: Job) -> dict[str, Any]:
    """Convert the module in the scheme of `job.options`; its float answers are what the artifact must agree with."""
    module, inputs = open_module(job), probe_inputs(job)
    answered = answers(module, inputs)  # first: what is no tensor is told more plainly than converting does
    package.record(job, inputs, answered)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shipped = _in_8_bits(job, module) if job.options["scheme"] == "int8" else module
        program = _convert(job, _captured(job, shipped, inputs), inputs, answered)
        package.write(compress(program, job.options["scheme"]), job)
    return {}


def _captured(job: Job, module: torch.nn.Module, inputs: list[np.ndarray]) -> Any:
    """The module as one of the things that the converter reads: TorchScript, or an exported program."""
    import torch

    if isinstance(module, torch.jit.ScriptModule):
        return module
    if job.model.kind is SourceKind.EXPORTED_PROGRAM:
        return _exported(job, module, inputs)
    with torch.no_grad():
        example = tuple(torch.from_numpy(each[:1]) for each in inputs)
        # Traced once: a second trace would ask what the contract asks anyway, of other samples.
        return torch.jit.trace(module, example, check_trace=False)


def _exported(job: Job, module: torch.nn.Module, inputs: list[np.ndarray]) -> torch.export.ExportedProgram:
    """The opened program exported again, its first dimension open or not as the options have it."""
    import torch

    most = job.options["batch_max"]
    example = tuple(torch.from_numpy(each[: min(most, 2)]) for each in inputs)  # of one, it would make a constant
    batch = torch.export.Dim("batch", min=1, max=most) if most > 1 else None
    named = [{0: batch} if batch and _is_open(each) else None for each in job.model.inputs]
    try:
        return torch.export.export(module, example, dynamic_shapes=named).run_decompositions({})
    except AssertionError as error:  # the program guards the shapes that it was exported with
        raise SourceFault(
            f"{job.model.source} takes no batch of {len(example[0])} ({str(error).partition(chr(10))[0]}): "
            "export it with an open first dimension, or leave out batch_max"
        ) from error


def _convert(job: Job, captured: Any, inputs: list[np.ndarray], outputs: list[np.ndarray]) -> Any:
    """The MLModel with the spec's names, its inputs of one sample or, where the spec leaves that open, `batch_max`."""
    import coremltools

    most = job.options["batch_max"]
    batch = coremltools.RangeDim(1, most, default=1) if most > 1 else 1
    return coremltools.convert(
        captured,
        inputs=[
            package.end(each.name, array, shape=(batch if _is_open(each) else 1, *array.shape[1:]))
            for each, array in zip(job.model.inputs, inputs, strict=True)
        ],
        outputs=[package.end(each.name, array) for each, array in zip(job.model.outputs, outputs, strict=True)],
        **package.settings(job),
    )


def _is_open(declared: Input) -> bool:
    """Whether the spec names the first dimension rather than fixing it."""
    return isinstance(declared.shape[0], str)


def _in_8_bits(job: Job, module: torch.nn.Module) -> torch.nn.Module:
    """Weights (per channel) and activations in 8 bits, their ranges the extremes over the calibration split.

    The quantizer leaves normalisation where it is, so it is folded into the convolutions before. Its stock
    observers keep a moving average of the ranges, which clips.
    """
    import torch
    from coremltools.optimize.torch.quantization import (
        LinearQuantizer,
        LinearQuantizerConfig,
        ModuleLinearQuantizerConfig,
    )
    from torch.ao.quantization import disable_fake_quant, disable_observer, enable_fake_quant
    from torch.fx.experimental.optimization import fuse

    extremes = ModuleLinearQuantizerConfig(
        activation_observer="min_max", weight_observer="min_max", quantization_scheme="symmetric", milestones=None
    )
    quantizer = LinearQuantizer(fuse(module), LinearQuantizerConfig(global_config=extremes))
    prepared = quantizer.prepare(next(calibration_samples(job)), inplace=True).eval()
    prepared.apply(disable_fake_quant)
    with torch.no_grad():
        for sample in calibration_samples(job):
            prepared(*sample)
    prepared.apply(enable_fake_quant).apply(disable_observer)
    return quantizer.finalize(inplace=True)
