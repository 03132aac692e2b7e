"""Every verdict of a report derived again from its statistics, and held against what the report says."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from itertools import chain
from typing import TYPE_CHECKING

from deployspec.judge import conclude, judge

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from deployspec.ir.report import Report
    from deployspec.ir.verdict import Verdict


def doubts(report: Report, checked_at: datetime) -> Iterator[str]:
    """Why the verdicts do not follow from the statistics, or the result not from the verdicts; nothing where they do.

    Waivers are judged as of the moment of the check.
    """
    try:
        derived = _derived(report, checked_at)
    except (ArithmeticError, MemoryError) as error:
        yield f"no verdict can be derived from its statistics: {type(error).__name__}"
        return
    if _places(report.verdicts) != _places(derived):
        yield "the verdicts are not one for each budget of each target, in order"
        return
    wrong = [each for each, right in zip(report.verdicts, derived, strict=True) if not _agree(each, right)]
    if wrong:
        told = ", ".join(f"{each.target} {each.budget} ({each.verdict.value})" for each in wrong[:5])
        yield f"these do not follow from the recorded statistics: {told}"
    complete = all(target.artifact for target in report.targets)
    # A check may count a warning as a failure.
    results = [conclude(derived, strict=strict, complete=complete) for strict in (False, True)]
    if report.result not in results:
        yield f"the report concludes '{report.result.value}', its verdicts say '{results[0].value}'"


def _derived(report: Report, checked_at: datetime) -> tuple[Verdict, ...]:
    return tuple(
        chain.from_iterable(
            judge(target.name, target.budgets, report.measurements, target.rules, report.waivers, checked_at)
            for target in report.targets
        )
    )


def _places(verdicts: Sequence[Verdict]) -> list[tuple[str, str]]:
    return [(each.target, each.budget) for each in verdicts]


def _agree(recorded: Verdict, derived: Verdict) -> bool:
    """Whether two verdicts say the same; the wording of the reason may differ between versions."""
    same_figures = replace(
        recorded, estimate=derived.estimate, lower=derived.lower, upper=derived.upper, reason=derived.reason
    )
    return (
        same_figures == derived
        and _near(recorded.estimate, derived.estimate)
        and _near(recorded.lower, derived.lower)
        and _near(recorded.upper, derived.upper)
    )


def _near(recorded: Decimal | None, derived: Decimal | None) -> bool:
    """Equal up to one unit in our last decimal, where another build's special functions may round otherwise."""
    if recorded is None or derived is None:
        return recorded is derived
    exponent = derived.as_tuple().exponent
    slack = Decimal(1).scaleb(exponent) if isinstance(exponent, int) and exponent < 0 else Decimal(0)
    return abs(recorded - derived) <= slack
