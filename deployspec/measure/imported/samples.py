"""Whether figures from elsewhere are of those samples of a split that count here, and of no others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from deployspec.ir.artifact import Done
from deployspec.measure.hygiene.figures import ways_of_counting
from deployspec.measure.hygiene.leakage import LEAKED_FILE

SHOWN_CLASSES: Final = 10

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from deployspec.ir.artifact import StepResult
    from deployspec.ir.evidence_file import Quality, Run
    from deployspec.ir.plan import Plan
    from deployspec.measure.counting import Counting
    from deployspec.measure.imported.contradictions import Fault


def miscounts(run: Run, plan: Plan, results: Mapping[str, StepResult], labels: Sequence[str] = ()) -> Iterator[Fault]:
    """Every table of the run whose samples are not as many, or not of the classes, as those that count in its split.

    `labels` are the task's, in the order of the classes. Of a split that was not prepared, nothing is known.
    """
    miscounted = set()
    for at, split, n in _tables(run):
        data = results.get(f"data.{split}")
        if isinstance(data, Done) and (what := _miscount(n, data, split, plan, results)):
            miscounted.add(at)
            yield at, what
    for i, table in enumerate(run.quality):
        at, data = f"/quality/{i}", results.get(f"data.{table.split}")
        if at not in miscounted and isinstance(data, Done):
            counting, *_ = ways_of_counting(plan, results, table.split)
            yield from ((f"{at}/confusion", what) for what in _misclassed(table, data, counting, labels))


def _misclassed(table: Quality, data: Done, counting: Counting, labels: Sequence[str]) -> Iterator[str]:
    """What is wrong with the rows of a table whose samples are of other classes than those that count."""
    if not (labels and data.facts.get("labelled")):
        return
    truth = np.load(data.folder / "y.npy")
    if truth.ndim != 1:  # its samples may have several labels
        return
    counts = np.bincount(counting.of(truth), minlength=len(labels))
    counted = dict(zip(labels, counts.tolist(), strict=True))
    found = {label: sum(row) for label, row in zip(table.labels, table.confusion, strict=True)}
    if wrong := [label for label in labels if found[label] != counted[label]]:
        told = ", ".join(f"{label!r} {found[label]} instead of {counted[label]}" for label in wrong[:SHOWN_CLASSES])
        more = f" and {len(wrong) - SHOWN_CLASSES} more classes" if len(wrong) > SHOWN_CLASSES else ""
        yield (
            f"its samples are of other classes than those that count in the {table.split} split: {told}{more}: "
            "measure on these samples with these labels"
        )


def _tables(run: Run) -> Iterator[tuple[str, str, int]]:
    """Where each table stands in the run, of which split it is, and of how many samples."""
    for i, table in enumerate(run.quality):
        yield f"/quality/{i}", table.split, sum(map(sum, table.confusion))
    for i, joint in enumerate(run.outcomes):
        yield f"/outcomes/{i}", joint.split, joint.both + joint.broken + joint.repaired + joint.neither
    for i, agreement in enumerate(run.agreement):
        yield f"/agreement/{i}", agreement.split, agreement.n


def _miscount(n: int, data: Done, split: str, plan: Plan, results: Mapping[str, StepResult]) -> str:
    """What is wrong with a figure of n samples, empty for nothing."""
    counting, *_ = ways_of_counting(plan, results, split)
    if counting.refused:
        return f"{counting.refused}: leave this out, as no figure of the {split} split counts"
    whole, leaked = data.facts["samples"], counting.excluded
    if n == whole - leaked:
        return ""
    if not leaked:
        return f"it is of {n} samples, and the {split} split has {whole}: measure on all of these, and on no others"
    rows = f"{leaked} of its {whole} leaked, whose rows are in {_step(plan, results, split).folder / LEAKED_FILE}"
    return f"it is of {n} samples, and {whole - leaked} of the {split} split count ({rows}): measure on these only"


def _step(plan: Plan, results: Mapping[str, StepResult], split: str) -> Done:
    examined = results[dict(plan.hygiene)[split]]
    assert isinstance(examined, Done), "its leaks are known"
    return examined
