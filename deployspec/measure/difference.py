"""The largest difference of an artifact's outputs over a split: shown beside the agreement, never judged."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from deployspec.ir.evidence import Count, Measurement, NotMeasured, Statistic
from deployspec.measure.decisions import NotFinite, finite_rows
from deployspec.measure.evaluate import OUTPUTS_FOLDER

if TYPE_CHECKING:
    from pathlib import Path

    from deployspec.ir.artifact import Done
    from deployspec.ir.evidence import EvidenceClass


def measure_difference(
    target: str, split: str, reference: Done, artifact: Done, evidence: EvidenceClass
) -> Measurement:
    """The measurement "difference": over all outputs the largest, in units of the reference's spread (max - min)."""
    return Measurement(
        target=target,
        name="difference",
        statistic=_largest(reference.folder / OUTPUTS_FOLDER, artifact.folder / OUTPUTS_FOLDER),
        evidence=evidence,
        split=split,
        runtime=artifact.facts["runtime"],
        samples_sha256=artifact.sha256,
    )


def _largest(expected: Path, got: Path) -> Statistic:
    try:
        worst = max(_in_spreads(each, got / each.name) for each in expected.iterdir())
    except NotFinite as error:
        return NotMeasured(reason=str(error))
    if not np.isfinite(worst):
        return NotMeasured(reason="the reference's output never varies, so that there is no spread to compare with")
    return Count(value=Decimal(f"{worst:.6g}"))


def _in_spreads(expected: Path, got: Path) -> float:
    low, high, worst = np.inf, -np.inf, 0.0
    for before, after in zip(finite_rows(expected), finite_rows(got), strict=True):
        low, high = min(low, before.min()), max(high, before.max())
        worst = max(worst, float(np.abs(after - before).max()))
    return float(worst / (high - low)) if high > low else (0.0 if worst == 0 else np.inf)
