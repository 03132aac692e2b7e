"""Opens the torch model that a lowering takes, in evaluation mode: a callable with its weights, a .pt2, TorchScript."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from deployspec.errors import SourceFault
from deployspec.ir.plan import Toolchain

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import torch

    from deployspec.ir.artifact import Job

TORCH: Final = Toolchain(name="torch", distributions=("torch", "safetensors"), extra="torch", preload=("torch",))


def open_module(job: Job) -> torch.nn.Module:
    """The module of the job's role "model", pruned where a pass went before. Raises SourceFault, which tells why."""
    from deployspec.runners.callables import ModelFault
    from deployspec.runners.eager import load_module
    from deployspec.sources.pruned import reopen

    try:
        module = load_module(str(job.inputs["model"]), job.model.source, job.model.weights)
    except ModelFault as error:
        raise SourceFault(f"the model could not be opened: {error}") from error
    return reopen(module, job.inputs["input"]) if "input" in job.inputs else module


def open_program(job: Job) -> torch.export.ExportedProgram:
    """The program of the job's role "model", a .pt2 file. Raises SourceFault when it cannot be opened."""
    from deployspec.runners.callables import ModelFault
    from deployspec.runners.eager import load_program

    try:
        return load_program(job.inputs["model"] / job.model.source)
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

    from deployspec.runners.callables import ModelFault
    from deployspec.runners.eager import torch_run

    run = torch_run(module)
    try:
        rows = [run([array[i : i + 1] for array in inputs]) for i in range(len(inputs[0]))]
    except ModelFault as error:
        raise SourceFault(str(error)) from error
    return [numpy.concatenate(column) for column in zip(*rows, strict=True)]
