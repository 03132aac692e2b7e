"""What every way to a .tflite ends with: its ends named, the file written, its predecessor's answers kept."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np

    from deployspec.ir.artifact import Job


def ship(
    job: Job,
    content: bytes,
    inputs: list[np.ndarray],
    outputs: list[np.ndarray],
    axes: Sequence[tuple[int, ...] | None] = (),
) -> None:
    """Name the ends of `content`, write it as the artifact, and record `outputs` as the answers to agree with."""
    from deployspec.contract import record
    from deployspec.targets.tflite.boundary import name_ends

    names = job.model.ends
    write(job, name_ends(content, names["inputs"], names["outputs"]))
    record(job, inputs, outputs, options=names, axes=axes)


def write(job: Job, named: bytes) -> None:
    """Write the artifact, its ends float32 unless the options ask for the integers that a converter left there."""
    from deployspec.targets.tflite.boundary import float_ends

    finished = named if job.options.get("io") == "int8" else float_ends(named)
    (job.artifact / f"{job.model.name}.tflite").write_bytes(finished)


@contextlib.contextmanager
def prints_to_log() -> Iterator[None]:
    """The converters print to standard output; it belongs to the step's log."""
    with contextlib.redirect_stdout(sys.stderr):
        yield
