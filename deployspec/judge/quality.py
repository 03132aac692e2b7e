"""Quality budgets: which cells of the tables a figure rests on, and the finding that follows from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from deployspec.ir.evidence import Churn, Classified, Joint, Multilabel, NotMeasured, PairedOutcomes, Scores, Share
from deployspec.ir.verdict import Outcome
from deployspec.judge import multilabel, scores
from deployspec.judge.churn import Changed
from deployspec.judge.decide import alpha_of, decide
from deployspec.judge.figure import Finding
from deployspec.judge.jaccard import Overlap
from deployspec.judge.margins import WHY as ONLY_MARGINS
from deployspec.judge.margins import Margins
from deployspec.judge.paired import NOTHING_TO_LOSE, paired_drop
from deployspec.judge.proportions import Proportion
from deployspec.judge.resample import MacroF1, MacroRecall, PrecisionDrop, Resampled
from deployspec.judge.words import sentence, subject

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deployspec.ir.budget import Budget
    from deployspec.ir.evidence import Rules
    from deployspec.judge.figure import Figure
    from deployspec.units import Bound

Judged = Classified | Joint | Multilabel | Scores | Share | Churn
"""The statistics that quality is judged from."""

_NO_REFERENCE = "the evidence tells nothing of the reference"


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
        return Finding(Outcome.NOT_MEASURED, f"{subject(budget)}: {found.reason}")
    alpha = alpha_of(rules)
    figure = found.figure(alpha)
    scarce = _scarce(budget, statistic, rules.min_support)
    outcome = Outcome.INCONCLUSIVE if scarce else decide(figure, budget)
    reason = sentence(budget, figure, outcome, found.basis, rules.confidence)
    if scarce:
        reason += f"; {scarce}"
    elif outcome is Outcome.INCONCLUSIVE and alpha is not None:
        reason += f"; {_way_out(found.needed(budget.limit, alpha), figure)}"
    return Finding(outcome, reason, figure)


def _way_out(more: int | None, figure: Figure) -> str:
    if more is None or figure.n is None:
        return "no number of samples would decide it at this estimate"
    total = figure.n + more
    return f"about {more:,} more such samples would decide it at this estimate, as a fresh split with {total:,} of them"


def _scarce(budget: Budget, statistic: Judged, min_support: int) -> str:
    """Which class has too few samples for this budget to be judged, as a phrase; empty when none has."""
    if not isinstance(statistic, Classified | Multilabel):
        return ""
    of_classes = budget.label is not None or budget.metric in ("macro_f1", "macro_recall", "balanced_accuracy")
    names = ([budget.label] if budget.label is not None else statistic.labels) if of_classes else []
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
        return NotMeasured(reason="the evidence knows no such class")
    index = statistic.labels.index(budget.label)
    if not sum(statistic.confusion[index]):
        return NotMeasured(reason="the split has no sample of this class")
    return _per_class(budget, statistic, index, rules)


def _counted(statistic: Share | Churn, budget: Budget) -> Sample | None:
    """What was counted over all samples; None where there are none."""
    match statistic:
        case Share(hits=hits, n=n):
            return Proportion(hits, n) if n else None
        case Churn(outcomes=pair):
            return Changed(pair.broken, pair.repaired, pair.n, limit=budget.limit.limit) if pair.n else None


def _right_or_wrong(budget: Budget, pair: PairedOutcomes) -> Sample | NotMeasured:
    match budget.metric:
        case _ if not pair.n:
            return NotMeasured(reason="the split has no sample")
        case "accuracy":
            return Proportion(pair.both + pair.repaired, pair.n)
        case "accuracy_drop":
            return paired_drop(pair, budget.limit)
        case _:
            return NotMeasured(reason="the evidence tells right from wrong, and nothing of the classes")


def _overall(budget: Budget, table: Classified, rules: Rules) -> Sample | NotMeasured:
    match budget.metric:
        case "accuracy":
            return Proportion(sum(row[i] for i, row in enumerate(table.confusion)), table.n)
        case "top5_accuracy" if table.top5 is not None:
            return Proportion(table.top5, table.n)
        case "top5_accuracy" if len(table.labels) <= 5:
            return NotMeasured(reason="of so few classes each is among the five best")
        case "top5_accuracy":
            return NotMeasured(reason="the evidence has no ranking of the classes")
        case "accuracy_drop":
            return _drop(table, range(len(table.labels)), budget, rules)
        case "macro_f1" | "macro_recall" | "balanced_accuracy":
            empty = [name for name, row in zip(table.labels, table.confusion, strict=True) if not sum(row)]
            if empty:
                return NotMeasured(reason=f"the split has no sample of class '{empty[0]}'")
            return Resampled(_macro(budget, table), rules.seed)
        case _:
            return NotMeasured(reason="it needs a class")


def _per_class(budget: Budget, table: Classified, index: int, rules: Rules) -> Sample | NotMeasured:
    right = table.confusion[index][index]
    support = sum(table.confusion[index])
    predicted = sum(row[index] for row in table.confusion)
    match budget.metric:
        case "recall":
            return Proportion(right, support)
        case "recall_drop":
            return _drop(table, [index], budget, rules)
        case "f1":
            return Overlap(right, missed=support - right, false_alarms=predicted - right)
        case "precision":
            return Proportion(right, predicted) if predicted else NotMeasured(reason="the class was never predicted")
        case "precision_drop":
            return _precision_drop(budget, table, index, rules)
        case _:
            return NotMeasured(reason="it is not judged per class")


def _drop(table: Classified, classes: Sequence[int], budget: Budget, rules: Rules) -> Sample | NotMeasured:
    """What the samples of these classes lose: from their joint outcomes, or from the margins as a point."""
    if table.paired:
        return paired_drop(_together([table.paired[i] for i in classes]), budget.limit)
    if not table.reference_confusion:
        return NotMeasured(reason=_NO_REFERENCE)
    if rules.confidence is not None:
        return NotMeasured(reason=ONLY_MARGINS)
    before, after = (sum(each[i][i] for i in classes) for each in (table.reference_confusion, table.confusion))
    if budget.limit.relative and not before:
        return NotMeasured(reason=NOTHING_TO_LOSE)
    n = sum(sum(table.confusion[i]) for i in classes)
    return Margins(before, after, n, relative=budget.limit.relative)


def _macro(budget: Budget, table: Classified) -> MacroF1 | MacroRecall:
    if budget.metric == "macro_f1":
        return MacroF1(table.confusion)
    return MacroRecall(tuple(row[i] for i, row in enumerate(table.confusion)), tuple(map(sum, table.confusion)))


def _precision_drop(budget: Budget, table: Classified, index: int, rules: Rules) -> Sample | NotMeasured:
    """Margins alone, without the joint outcomes outside the class, decide as a point or not at all."""
    if not table.reference_confusion:
        return NotMeasured(reason=_NO_REFERENCE)
    before, after = (_precision_cells(each, index) for each in (table.reference_confusion, table.confusion))
    if not sum(before) or not sum(after) or (budget.limit.relative and not before[0]):
        return NotMeasured(reason="the class was never predicted, or by the reference never rightly")
    if not (table.paired and table.rejected) and rules.confidence is not None:
        return NotMeasured(reason=ONLY_MARGINS)
    inside = table.paired[index] if table.paired else _apart(broken=before[0], repaired=after[0])
    outside = table.rejected[index] if table.rejected else _apart(broken=after[1], repaired=before[1])
    return Resampled(PrecisionDrop(inside, outside, relative=budget.limit.relative), rules.seed)


def _precision_cells(confusion: tuple[tuple[int, ...], ...], index: int) -> tuple[int, int]:
    """Right and wrong predictions of a class."""
    right = confusion[index][index]
    return right, sum(row[index] for row in confusion) - right


def _apart(*, broken: int, repaired: int) -> PairedOutcomes:
    """Outcomes of which only the two margins are known, for an estimate without bounds."""
    return PairedOutcomes(both=0, broken=broken, repaired=repaired, neither=0)


def _together(each: Sequence[PairedOutcomes]) -> PairedOutcomes:
    return PairedOutcomes(
        both=sum(part.both for part in each),
        broken=sum(part.broken for part in each),
        repaired=sum(part.repaired for part in each),
        neither=sum(part.neither for part in each),
    )
