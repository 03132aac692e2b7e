"""Whether figures from elsewhere are of those samples of a split that count here, and of no others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deployspec.ir.artifact import Done
from deployspec.measure.hygiene.figures import ways_of_counting
from deployspec.measure.hygiene.leakage import LEAKED_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from deployspec.ir.artifact import StepResult
    from deployspec.ir.evidence_file import Run
    from deployspec.ir.plan import Plan
    from deployspec.measure.imported.contradictions import Fault


def miscounts(run: Run, plan: Plan, results: Mapping[str, StepResult]) -> Iterator[Fault]:
    """Every table of the run whose number of samples is not that of the samples which count in its split.

    Of a split that was not prepared, nothing is known.
    """
    for at, split, n in _tables(run):
        data = results.get(f"data.{split}")
        if isinstance(data, Done) and (what := _miscount(n, data, split, plan, results)):
            yield at, what


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
