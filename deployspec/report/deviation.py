"""How far an artifact's answers lie from those of what made it, and how far they might, in words."""

from __future__ import annotations

from decimal import ROUND_CEILING
from typing import TYPE_CHECKING

from deployspec.ir.evidence import Count
from deployspec.units import Scale

if TYPE_CHECKING:
    from decimal import Decimal

    from deployspec.ir.report import Contract, Report, TargetReport


def deviation(report: Report, target: TargetReport) -> str:
    """Of a target's steps that held an artifact, the one that found the largest difference; empty without such.

    The differences from the reference over whole splits stand beside it, where they were measured.
    """
    told = [step.contract for step in report.steps if step.id in target.steps and step.contract]
    found = {each.difference: each for each in told if each.difference is not None}
    if not found:
        return ""
    splits = ", ".join(f"{_most(most)} on the {split} split" for split, most in _on_splits(report, target).items())
    return in_words(found[max(found)]) + (f"; from the reference's by at most {splits}" if splits else "")


def in_words(contract: Contract) -> str:
    """How far the answers to the contract's probe, a few samples, lie from those of the source, or only may."""
    allowed, found = contract.tolerance, contract.difference
    if found is None:
        return f"answers held to those of its source, {allowed:f} of their spread allowed"
    return (
        f"on the probe's samples answers differ from those of its source by at most {_most(found)} of their spread, "
        f"{allowed:f} allowed"
    )


def _on_splits(report: Report, target: TargetReport) -> dict[str, Decimal]:
    """Of each split that the check itself ran the artifact on, the largest difference in any arithmetic."""
    largest: dict[str, Decimal] = {}
    for each in report.measurements:
        of_target = (each.target, each.name, each.source, each.variant) == (target.name, "difference", "", "")
        if of_target and isinstance(each.statistic, Count):
            largest[each.split] = max(largest.get(each.split, each.statistic.value), each.statistic.value)
    return largest


def _most(difference: Decimal) -> str:
    return Scale("").number(difference, ROUND_CEILING)
