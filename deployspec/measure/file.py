"""A model file as something to time, without a spec: arrays for one call, and how its runner loads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from deployspec import contract
from deployspec.digests import sha256_path
from deployspec.errors import DataFault, UsageError
from deployspec.ir.artifact import Job
from deployspec.ir.model import Input, Model
from deployspec.measure.timing import Timed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from deployspec.ir.plan import Runner
    from deployspec.ir.structure import End, Structure


@dataclass(frozen=True, kw_only=True)
class File:
    """A file, what its inspector told of it, and the runner of its format.

    `engine` names the kernels of a quantized torch file, which itself does not say what it was made for.
    """

    path: Path
    structure: Structure
    runner: Runner
    engine: str = "qnnpack"

    @property
    def options(self) -> dict[str, Any]:
        """How the runner finds the ends: by the file's own names; a file without any is called by position."""
        ends = {"inputs": self.structure.inputs, "outputs": self.structure.outputs}
        names = {kind: [end.name for end in found if end.name] for kind, found in ends.items()}
        return {**names, "engine": self.engine}


def drawn(structure: Structure, seed: int = 0) -> dict[str, np.ndarray]:
    """The arrays of one call, by name or by number: a standard normal, or the integers 0 and 1; open sizes are 1.

    Raises UsageError for an input whose shape or type is not known.
    """
    generator = np.random.Generator(np.random.PCG64(seed))
    return {key: _draw(generator, key, end) for key, end in _keys(structure).items()}


def held(structure: Structure, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The given arrays in the file's order. Raises DataFault where they are not what its inputs take."""
    wanted = _keys(structure)
    if missing := wanted.keys() - arrays.keys():
        raise DataFault(f"no array for the input '{min(missing)}': there are {', '.join(arrays) or 'none'}")
    if foreign := arrays.keys() - wanted.keys():
        raise DataFault(f"the model has no input '{min(foreign)}': it takes {', '.join(wanted)}")
    for key, end in wanted.items():
        if not _fits(end, arrays[key]):
            shape = "x".join("?" if size < 0 else str(size) for size in end.shape or ())
            given = "x".join(map(str, arrays[key].shape)) or "scalar"
            raise DataFault(
                f"the input '{key}' takes {shape} of {end.dtype}, and {given} of {arrays[key].dtype} is given"
            )
    return {key: arrays[key] for key in wanted}


def timed_file(
    file: File, arrays: Mapping[str, np.ndarray], folder: Path, *, baseline: File | None = None, **protocol: Any
) -> Timed:
    """What to time, its probe written into `folder`, which is there and empty. Raises UsageError for a scalar.

    `protocol` are the fields of `Timed` that say how.
    """
    if scalars := [key for key, array in arrays.items() if array.ndim == 0]:
        raise UsageError(f"the input '{scalars[0]}' is a scalar, and what is timed takes arrays")
    model = Model(
        name=file.path.name,
        source=file.path.name,
        inputs=tuple(Input(name=key, shape=array.shape) for key, array in arrays.items()),
        outputs=(),
    )
    contract.record(
        Job(inputs={}, out=folder, options={}, model=model), list(arrays.values()), [], options=file.options
    )
    return Timed(
        target=file.path.name,
        lowered=folder,
        runner=file.runner,
        artifact=file.path,
        digest=sha256_path(file.path),
        inputs=contract.probe_files(folder, "input"),
        rows=max(len(array) for array in arrays.values()),
        baseline=baseline.path if baseline else None,
        baseline_options=baseline.options if baseline else None,
        **protocol,
    )


def _keys(structure: Structure) -> dict[str, End]:
    return {end.name or str(i): end for i, end in enumerate(structure.inputs)}


def _draw(generator: np.random.Generator, key: str, end: End) -> np.ndarray:
    if end.shape is None:
        example = f"--input {end.name or 'x'}=1x3x224x224"
        raise UsageError(f"the file does not keep the shape of its input '{key}': give it, as in {example}")
    shape = tuple(1 if size < 0 else size for size in end.shape)
    try:
        dtype = np.dtype(end.dtype)
    except TypeError:
        raise UsageError(f"numpy has no type for the input '{key}', {end.dtype}: nothing can be drawn for it") from None
    values = generator.standard_normal(shape) if dtype.kind == "f" else generator.integers(0, 2, shape)
    return np.asarray(values, dtype)


def _fits(end: End, array: np.ndarray) -> bool:
    if end.shape is None:
        return True
    sizes = zip(end.shape, array.shape, strict=False)
    return (
        len(end.shape) == array.ndim
        and all(size < 0 or size == given for size, given in sizes)
        and end.dtype in ("", str(array.dtype))
    )
