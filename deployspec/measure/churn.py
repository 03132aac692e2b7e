"""Churn: whether a little noise changes the artifact's decisions more often than the reference's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from deployspec.ir.evidence import Churn, PairedOutcomes
from deployspec.ir.model import LABELLED
from deployspec.measure.decisions import decide, finite_rows
from deployspec.measure.quality import measured, outputs_of, tolerated
from deployspec.runners.protocol import Reader, Writer

if TYPE_CHECKING:
    from pathlib import Path

    from deployspec.ir.artifact import Done, Job
    from deployspec.ir.evidence import EvidenceClass, Measurement
    from deployspec.ir.model import Input
    from deployspec.ir.spec import Spec
    from deployspec.measure.quality import Evaluated

_ROWS: Final = 4096


def add_noise(job: Job) -> dict[str, Any]:
    """A step: the split of the role "data" with normal noise, seeded, on every input that is floating point.

    Its standard deviation is `options["noise"]` of the input's spread (maximum - minimum over the split); what leaves
    a declared range is brought back to its end. Integers stay: the number of a token has no size.
    """
    noise = float(job.options["noise"])
    for i, declared in enumerate(job.model.inputs):
        generator = np.random.Generator(np.random.PCG64([job.seed, i]))
        _add_noise(job.inputs["data"] / f"{i}.npy", job.out / f"{i}.npy", noise, declared, generator)
    return {}


def _add_noise(source: Path, out: Path, share: float, declared: Input, generator: np.random.Generator) -> None:
    stored = np.load(source, mmap_mode="r")
    spread = float(stored.max()) - float(stored.min())
    low, high = map(float, declared.range) if declared.range else (-np.inf, np.inf)
    writer = Writer(out, stored)
    for rows in Reader(str(source)).chunks(_ROWS):
        moved = rows.astype(np.float64) + share * spread * generator.standard_normal(rows.shape)
        # A sample that is stored outside the range stays as far outside as it was.
        within = np.clip(moved, np.minimum(low, rows), np.maximum(high, rows))
        writer.add(within.astype(rows.dtype) if rows.dtype.kind == "f" else rows)
    writer.close()


def measure_churn(spec: Spec, target: str, calm: Evaluated, noisy: Evaluated, evidence: EvidenceClass) -> Measurement:
    """The measurement "churn" of one target on one split, from the same runs without noise and with it."""
    return measured(target, "churn", lambda: _churn(spec, calm, noisy), noisy, evidence)


def _churn(spec: Spec, calm: Evaluated, noisy: Evaluated) -> Churn:
    pairs = ((calm.reference, noisy.reference), (calm.artifact, noisy.artifact))
    by_reference, by_artifact = (calm.counting.of(_changed(spec, calm.reference, *pair)) for pair in pairs)
    return Churn(
        outcomes=PairedOutcomes(
            both=int((~by_reference & ~by_artifact).sum()),
            broken=int((~by_reference & by_artifact).sum()),
            repaired=int((by_reference & ~by_artifact).sum()),
            neither=int((by_reference & by_artifact).sum()),
        ),
        noise=spec.churn_noise,
    )


def _changed(spec: Spec, reference: Done, calm: Done, noisy: Done) -> np.ndarray:
    """Whether each sample's decision (n,) is another one; of values, beyond `tolerance` of the reference's spread."""
    before, after = (outputs_of(spec, run) for run in (calm, noisy))
    task = spec.task
    if task is not None and task.task in LABELLED:
        output = spec.model.outputs[spec.scored_index]
        other = decide(before, task, output) != decide(after, task, output)
        return np.asarray(other.reshape(len(other), -1).any(axis=1))
    moved = np.abs(_rows(after) - _rows(before))
    return np.asarray((moved > tolerated(spec, _rows(outputs_of(spec, reference)))).any(axis=1))


def _rows(outputs: Path) -> np.ndarray:
    return np.concatenate(list(finite_rows(outputs)))
