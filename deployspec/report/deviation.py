"""How far an artifact's answers lie from those of what made it, and how far they might, in words."""

from __future__ import annotations

from decimal import ROUND_CEILING
from typing import TYPE_CHECKING

from deployspec.units import Scale

if TYPE_CHECKING:
    from deployspec.ir.report import Contract, Report, TargetReport


def deviation(report: Report, target: TargetReport) -> str:
    """Of a target's steps that held an artifact, the one that found the largest difference; empty without such."""
    told = [step.contract for step in report.steps if step.id in target.steps and step.contract]
    found = {each.difference: each for each in told if each.difference is not None}
    return in_words(found[max(found)]) if found else ""


def in_words(contract: Contract) -> str:
    """`answers differ from those of its source by at most 0.0213 of their spread, 0.1 allowed`, or the latter alone."""
    allowed, found = contract.tolerance, contract.difference
    if found is None:
        return f"answers held to those of its source, {allowed:f} of their spread allowed"
    most = Scale("").number(found, ROUND_CEILING)
    return f"answers differ from those of its source by at most {most} of their spread, {allowed:f} allowed"
