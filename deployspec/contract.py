"""The contract of every lowering: reloaded from its bytes, the artifact agrees with what made it.

A lowering records, beside the artifact, sample inputs and the outputs of its predecessor (`record`). The
artifact is then run by its runner in a fresh process, and the two sets of outputs are compared (`compare`).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from deployspec.errors import DeploySpecError, ExitCode, SourceFault
from deployspec.ir.artifact import PROBE_FOLDER

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from deployspec.ir.artifact import Job
    from deployspec.ir.spec import Input

PROBE_SAMPLES: Final = 16


class ContractBroken(DeploySpecError):
    """The artifact, reloaded from its bytes, is not what the lowering made."""

    exit_code = ExitCode.BUILD_FAILED


def probe_inputs(job: Job) -> list[np.ndarray]:
    """Up to 16 samples for each input, shaped (n, …): from the calibration split where there is one, else
    drawn, seeded, from the declared `range` (without one: a standard normal, or the integers 0 and 1).
    """
    folder = job.inputs.get("calibration")
    if folder is not None:
        stored = [np.load(folder / f"{i}.npy", mmap_mode="r") for i in range(len(job.model.inputs))]
        return [np.array(each[:PROBE_SAMPLES]) for each in stored]
    generator = np.random.Generator(np.random.PCG64(job.seed))
    return [_draw(generator, declared) for declared in job.model.inputs]


def _draw(generator: np.random.Generator, declared: Input) -> np.ndarray:
    shape = (PROBE_SAMPLES, *(1 if isinstance(size, str) else size for size in declared.shape[1:]))
    if declared.range is not None:
        low, high = declared.range
        drawn = generator.uniform(float(low), float(high), shape)
    elif declared.dtype.startswith(("int", "uint", "bool")):
        drawn = generator.integers(0, 2, shape).astype(np.float64)
    else:
        drawn = generator.standard_normal(shape)
    return drawn.astype(declared.dtype)


def record(
    job: Job,
    inputs: Sequence[np.ndarray],
    outputs: Sequence[np.ndarray],
    *,
    options: dict[str, Any] | None = None,
    axes: Sequence[tuple[int, ...] | None] = (),
) -> None:
    """Keep the predecessor's answers beside the artifact, one row a sample, inputs in the model's layout.

    `options` are for the artifact's runner; `axes` holds, for each input, the order of the model's axes that
    the artifact wants, or None where it is the same. Raises SourceFault when the model gives another number of
    outputs than the spec declares.
    """
    if len(outputs) != len(job.model.outputs):
        raise SourceFault(
            f"the model gives {len(outputs)} outputs and the spec declares {len(job.model.outputs)}: "
            "write one [[model.outputs]] for each, in their order"
        )
    folder = job.out / PROBE_FOLDER
    folder.mkdir()
    for kind, arrays in (("input", inputs), ("output", outputs)):
        for i, array in enumerate(arrays):
            np.save(folder / f"{kind}-{i}.npy", array)
    how = {"options": options or {}, "axes": list(axes) or [None] * len(inputs)}
    (folder / "call.json").write_text(json.dumps(how, sort_keys=True))


def call(lowered: Path) -> dict[str, Any]:
    """How to call the artifact in `lowered`, a lowering's output folder: the job's `options` and `axes`."""
    how: dict[str, Any] = json.loads((lowered / PROBE_FOLDER / "call.json").read_text())
    return how


def probe_files(lowered: Path, kind: str) -> list[Path]:
    """The recorded .npy files, `kind` "input" or "output", in the model's order."""
    return sorted((lowered / PROBE_FOLDER).glob(f"{kind}-*.npy"), key=lambda path: int(path.stem.split("-")[1]))


def compare(expected: Sequence[np.ndarray], got: Sequence[np.ndarray], names: Sequence[str], tolerance: float) -> float:
    """The largest difference in units of the expected outputs' spread (maximum - minimum), over all outputs.

    Raises ContractBroken when an output is missing, has another shape or dtype, is not finite, or differs
    by more than `tolerance`.
    """
    if len(expected) != len(got):
        raise ContractBroken(f"reloaded, it gives {len(got)} outputs where {len(expected)} were made")
    worst = 0.0
    for name, before, after in zip(names, expected, got, strict=True):
        if before.shape != after.shape or before.dtype != after.dtype:
            was, now = (f"{each.dtype}{list(each.shape)}" for each in (before, after))
            raise ContractBroken(f"output '{name}' was {was} and reloads as {now}")
        worst = max(worst, _difference(name, before.astype(np.float64), after.astype(np.float64)))
    if worst > tolerance:
        raise ContractBroken(
            f"reloaded from its bytes, it differs by {worst:.3g} of the output's spread from what made it "
            f"(at most {tolerance:g} is accepted)"
        )
    return worst


def _difference(name: str, before: np.ndarray, after: np.ndarray) -> float:
    for values, when in ((before, "before it is saved"), (after, "once the artifact is reloaded")):
        if not np.isfinite(values).all():
            raise ContractBroken(f"output '{name}' has NaN or Inf {when}")
    spread = float(np.ptp(before)) if before.size else 0.0
    largest = float(np.abs(before - after).max(initial=0.0))
    return largest / spread if spread else (0.0 if largest == 0.0 else float("inf"))
