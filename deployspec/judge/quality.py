"""Quality budgets: which cells of the tables a figure rests on, and the finding that follows from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from deployspec.ir.evidence import Churn, Classified, Joint, Multilabel, NotMeasured, PairedOutcomes, Scores, Share
from deployspec.ir.verdict import Outcome
from deployspec.judge import multilabel, scores
from deployspec.judge.churn import Changed
from deployspec.judge.decide import alpha_of, decide
from deployspec.judge.figure import Finding
from deployspec.judge.paired import paired_drop
from deployspec.judge.per_class import Cells, drop, of_class
from deployspec.judge.proportions import Proportion
from deployspec.judge.resample import MacroF1, MacroRecall, Resampled
from deployspec.judge.words import sentence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deployspec.ir.budget import Budget
    from deployspec.ir.evidence import Rules
    from deployspec.judge.figure import Figure
    from deployspec.units import Bound

Judged = Classified | Joint | Multilabel | Scores | Share | Churn
"""The statistics that quality is judged from."""

_CALLED: Final = {
    "precision": "called '{}'",
    "precision_drop": "called '{}' by either model",
    "f1": "that are '{}' or called so",
}
"""Which samples count, where these are not all of the split or of the class."""

_KEPT: Final = "samples that at least one gets right"
"""Which samples count for a drop relative to the reference."""


class Sample(Protocol):
    """What one quality figure rests on."""

    @property
    def basis(self) -> str:
        """The counts in words."""

    def figure(self, alpha: float | None) -> Figure:
        """The estimate and its bounds, each erring at most `alpha`; None compares the estimate alone."""

    def needed(self, bound: Bound, alpha: float) -> int | None:
        """About how many more samples of the same kind would decide the bound at this estimate, None if none would."""


def judge_quality(budget: Budget, statistic: Judged, rules: Rules) -> Finding:
    """The finding of one quality budget; an empty class, or one never predicted, is not measured."""
    found = _sample(budget, statistic, rules)
    if isinstance(found, NotMeasured):
        return Finding(Outcome.NOT_MEASURED, f"{budget.subject}: {found.reason}")
    alpha = alpha_of(rules)
    figure = found.figure(alpha)
    scarce = _scarce(budget, statistic, rules.min_support)
    outcome = Outcome.INCONCLUSIVE if scarce else decide(figure, budget)
    reason = sentence(budget, figure, outcome, found.basis, rules.confidence)
    if scarce:
        reason += f"; {scarce}"
    elif outcome is Outcome.INCONCLUSIVE and alpha is not None:
        reason += f"; {_way_out(budget, statistic, found.needed(budget.limit, alpha), figure)}"
    return Finding(outcome, reason, figure)


def _way_out(budget: Budget, statistic: Judged, more: int | None, figure: Figure) -> str:
    if more is None or figure.n is None:
        return "no number of samples would decide it at this estimate"
    total, unit, whole = figure.n + more, "such samples", ""
    if part := _part(budget, statistic):
        unit, of, where = part
        whole = f", about {-(-total * of // figure.n):,} {where}"
    decided = "would decide it at this estimate"
    return f"about {more:,} more {unit} {decided}, as a fresh split with {total:,} of them{whole}"


def _part(budget: Budget, statistic: Judged) -> tuple[str, int, str] | None:
    """Which samples count, of how many, and what those are; None where all count."""
    label = budget.label
    match statistic:
        case Classified() | Multilabel() if label is not None and budget.metric in _CALLED:
            return f"samples {_CALLED[budget.metric].format(label)}", statistic.n, "in all"
        case Classified() | Multilabel() if label is not None and budget.limit.relative:
            return _KEPT, statistic.support(label), f"of class '{label}'"
        case Classified(n=n) | Joint(outcomes=PairedOutcomes(n=n)) if budget.limit.relative:
            return _KEPT, n, "in all"
        case _:
            return None


def _scarce(budget: Budget, statistic: Judged, min_support: int) -> str:
    """Which class has too few samples for this budget to be judged, as a phrase; empty when none has."""
    if not isinstance(statistic, Classified | Multilabel):
        return ""
    each = statistic.labels if budget.row.over_classes else ()
    names = each if budget.label is None else (budget.label,)
    for name in names:
        support = statistic.support(name)
        if support < min_support:
            return f"class '{name}' has {support} samples, min_support asks for {min_support}"
    return ""


def _sample(budget: Budget, statistic: Judged, rules: Rules) -> Sample | NotMeasured:
    match statistic:
        case Classified():
            return _classified(budget, statistic, rules)
        case Joint(outcomes=pair):
            return _right_or_wrong(budget, pair)
        case Multilabel():
            return multilabel.sample_of(budget, statistic, rules)
        case Scores():
            return scores.sample_of(budget, statistic, rules.seed)
        case _:
            return _counted(statistic, budget) or NotMeasured(reason="the split is empty")


def _classified(budget: Budget, statistic: Classified, rules: Rules) -> Sample | NotMeasured:
    if not statistic.n:
        return NotMeasured(reason="the split has no sample")
    if budget.label is None:
        return _overall(budget, statistic, rules)
    if budget.label not in statistic.labels:
        return NotMeasured(reason="the evidence has no such class")
    return of_class(budget, Cells.of_table(statistic, statistic.labels.index(budget.label)), rules)


def _counted(statistic: Share | Churn, budget: Budget) -> Sample | None:
    """What was counted over all samples; None where there are none."""
    match statistic:
        case Share(hits=hits, n=n):
            return Proportion(hits, n) if n else None
        case Churn(outcomes=pair):
            limit, good = budget.limit.limit, budget.inner
            return Changed(pair.broken, pair.repaired, pair.n, limit, good=good) if pair.n else None


def _right_or_wrong(budget: Budget, pair: PairedOutcomes) -> Sample | NotMeasured:
    match budget.metric:
        case _ if not pair.n:
            return NotMeasured(reason="the split has no sample")
        case "accuracy":
            return Proportion(pair.both + pair.repaired, pair.n)
        case "accuracy_drop":
            return paired_drop(pair, budget)
        case _:
            return NotMeasured(reason="the evidence tells right from wrong, but nothing about classes")


def _overall(budget: Budget, table: Classified, rules: Rules) -> Sample | NotMeasured:
    match budget.metric:
        case "accuracy":
            return Proportion(_right(table.confusion), table.n)
        case "top5_accuracy" if table.top5 is not None:
            return Proportion(table.top5, table.n)
        case "top5_accuracy" if len(table.labels) <= 5:
            return NotMeasured(reason="with five classes or fewer, each is among the five best")
        case "top5_accuracy":
            return NotMeasured(reason="the evidence has no ranking of the classes")
        case "accuracy_drop":
            return _drop(budget, table, rules)
        case _ if budget.row.over_classes:
            empty = [name for name, row in zip(table.labels, table.confusion, strict=True) if not sum(row)]
            if empty:
                return NotMeasured(reason=f"the split has no sample of class '{empty[0]}'")
            return Resampled(_macro(budget, table), rules.seed)
        case _:
            return NotMeasured(reason="it must name a class")


def _drop(budget: Budget, table: Classified, rules: Rules) -> Sample | NotMeasured:
    """What all samples lose."""
    right = (_right(table.reference_confusion), _right(table.confusion)) if table.reference_confusion else None
    return drop(budget, _together(table.paired) if table.paired else None, right, table.n, rules)


def _right(confusion: Sequence[Sequence[int]]) -> int:
    return sum(row[i] for i, row in enumerate(confusion))


def _macro(budget: Budget, table: Classified) -> MacroF1 | MacroRecall:
    if budget.metric == "macro_f1":
        return MacroF1(table.confusion)
    return MacroRecall(tuple(row[i] for i, row in enumerate(table.confusion)), tuple(map(sum, table.confusion)))


def _together(each: Sequence[PairedOutcomes]) -> PairedOutcomes:
    return PairedOutcomes(
        both=sum(part.both for part in each),
        broken=sum(part.broken for part in each),
        repaired=sum(part.repaired for part in each),
        neither=sum(part.neither for part in each),
    )
