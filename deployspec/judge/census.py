"""A census: the value itself is compared, there is nothing to estimate."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from deployspec.ir.evidence import Count, Reduction, Share
from deployspec.ir.verdict import Outcome
from deployspec.judge.decide import decide
from deployspec.judge.figure import Finding, point, ratio
from deployspec.judge.words import quantity, sentence

if TYPE_CHECKING:
    from deployspec.ir.budget import Budget


def judge_census(budget: Budget, statistic: Count | Reduction | Share) -> Finding:
    """The finding for a counted figure; a reduction from nothing, or a share of nothing, is not measured."""
    match statistic:
        case Reduction(before=whole) | Share(n=whole) if not whole:
            return Finding(Outcome.NOT_MEASURED, "there is nothing to compare with: the whole is empty")
        case Count(value=value):
            basis = quantity(value, budget)
        case Reduction(before=before, after=after):
            value = 1 - ratio(after, before)
            basis = f"{quantity(value, budget)}, from {before:,f} to {after:,f}"
        case Share(hits=hits, n=n):
            value = ratio(hits, n)
            basis = f"{hits} of {n}"
    figure = point(value)
    outcome = decide(figure, budget)
    return Finding(outcome, sentence(budget, figure, outcome, basis, Decimal(1)), figure)
