"""The contract of every lowering: reloaded from its bytes, the artifact agrees with what made it.

A lowering records, beside the artifact, sample inputs and the outputs of its predecessor (`record`). The
artifact is then run by its runner in a fresh process, and the two sets of outputs are compared (`compare`).

The predecessor of a quantized artifact is the model in floating point, never the converter's own quantized model:
a calibration that clips spoils both alike, and between them all would be well. `deployspec.ir.tolerance` says how
far each scheme may be from it.
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
    from deployspec.ir.model import Input, Output

PROBE_SAMPLES: Final = 16
PROBE_BYTES: Final = 4 << 20
"""Of large inputs fewer samples make a probe: answering them would take a converter's time again."""
LEAST_SAMPLES: Final = 4


class ContractBroken(DeploySpecError):
    """The artifact, reloaded from its bytes, is not what the lowering made."""

    exit_code = ExitCode.BUILD_FAILED


def probe_inputs(job: Job) -> list[np.ndarray]:
    """Up to 16 samples for each input, shaped (n, …), fewer of large ones: from the calibration split where there is
    one, else drawn, seeded, from the declared `range` (without one: a standard normal, or the integers 0 and 1).
    """
    drawn = _samples(job)
    sample_bytes = sum(each[:1].nbytes for each in drawn)
    count = max(LEAST_SAMPLES, min(PROBE_SAMPLES, PROBE_BYTES // max(1, sample_bytes)))
    return [np.array(each[:count]) for each in drawn]


def _samples(job: Job) -> list[np.ndarray]:
    folder = job.inputs.get("calibration")
    if folder is not None:
        return [np.load(folder / f"{i}.npy", mmap_mode="r") for i in range(len(job.model.inputs))]
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
    batch: int = 1,
) -> None:
    """Keep the predecessor's answers beside the artifact, one row a sample, inputs in the model's layout.

    `options` are for the artifact's runner; `axes` holds, for each input, the order of the model's axes that
    the artifact wants, or None where it is the same. `batch` is the most samples that the artifact takes together:
    above 1 the probe is run in such batches too. Raises SourceFault when the model gives another number of outputs
    than the spec declares.
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
    how = {"options": options or {}, "axes": list(axes) or [None] * len(inputs), "batch": batch}
    (folder / "call.json").write_text(json.dumps(how, sort_keys=True))


def call(lowered: Path) -> dict[str, Any]:
    """How to call the artifact in `lowered`, a lowering's output folder: the job's `options` and `axes`."""
    how = _recorded(lowered)
    return {"options": how["options"], "axes": how["axes"]}


def probe_batch(lowered: Path) -> int:
    """The most samples that the artifact in `lowered` takes together."""
    batch: int = _recorded(lowered)["batch"]
    return batch


def _recorded(lowered: Path) -> dict[str, Any]:
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
    for name, before, after in zip(names, expected, got, strict=True):
        _hold_form(name, before, after)
    pairs = zip(expected, got, strict=True)
    worst = max(_in_spreads(before, _error(before, after).max()) for before, after in pairs)
    if worst > tolerance:
        raise ContractBroken(
            f"reloaded from its bytes, it differs by {worst:.3g} of the output's spread from what made it "
            f"(at most {tolerance:g} is accepted)"
        )
    return worst


def rms(expected: Sequence[np.ndarray], got: Sequence[np.ndarray]) -> float:
    """The root mean square of the difference, in units of the expected output's spread; the worst of the outputs."""
    pairs = zip(expected, got, strict=True)
    return max(_in_spreads(before, np.sqrt(np.square(_error(before, after)).mean())) for before, after in pairs)


def agreement(
    expected: Sequence[np.ndarray], got: Sequence[np.ndarray], outputs: Sequence[Output], tolerance: float
) -> float | None:
    """The share of equal decisions, of the worst output; None where `outputs` declares values only.

    Raises ContractBroken for another decision where the expected one was made by a margin of more than `tolerance`
    of the output's spread: such a one is no matter of rounding.
    """
    shares = [
        _agreement(declared, before, after, tolerance)
        for declared, before, after in zip(outputs, expected, got, strict=True)
        if declared.kind != "values"
    ]
    return min(shares, default=None)


def _agreement(declared: Output, before: np.ndarray, after: np.ndarray, tolerance: float) -> float:
    decided, margin = _decisions(declared, before.astype(np.float64))
    again, _ = _decisions(declared, after.astype(np.float64))
    clear = margin > tolerance * np.ptp(before.astype(np.float64))
    changed = int((clear & (decided != again)).sum())
    if changed:
        raise ContractBroken(
            f"output '{declared.name}' decides otherwise {changed} of {int(clear.sum())} times where what made it "
            f"decides by more than {tolerance:g} of the output's spread"
        )
    return float((decided == again).mean())


def _decisions(declared: Output, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Decisions and the margins by which they are made: between the two largest of the second axis, or, where there
    is one column, between it and the middle.
    """
    if values.ndim > 1 and values.shape[1] > 1:
        two = np.partition(values, -2, axis=1)[:, -2:]
        return values.argmax(axis=1), two[:, 1] - two[:, 0]
    middle = 0.5 if declared.kind == "probabilities" else 0.0
    return values >= middle, np.abs(values - middle)


def _hold_form(name: str, before: np.ndarray, after: np.ndarray) -> None:
    if not before.size:
        raise ContractBroken(f"output '{name}' is empty: nothing can be compared")
    if before.shape != after.shape or before.dtype != after.dtype:
        was, now = (f"{each.dtype}{list(each.shape)}" for each in (before, after))
        raise ContractBroken(f"output '{name}' was {was} and reloads as {now}")
    for values, when in ((before, "before it is saved"), (after, "once the artifact is reloaded")):
        if not np.isfinite(values).all():
            raise ContractBroken(f"output '{name}' has NaN or Inf {when}")


def _error(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    return np.abs(before.astype(np.float64) - after.astype(np.float64))


def _in_spreads(before: np.ndarray, error: float) -> float:
    spread = float(np.ptp(before.astype(np.float64)))
    return float(error) / spread if spread else (0.0 if error == 0.0 else float("inf"))
