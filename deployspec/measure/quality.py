"""Quality: decisions of reference and artifact over the same samples, counted into the tables that judge them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from deployspec.ir.budget import CLASSIFIED
from deployspec.ir.evidence import (
    Classified,
    EvidenceClass,
    Measurement,
    NotMeasured,
    PairedOutcomes,
    Share,
    Statistic,
)
from deployspec.measure.decisions import NotFinite, decide, finite_rows, top_five_hits
from deployspec.measure.evaluate import OUTPUTS_FOLDER

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from deployspec.ir.artifact import Done
    from deployspec.ir.spec import Spec


QUALITY_FIGURES: Final = ("quality", "agreement")


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """One split as three steps left it: the prepared data, the reference's outputs and the artifact's."""

    split: str
    data: Done
    reference: Done
    artifact: Done


def measure_quality(spec: Spec, target: str, runs: Evaluated, evidence: EvidenceClass) -> list[Measurement]:
    """The measurements "quality" and "agreement" of one target on one split."""
    statistics = dict(zip(QUALITY_FIGURES, (_quality, _agreement), strict=True))
    return [
        Measurement(
            target=target,
            name=name,
            statistic=_or_reason(count, spec, runs),
            evidence=evidence,
            split=runs.split,
            runtime=runs.artifact.facts["runtime"],
            samples_sha256=runs.artifact.sha256,
        )
        for name, count in statistics.items()
    ]


def _or_reason(count: Callable[[Spec, Evaluated], Statistic], spec: Spec, runs: Evaluated) -> Statistic:
    try:
        return count(spec, runs)
    except NotFinite as error:
        return NotMeasured(reason=str(error))


def _quality(spec: Spec, runs: Evaluated) -> Statistic:
    task = spec.task
    if task is None or task.task not in CLASSIFIED:
        return NotMeasured(reason="this version measures the quality of classification and binary tasks")
    if not task.labels:
        return NotMeasured(reason="the task names no labels")
    if not runs.data.facts["labelled"]:
        return NotMeasured(reason=f"the {runs.split} split has no y")
    truth = np.load(runs.data.folder / "y.npy")
    reference, artifact = _decisions(spec, runs)
    classes = len(task.labels)
    by_five = task.kind == "classification" and classes > 5
    return Classified(
        labels=task.labels,
        confusion=_confusion(truth, artifact, classes),
        reference_confusion=_confusion(truth, reference, classes),
        paired=tuple(_paired(truth == i, reference == truth, artifact == truth) for i in range(classes)),
        rejected=tuple(_paired(truth != i, reference != i, artifact != i) for i in range(classes)),
        top5=top_five_hits(_outputs(spec, runs.artifact), truth) if by_five else None,
    )


def _agreement(spec: Spec, runs: Evaluated) -> Statistic:
    """Equal decisions; without classes, values within `tolerance` of the reference's spread."""
    if spec.task is not None and spec.task.task in CLASSIFIED:
        reference, artifact = _decisions(spec, runs)
        return Share(hits=int((reference == artifact).sum()), n=len(artifact))
    before = np.concatenate(list(finite_rows(_outputs(spec, runs.reference))))
    after = np.concatenate(list(finite_rows(_outputs(spec, runs.artifact))))
    tolerance = float(spec.task.tolerance if spec.task else 0.01) * np.ptp(before, axis=0)
    return Share(hits=int((np.abs(after - before) <= tolerance).all(axis=1).sum()), n=len(after))


def _decisions(spec: Spec, runs: Evaluated) -> tuple[np.ndarray, np.ndarray]:
    assert spec.task is not None
    output = spec.model.outputs[_output_index(spec)]
    reference, artifact = (decide(_outputs(spec, run), spec.task, output) for run in (runs.reference, runs.artifact))
    return reference, artifact


def _output_index(spec: Spec) -> int:
    return [output.name for output in spec.model.outputs].index(spec.scored_output)


def _outputs(spec: Spec, run: Done) -> Path:
    return run.folder / OUTPUTS_FOLDER / f"{_output_index(spec)}.npy"


def _confusion(truth: np.ndarray, decided: np.ndarray, classes: int) -> tuple[tuple[int, ...], ...]:
    counts = np.bincount(truth * classes + decided, minlength=classes * classes).reshape(classes, classes)
    return tuple(tuple(int(cell) for cell in row) for row in counts)


def _paired(members: np.ndarray, before: np.ndarray, after: np.ndarray) -> PairedOutcomes:
    def count(which: np.ndarray) -> int:
        return int((members & which).sum())

    return PairedOutcomes(
        both=count(before & after),
        broken=count(before & ~after),
        repaired=count(~before & after),
        neither=count(~before & ~after),
    )
