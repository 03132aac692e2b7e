"""Opens the torch module that a lowering takes: the spec's callable with its weights, in evaluation mode."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deployspec.errors import SourceFault

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import torch

    from deployspec.ir.artifact import Job


def open_module(job: Job) -> torch.nn.Module:
    """The module of the job's role "model". Raises SourceFault when the callable raises or the weights do not fit."""
    from deployspec.runners.eager import ModelFault, load_module

    try:
        return load_module(str(job.inputs["model"]), job.model.source, job.model.weights)
    except ModelFault as error:
        raise SourceFault(f"the model could not be opened: {error}") from error


def calibration_samples(job: Job) -> Iterator[tuple[torch.Tensor, ...]]:
    """The calibration split in its order, one sample (1, …) per input at a time."""
    import numpy
    import torch

    folder = job.inputs["calibration"]
    stored = [numpy.load(folder / f"{i}.npy", mmap_mode="r") for i in range(len(job.model.inputs))]
    for row in range(len(stored[0])):
        yield tuple(torch.from_numpy(numpy.array(each[row : row + 1])) for each in stored)


def answers(module: torch.nn.Module, inputs: list[np.ndarray]) -> list[np.ndarray]:
    """The module's outputs for `inputs`, one sample at a time, stacked again. Raises SourceFault for no tensors."""
    import numpy

    from deployspec.runners.eager import ModelFault, torch_run

    run = torch_run(module)
    try:
        rows = [run([array[i : i + 1] for array in inputs]) for i in range(len(inputs[0]))]
    except ModelFault as error:
        raise SourceFault(str(error)) from error
    return [numpy.concatenate(column) for column in zip(*rows, strict=True)]
