"""Steps that run an artifact, or the reference, in a fresh process: functions of a worker's job.

Samples go through one at a time, as an app runs them: a batch would let dynamic quantization see other ranges.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from deployspec import contract
from deployspec.contract import ContractBroken
from deployspec.errors import SourceFault
from deployspec.lanes.program import ProgramFailed
from deployspec.measure.asking import ask, ask_artifact, split_files, together

if TYPE_CHECKING:
    from deployspec.ir.artifact import Job

OUTPUTS_FOLDER: Final = "outputs"
"""Inside an evaluation's output: `<i>.npy` for the i-th output of the model, one row a sample."""


def evaluate_reference(job: Job) -> dict[str, Any]:
    """Run the eager source, over the split where there is one; facts: runtime, weight_bytes, samples, seconds.

    Raises SourceFault when it cannot be run: without a reference there is nothing to compare with.
    """
    request = {"artifact": "source", "options": job.source, "tasks": [{"task": "describe"}, *_split_tasks(job)]}
    try:
        facts = together(job, ask(job, request, {"source": job.inputs["model"]} | split_files(job)))
    except ProgramFailed as error:
        raise SourceFault(f"the reference, {job.options['source']}, could not be run: {error}") from error
    _refuse_lost_batch(job, facts.get("samples"))
    return facts


def evaluate_artifact(job: Job) -> dict[str, Any]:
    """Reload the artifact, hold its contract, run the split where there is one.

    Facts: runtime, samples, seconds, and under `contract` for each way that the probe was run: batch, difference and
    rms (in units of the output's spread), agreement. Raises ContractBroken when what reloads is not what was made.
    """
    lowered = job.inputs["artifact"]
    probes = {f"probe-{i}.npy": path for i, path in enumerate(contract.probe_files(lowered, "input"))}
    runs = _probe_runs(contract.probe_batch(lowered))
    tasks = [
        {"task": "outputs", "inputs": list(probes), "out": f"out/{folder}", "batch": batch} for folder, batch in runs
    ]
    for folder, _ in runs:
        (job.out / folder).mkdir()
    facts = together(job, ask_artifact(job, [*tasks, *_split_tasks(job)], probes | split_files(job)))
    return facts | {"contract": [_hold_contract(job, folder, batch) for folder, batch in runs]}


def _probe_runs(most: int) -> list[tuple[str, int]]:
    """The probe one sample at a time and, where the artifact takes more, `most` together: folder and batch of each."""
    return [("probe", 1), *([(f"probe-{most}", most)] if most > 1 else [])]


def _refuse_lost_batch(job: Job, rows: int | None) -> None:
    """A model that squeezes its batch of one away gives rows that belong to no sample."""
    if rows is None:
        return
    samples = len(np.load(job.inputs["data"] / "0.npy", mmap_mode="r"))
    if rows != samples:
        raise SourceFault(
            f"the reference, {job.options['source']}, gives {rows} rows for {samples} samples: "
            "each output must keep the batch as its first dimension, (1, …) for one sample"
        )


def _split_tasks(job: Job) -> list[dict[str, Any]]:
    if "data" not in job.inputs:
        return []
    (job.out / OUTPUTS_FOLDER).mkdir()
    return [{"task": "outputs", "inputs": list(split_files(job)), "out": f"out/{OUTPUTS_FOLDER}"}]


def _hold_contract(job: Job, folder: str, batch: int) -> dict[str, Any]:
    """Compare the reloaded artifact's answers in `folder` with those recorded when it was made."""
    expected = [np.load(path) for path in contract.probe_files(job.inputs["artifact"], "output")]
    got = [np.load(path) for path in sorted((job.out / folder).iterdir(), key=lambda path: int(path.stem))]
    outputs, tolerance = job.model.outputs, job.options["tolerance"]
    try:
        worst = contract.compare(expected, got, [each.name for each in outputs], tolerance)
        agreement = contract.agreement(expected, got, outputs, tolerance)
    except ContractBroken as error:
        raise (ContractBroken(f"{batch} samples at a time: {error}") if batch > 1 else error) from error
    return {"batch": batch, "difference": worst, "rms": contract.rms(expected, got), "agreement": agreement}
