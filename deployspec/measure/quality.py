"""Quality: decisions of reference and artifact over the same samples, counted into the tables that judge them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from deployspec.ir.evidence import (
    Classified,
    EvidenceClass,
    Measurement,
    Multilabel,
    NotMeasured,
    PairedOutcomes,
    Share,
    Statistic,
)
from deployspec.ir.model import LABELLED, Task
from deployspec.measure.counting import EVERY_ROW, Counting
from deployspec.measure.decisions import NotFinite, among_five, decide, finite_rows
from deployspec.measure.evaluate import OUTPUTS_FOLDER

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from deployspec.ir.artifact import Done
    from deployspec.ir.spec import Spec, TaskTable


QUALITY_FIGURES: Final = ("quality", "agreement")


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """One split as three steps left it: the prepared data, the reference's outputs and the artifact's.

    Figures count those of its rows that `counting` says.
    """

    split: str
    data: Done
    reference: Done
    artifact: Done
    counting: Counting = EVERY_ROW


def measure_quality(spec: Spec, target: str, runs: Evaluated, evidence: EvidenceClass) -> list[Measurement]:
    """The measurements "quality" and "agreement" of one target on one split."""
    counts = (partial(count, spec, runs) for count in (_quality, _agreement))
    return [measured(target, name, count, runs, evidence) for name, count in zip(QUALITY_FIGURES, counts, strict=True)]


def measured(
    target: str, name: str, count: Callable[[], Statistic], runs: Evaluated, evidence: EvidenceClass
) -> Measurement:
    """The measurement of what `count` gives, or of the reason why there is nothing to count."""
    return Measurement(
        target=target,
        name=name,
        statistic=_or_reason(count, runs),
        evidence=evidence,
        split=runs.split,
        runtime=runs.artifact.facts["runtime"],
        samples_sha256=runs.artifact.sha256,
        variant=runs.counting.variant,
    )


def _or_reason(count: Callable[[], Statistic], runs: Evaluated) -> Statistic:
    if runs.counting.refused:
        return NotMeasured(reason=runs.counting.refused)
    try:
        return count()
    except NotFinite as error:
        return NotMeasured(reason=str(error))


def _quality(spec: Spec, runs: Evaluated) -> Statistic:
    task = spec.task
    if task is None or task.task not in LABELLED:
        return NotMeasured(reason="without classes there are no decisions to count")
    if not task.labels:
        return NotMeasured(reason="the task names no labels")
    if not runs.data.facts["labelled"]:
        return NotMeasured(reason=f"the {runs.split} split has no y")
    labels = np.load(runs.data.folder / "y.npy")
    if task.task is Task.MULTILABEL:
        return _multilabel(spec, task.labels, runs, labels == 1)
    return _classified(spec, task, runs, labels)


def _multilabel(spec: Spec, labels: tuple[str, ...], runs: Evaluated, there: np.ndarray) -> Multilabel:
    """The tables of decisions; `there` (n, labels) tells which labels each sample has."""
    truth = runs.counting.of(there)
    reference, artifact = _decisions(spec, runs)
    columns = range(len(labels))
    return Multilabel(
        labels=labels,
        inside=tuple(_paired(truth[:, i], reference[:, i], artifact[:, i]) for i in columns),
        outside=tuple(_paired(~truth[:, i], ~reference[:, i], ~artifact[:, i]) for i in columns),
        excluded=runs.counting.excluded,
    )


def _classified(spec: Spec, task: TaskTable, runs: Evaluated, labels: np.ndarray) -> Classified:
    truth = runs.counting.of(labels)
    reference, artifact = _decisions(spec, runs)
    classes = len(task.labels)
    by_five = task.kind == "classification" and classes > 5
    return Classified(
        labels=task.labels,
        confusion=_confusion(truth, artifact, classes),
        reference_confusion=_confusion(truth, reference, classes),
        paired=tuple(_paired(truth == i, reference == truth, artifact == truth) for i in range(classes)),
        rejected=tuple(_paired(truth != i, reference != i, artifact != i) for i in range(classes)),
        top5=int(runs.counting.of(among_five(outputs_of(spec, runs.artifact), labels)).sum()) if by_five else None,
        excluded=runs.counting.excluded,
    )


def _agreement(spec: Spec, runs: Evaluated) -> Statistic:
    """Equal decisions, of several labels all; without classes, values within `tolerance` of the reference's spread."""
    if spec.task is not None and spec.task.task in LABELLED:
        reference, artifact = _decisions(spec, runs)
        same = (reference == artifact).reshape(len(artifact), -1).all(axis=1)
        return Share(hits=int(same.sum()), n=len(artifact))
    before = runs.counting.of(np.concatenate(list(finite_rows(outputs_of(spec, runs.reference)))))
    after = runs.counting.of(np.concatenate(list(finite_rows(outputs_of(spec, runs.artifact)))))
    return Share(hits=int((np.abs(after - before) <= tolerated(spec, before)).all(axis=1).sum()), n=len(after))


def tolerated(spec: Spec, reference: np.ndarray) -> np.ndarray:
    """How far apart values of each column may be that still agree: `tolerance` of the reference's spread."""
    return np.asarray(spec.tolerance * np.ptp(reference, axis=0))


def _decisions(spec: Spec, runs: Evaluated) -> tuple[np.ndarray, np.ndarray]:
    assert spec.task is not None
    output = spec.model.outputs[spec.scored_index]
    reference, artifact = (decide(outputs_of(spec, run), spec.task, output) for run in (runs.reference, runs.artifact))
    return runs.counting.of(reference), runs.counting.of(artifact)


def outputs_of(spec: Spec, run: Done) -> Path:
    """The file of a run's outputs that are scored, a row a sample."""
    return run.folder / OUTPUTS_FOLDER / f"{spec.scored_index}.npy"


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
