"""What each split can decide at its size, told before any compute: the highest floor, the smallest drop.

It is worked out by judging tables that could still come: all right, and as many wrong as the budget bears. Where the
size of a table is not known beforehand (precision rests on what will be predicted, F1 on false alarms too), the
class's own samples stand in for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import ceil
from typing import TYPE_CHECKING

from deployspec.ir.budget import EvidenceKind, Method
from deployspec.ir.evidence import PairedOutcomes
from deployspec.judge.decide import alpha_of, holds
from deployspec.judge.jaccard import Overlap
from deployspec.judge.multilabel import Macro
from deployspec.judge.paired import Paired, p_value_below
from deployspec.judge.proportions import Proportion
from deployspec.judge.resample import MacroF1, MacroRecall, PrecisionDrop, Resampled
from deployspec.judge.words import limit_text, percent, provable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from decimal import Decimal

    from deployspec.ir.budget import Budget
    from deployspec.ir.data import Support
    from deployspec.ir.evidence import Rules
    from deployspec.judge.quality import Sample


@dataclass(frozen=True, kw_only=True)
class Decidable:
    """What a split can say of one quality budget.

    `n` counts the samples it rests on. `errors` is the largest number of wrong (for a drop: net broken) samples with
    which it still passes, None when even none would be too many, or where a mean over classes gives no single number.
    `best` is the highest floor, or the smallest drop, that a faultless artifact could prove. Where it cannot pass,
    `needed` is about how many samples a faultless artifact would need, None where no number would do. `text` says it.
    """

    budget: str
    split: str
    n: int
    passable: bool
    errors: int | None
    best: Decimal | None
    text: str
    needed: int | None = None


def decidable(budgets: Sequence[Budget], support: Mapping[str, Support], rules: Rules) -> tuple[Decidable, ...]:
    """One entry for each quality budget that is measured and whose split is known, in order. Pure."""
    return tuple(
        _decidable(budget, support[budget.split], rules)
        for budget in budgets
        if budget.split in support and budget.row.needs_split
        and budget.row.kind is EvidenceKind.QUALITY
    )  # fmt: skip


def _decidable(budget: Budget, support: Support, rules: Rules) -> Decidable:
    n = support.n if budget.label is None else support.per_class.get(budget.label, 0)
    if budget.row.method is Method.SCORES:
        return _of_scores(budget, n, rules)
    alpha, least = alpha_of(rules), rules.min_support if budget.label is not None else 1
    if n < least or _lacks_a_class(budget, support):
        needed = None if _lacks_a_class(budget, support) else _needed(budget, max(n, 1), support, rules)
        text = f"{budget.subject}: {n} samples, which decide nothing{_would_do(needed)}"
        return Decidable(
            budget=budget.name, split=budget.split, n=n, passable=False, errors=None, best=None, text=text,
            needed=needed,
        )  # fmt: skip
    faced = partial(_faced, budget, n, support, rules)
    faultless = faced(0).figure(alpha)
    best = faultless.upper if budget.limit.comparator.bounds_above else faultless.lower
    passable = holds(faultless, budget.limit) is True
    single = budget.row.method is not Method.RESAMPLED
    passes = partial(_passes, budget, faced, alpha)
    errors = _most(passes, n) if passable and single else None
    needed = None if passable else _needed(budget, n, support, rules)
    text = _text(budget, n, errors, best, passable=passable, rules=rules)
    return Decidable(
        budget=budget.name, split=budget.split, n=n, passable=passable, errors=errors, best=best,
        text=text + _would_do(needed), needed=needed,
    )  # fmt: skip


def _needed(budget: Budget, n: int, support: Support, rules: Rules) -> int | None:
    """About the smallest number of samples, n or more, with which nothing wrong would prove the limit."""
    alpha, least = alpha_of(rules), rules.min_support if budget.label is not None else 1
    faultless = _faced(budget, n, support, rules, 0)
    figure = faultless.figure(alpha)
    if not budget.limit.holds(figure.estimate):
        return None
    if holds(figure, budget.limit):
        return max(n, least)
    more = None if alpha is None else faultless.needed(budget.limit, alpha)
    return None if more is None else max(n + more, least)


def _would_do(needed: int | None) -> str:
    return "" if needed is None else f"; about {needed:,} would do"


def _lacks_a_class(budget: Budget, support: Support) -> bool:
    """Whether a mean over the classes is asked for of which one has no sample."""
    return budget.row.over_classes and not all(support.per_class.values())


def _of_scores(budget: Budget, n: int, rules: Rules) -> Decidable:
    """How far scores spread is known once they are there; too few of them prove nothing whatever they are."""
    alpha = alpha_of(rules)
    least = 1 if alpha is None else ceil(1 / alpha)
    told = "prove as much as the spread of their scores allows" if n >= least else f"prove nothing, {least} might"
    text = f"{budget.subject}: {n} samples {told}"
    return Decidable(
        budget=budget.name, split=budget.split, n=n, passable=n >= least, errors=None, best=None, text=text,
        needed=least if n < least else None,
    )  # fmt: skip


def _all_right(budget: Budget, n: int) -> Proportion | Overlap:
    return Overlap(n, missed=0, false_alarms=0) if budget.metric == "macro_f1" else Proportion(n, n)


def _passes(budget: Budget, faced: Callable[[int], Sample], alpha: float | None, errors: int) -> bool:
    sample = faced(errors)
    if isinstance(sample, Paired) and alpha is not None:
        return p_value_below(sample, float(budget.limit.limit), exact=sample.exact) <= alpha
    return holds(sample.figure(alpha), budget.limit) is True


def _faced(budget: Budget, n: int, support: Support, rules: Rules, errors: int) -> Sample:
    """The table of an artifact with so many errors, none repaired; the reference makes none of its own."""
    match budget.row.method:
        case Method.PAIRED:
            limit = budget.limit
            return Paired(errors, 0, n, limit=limit.limit, relative=limit.relative, good=budget.inner)
        case Method.JACCARD:
            return Overlap(n - errors, missed=errors, false_alarms=0)
        case Method.RESAMPLED if support.several and budget.label is None:
            return Macro(tuple(_all_right(budget, each) for each in support.per_class.values()), n)
        case Method.RESAMPLED:
            return Resampled(_faultless(budget, n, tuple(support.per_class.values())), rules.seed)
        case _:
            return Proportion(n - errors, n)


def _faultless(budget: Budget, n: int, per_class: tuple[int, ...]) -> MacroF1 | MacroRecall | PrecisionDrop:
    if budget.label is not None:
        nothing = PairedOutcomes(both=0, broken=0, repaired=0, neither=0)
        return PrecisionDrop(PairedOutcomes(both=n, broken=0, repaired=0, neither=0), nothing, budget.limit.relative)
    if budget.metric == "macro_f1":
        rows = range(len(per_class))
        return MacroF1(tuple(tuple(per_class[i] if i == j else 0 for j in rows) for i in rows))
    return MacroRecall(per_class, per_class)


def _most(passes: Callable[[int], bool], n: int) -> int:
    """The largest number of errors that passes; none is known to, and more errors never help."""
    low, high = 0, n + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if passes(middle) else (low, middle)
    return low


def _text(budget: Budget, n: int, errors: int | None, best: Decimal | None, *, passable: bool, rules: Rules) -> str:
    """E.g. "recall of class '3': 50 samples prove 80 % from 45 right; the highest floor is 94.18 %"."""
    is_drop = budget.limit.comparator.bounds_above
    extreme = "the smallest drop" if is_drop else "the highest floor"
    told = "nothing" if best is None else provable(best, budget)
    limit = limit_text(budget.limit)
    if not passable:
        proof = f"do not prove {limit}, even with nothing broken" if is_drop else f"cannot prove {limit}"
    elif errors is None:
        proof = f"can prove {limit}"
    elif is_drop:
        proof = f"prove {limit} with at most {errors} more broken than repaired"
    else:
        proof = f"prove {limit} from {n - errors} right"
    level = "" if rules.confidence is None else f" at {percent(rules.confidence)} confidence"
    return f"{budget.subject}: {n} samples {proof}; {extreme} that they can prove{level} is {told}"
