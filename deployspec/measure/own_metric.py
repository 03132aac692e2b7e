"""The step that scores a split by a metric of the project's own: its code runs in a worker, on arrays, once a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from deployspec.errors import StepFailed
from deployspec.measure.evaluate import OUTPUTS_FOLDER
from deployspec.runners.callables import import_file, located, with_article

if TYPE_CHECKING:
    from pathlib import Path

    from deployspec.ir.artifact import Job

SCORES_FILE: Final = "scores.npy"
"""Inside a score step's output: one float64 a sample (n,)."""


class NoScores(StepFailed):
    """The metric gave no scores that could be judged."""


def score(job: Job) -> dict[str, Any]:
    """Call the metric with the scored output (n, …) of a run, and y (n, …); write a score of each sample.

    Options: `source` (`file.py:callable`), `output` (the index of the scored one). Facts: `samples`. Raises NoScores,
    with the line of the project's code or with the sample, for a metric that raises, gives another number of scores
    than there are samples, or one that is no finite number.
    """
    source = job.options["source"]
    outputs = np.load(job.inputs["outputs"] / OUTPUTS_FOLDER / f"{job.options['output']}.npy", mmap_mode="c")
    targets = np.load(job.inputs["data"] / "y.npy", mmap_mode="c")
    file, _, name = source.partition(":")
    path = (job.inputs["metric"] / file).resolve()
    try:
        scores = getattr(import_file(path), name)(outputs, targets)
    except Exception as error:
        raise _refused(source, located(error, path)) from error
    np.save(job.out / SCORES_FILE, _checked(source, scores, len(outputs)))
    return {"samples": len(outputs)}


def read_scores(folder: Path) -> np.ndarray:
    """The scores (n,) that a step left."""
    return np.asarray(np.load(folder / SCORES_FILE))


def _checked(source: str, scores: Any, samples: int) -> np.ndarray:
    try:
        found = np.asarray(scores)
    except ValueError:
        raise _refused(source, "it gave rows of different lengths: give one number for each sample") from None
    if found.dtype.kind not in "fiub":
        raise _refused(source, f"it gave {with_article(scores)}, not numbers: give an array with one for each sample")
    if found.shape != (samples,):
        shape = list(found.shape)
        raise _refused(source, f"it gave scores of shape {shape} for {samples} samples: give one number for each")
    bad = np.flatnonzero(~np.isfinite(found))
    if bad.size:
        raise _refused(source, f"its score of sample {bad[0]} is {found[bad[0]]}, {bad.size} of {samples} are so")
    return found.astype(np.float64)


def _refused(source: str, why: str) -> NoScores:
    return NoScores("score", f"the metric {source} gave no scores: {why}")
