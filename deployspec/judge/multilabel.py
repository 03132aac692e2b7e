"""Quality of samples that may have several labels: each label is a table of its own.

Labels share their samples, so that their figures depend on each other in a way that the tables do not tell. A mean over
k labels is therefore bounded by the mean of the labels' own bounds, each at alpha/k: by Bonferroni's inequality these
hold together with at least 1 - alpha, however the labels depend on each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from deployspec.ir.evidence import NotMeasured
from deployspec.judge import figure as figures
from deployspec.judge.decide import holds, samples_needed
from deployspec.judge.figure import Figure, point
from deployspec.judge.jaccard import Overlap
from deployspec.judge.paired import paired_drop
from deployspec.judge.proportions import Proportion
from deployspec.judge.resample import PrecisionDrop, Resampled

if TYPE_CHECKING:
    from deployspec.ir.budget import Budget
    from deployspec.ir.evidence import Multilabel, PairedOutcomes, Rules
    from deployspec.judge.paired import Paired
    from deployspec.units import Bound

    OfLabel = Paired | Proportion | Overlap | Resampled


@dataclass(frozen=True)
class Macro:
    """The mean of the labels' recalls, or of their F1; `n` counts the samples, which all labels share."""

    labels: tuple[Proportion | Overlap, ...]
    n: int

    @property
    def basis(self) -> str:
        """The counts in words."""
        return f"{self.n} samples, the mean of {len(self.labels)} labels"

    def figure(self, alpha: float | None) -> Figure:
        """The mean with its bounds, each erring at most `alpha`; None compares the estimate alone."""
        each_alpha = None if alpha is None else alpha / len(self.labels)
        found = [each.figure(each_alpha) for each in self.labels]
        estimate = _mean([each.estimate for each in found])
        if alpha is None:
            return point(estimate, self.n)
        lower = _mean([Decimal() if each.lower is None else each.lower for each in found])
        upper = _mean([Decimal(1) if each.upper is None else each.upper for each in found])
        return Figure(estimate=estimate, lower=figures.floor(lower), upper=figures.ceiling(upper), n=self.n)

    def needed(self, bound: Bound, alpha: float) -> int | None:
        """About how many more such samples would decide the bound."""
        size = samples_needed(lambda n: holds(self._grown(n).figure(alpha), bound) is not None, self.n)
        return None if size is None else size - self.n

    def _grown(self, n: int) -> Macro:
        return Macro(tuple(each.grown(max(round(Decimal(each.n) * n / self.n), 1)) for each in self.labels), n)


def sample_of(budget: Budget, table: Multilabel, rules: Rules) -> Macro | OfLabel | NotMeasured:
    """What a budget on labels rests on; a label without samples, or one that was never called, has no figure."""
    if not table.n:
        return NotMeasured(reason="the split has no sample")
    if budget.label is None:
        return _macro(budget, table)
    if budget.label not in table.labels:
        return NotMeasured(reason="the evidence knows no such class")
    index = table.labels.index(budget.label)
    return _of_label(budget, table.inside[index], table.outside[index], rules)


def _of_label(budget: Budget, inside: PairedOutcomes, outside: PairedOutcomes, rules: Rules) -> OfLabel | NotMeasured:
    if not inside.n:
        return NotMeasured(reason="the split has no sample of this class")
    found, alarms = inside.both + inside.repaired, outside.broken + outside.neither
    match budget.metric:
        case "recall":
            return Proportion(found, inside.n)
        case "recall_drop":
            return paired_drop(inside, budget.limit)
        case "f1":
            return _overlap(inside, outside)
        case "precision":
            called = found + alarms
            return Proportion(found, called) if called else NotMeasured(reason="the class was never predicted")
        case "precision_drop":
            return _precision_drop(budget, inside, outside, rules)
        case _:
            return NotMeasured(reason="it is not judged per class")


def _overlap(inside: PairedOutcomes, outside: PairedOutcomes) -> Overlap:
    missed = inside.broken + inside.neither
    return Overlap(inside.n - missed, missed=missed, false_alarms=outside.broken + outside.neither)


def _precision_drop(
    budget: Budget, inside: PairedOutcomes, outside: PairedOutcomes, rules: Rules
) -> Resampled | NotMeasured:
    rightly, before = inside.reference_right, outside.repaired + outside.neither + inside.reference_right
    after = inside.both + inside.repaired + outside.broken + outside.neither
    if not before or not after or (budget.limit.relative and not rightly):
        return NotMeasured(reason="the class was never predicted, or by the reference never rightly")
    return Resampled(PrecisionDrop(inside, outside, relative=budget.limit.relative), rules.seed)


def _macro(budget: Budget, table: Multilabel) -> Macro | NotMeasured:
    empty = [name for name, pair in zip(table.labels, table.inside, strict=True) if not pair.n]
    if empty:
        return NotMeasured(reason=f"the split has no sample of class '{empty[0]}'")
    match budget.metric:
        case "macro_recall":
            return Macro(tuple(Proportion(pair.both + pair.repaired, pair.n) for pair in table.inside), table.n)
        case "macro_f1":
            return Macro(tuple(map(_overlap, table.inside, table.outside)), table.n)
        case _:
            return NotMeasured(reason="of several labels a sample there is no such figure")


def _mean(values: list[Decimal]) -> Decimal:
    return sum(values, Decimal()) / len(values)
