"""Quality of samples that may have several labels: each label is a table of its own.

Labels share their samples, so that their figures depend on each other in a way that the tables do not tell. A mean over
k labels is therefore bounded by the mean of the labels' own bounds, each at alpha/k: by Bonferroni's inequality these
hold together with at least 1 - alpha, however the labels depend on each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

from deployspec.ir.evidence import NotMeasured
from deployspec.judge import figure as figures
from deployspec.judge.decide import more_needed
from deployspec.judge.figure import Figure, point, ratio
from deployspec.judge.per_class import Cells, of_class

if TYPE_CHECKING:
    from deployspec.ir.budget import Budget
    from deployspec.ir.evidence import Multilabel, Rules
    from deployspec.judge.jaccard import Overlap
    from deployspec.judge.per_class import OfClass
    from deployspec.judge.proportions import Proportion
    from deployspec.units import Bound


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
        mean = sum((each.estimate for each in self.labels), Fraction()) / len(self.labels)
        estimate = ratio(*mean.as_integer_ratio())
        if alpha is None:
            return point(estimate, self.n)
        found = [each.figure(alpha / len(self.labels)) for each in self.labels]
        lower = _mean([Decimal() if each.lower is None else each.lower for each in found])
        upper = _mean([Decimal(1) if each.upper is None else each.upper for each in found])
        return Figure(estimate=estimate, lower=figures.floor(lower), upper=figures.ceiling(upper), n=self.n)

    def needed(self, bound: Bound, alpha: float) -> int | None:
        """About how many more such samples would decide the bound."""
        return more_needed(self, bound, alpha)

    def grown(self, n: int) -> Macro:
        """As many samples as `n`, each label's share of them as it is."""
        return Macro(tuple(each.grown(max(round(Decimal(each.n) * n / self.n), 1)) for each in self.labels), n)


def sample_of(budget: Budget, table: Multilabel, rules: Rules) -> Macro | OfClass | NotMeasured:
    """What a budget on labels rests on; a label without samples, or one that was never called, has no figure."""
    if not table.n:
        return NotMeasured(reason="the split has no sample")
    if budget.label is None:
        return _macro(budget, table)
    if budget.label not in table.labels:
        return NotMeasured(reason="the evidence has no such class")
    index = table.labels.index(budget.label)
    return of_class(budget, Cells.of_label(table.inside[index], table.outside[index]), rules)


def _macro(budget: Budget, table: Multilabel) -> Macro | NotMeasured:
    empty = [name for name, pair in zip(table.labels, table.inside, strict=True) if not pair.n]
    if empty:
        return NotMeasured(reason=f"the split has no sample of class '{empty[0]}'")
    labels = list(map(Cells.of_label, table.inside, table.outside))
    match budget.metric:
        case "macro_recall":
            return Macro(tuple(cells.recall for cells in labels), table.n)
        case "macro_f1":
            return Macro(tuple(cells.overlap for cells in labels), table.n)
        case _:
            return NotMeasured(reason="it is not defined for samples with several labels")


def _mean(values: list[Decimal]) -> Decimal:
    return sum(values, Decimal()) / len(values)
