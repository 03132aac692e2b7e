"""Stability: every promise kept on every input that was tried. A census of calls, with nothing to estimate."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from deployspec.ir.evidence import Promise
from deployspec.ir.verdict import Outcome
from deployspec.judge.decide import decide
from deployspec.judge.figure import Finding, point

if TYPE_CHECKING:
    from deployspec.ir.budget import Budget
    from deployspec.ir.evidence import Stability

_BROKEN: Final = {
    Promise.ANSWERS: "it does not answer",
    Promise.FINITE: "it answers with NaN or Inf",
    Promise.FORM: "it answers in another shape or dtype",
    Promise.REPEATS: "it answers otherwise when it is asked again",
    Promise.PROCESSES: "it answers otherwise in another process",
}


def judge_stability(budget: Budget, seen: Stability) -> Finding:
    """Broken where one promise is; kept where each of them was held against a call and none was broken."""
    broken = [check for check in seen.checks if check.broken]
    untried = sorted(set(Promise) - {check.promise for check in seen.checks if check.calls})
    if untried and not broken:
        return Finding(Outcome.NOT_MEASURED, f"{budget.subject}: no call tested '{untried[0]}'")
    figure = point(Decimal(not broken))
    told = [f"{_BROKEN[each.promise]} in {each.broken} of {each.calls} calls, first: {each.first}" for each in broken]
    reason = "; ".join(told) if broken else _kept(seen)
    return Finding(decide(figure, budget), f"{budget.subject}: {reason}", figure)


def _kept(seen: Stability) -> str:
    most = max(seen.batches)
    batches = f", in batches of up to {most}" if most > 1 else ""
    return f"{len(seen.inputs)} inputs from all over the legal range{batches}: finite, of one form, and the same again"
