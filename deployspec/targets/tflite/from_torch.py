"""From a torch module, or an exported program, by litert-torch: functions of a worker's job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    import torch

    from deployspec.ir.artifact import Job

    Axes = list[tuple[int, ...] | None]
    """For each input, the model's axes in the artifact's order, or None where it is the same."""

NCHW_TO_NHWC: Final = (0, 2, 3, 1)


def lower_float32(job: Job) -> dict[str, Any]:
    """Convert the module as it is; batch 1, static shapes."""
    from deployspec.contract import probe_inputs
    from deployspec.sources.torch_module import answers, open_module
    from deployspec.targets.tflite.files import ship

    module, inputs = open_module(job), probe_inputs(job)
    answered = answers(module, inputs)  # first: what is no tensor is told more plainly than converting does
    shipped, axes = _in_layout(job, module, inputs)
    ship(job, _convert(shipped, _example(inputs, axes)), inputs, answered, axes)
    return {}


def _in_layout(job: Job, module: torch.nn.Module, inputs: list[np.ndarray]) -> tuple[torch.nn.Module, Axes]:
    """The module that takes its image inputs in the target's layout, and how the model's axes become its own."""
    import litert_torch

    if job.options["layout"] == "nchw":
        return module, [None] * len(inputs)
    images = [i for i, each in enumerate(inputs) if each.ndim == 4]
    axes: Axes = [NCHW_TO_NHWC if i in images else None for i in range(len(inputs))]
    turned = litert_torch.to_channel_last_io(module, args=images)
    turned.training = False  # as the module in it is; eval() would tell that too, and an exported one cannot be told
    return turned, axes


def _example(inputs: list[np.ndarray], axes: Axes) -> tuple[torch.Tensor, ...]:
    import torch

    samples = [torch.from_numpy(each[:1]) for each in inputs]
    return tuple(
        each if order is None else each.permute(order).contiguous() for each, order in zip(samples, axes, strict=True)
    )


def _convert(module: torch.nn.Module, example: tuple[torch.Tensor, ...]) -> bytes:
    import litert_torch

    from deployspec.targets.tflite.files import prints_to_log

    litert_torch.config.show_progress = False
    with prints_to_log():
        return bytes(litert_torch.convert(module, example).model_content())
