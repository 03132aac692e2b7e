"""Which of a report's measurements a verdict is on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deployspec.ir.evidence import Measurement
    from deployspec.ir.verdict import Verdict


def decisive(measurements: Iterable[Measurement], verdict: Verdict) -> list[Measurement]:
    """Those of the verdict's target and class of evidence; of several ways of counting the plain one first."""
    of_class = (each for each in measurements if (each.target, each.evidence) == (verdict.target, verdict.evidence))
    return sorted(of_class, key=lambda each: bool(each.variant))
