"""How far an artifact's answers lie from those of what made it, and how far they might, in words."""

from __future__ import annotations

from decimal import ROUND_CEILING
from typing import TYPE_CHECKING

from deployspec.report.figures import Scale

if TYPE_CHECKING:
    from deployspec.ir.report import Contract, Report, TargetReport


def deviation(report: Report, target: TargetReport) -> str:
    """Of a target's steps that held an artifact, the one that found the largest difference; empty without such."""
    told = [step.contract for step in report.steps if step.id in target.steps and step.contract]
    found = {each.difference: each for each in told if each.difference is not None}
    return in_words(found[max(found)]) if found else ""


def in_words(contract: Contract) -> str:
    """`differs by at most 0.0213 of the output's spread, 0.1 allowed`; where nothing was found, what was allowed."""
    allowed, found = contract.tolerance, contract.difference
    if found is None:
        return f"held to {allowed:f} of the output's spread"
    return f"differs by at most {Scale('').number(found, ROUND_CEILING)} of the output's spread, {allowed:f} allowed"
