"""One class, or one of several labels: how often it is found, missed and called wrongly, and what that decides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deployspec.ir.evidence import NotMeasured, PairedOutcomes
from deployspec.judge.jaccard import Overlap
from deployspec.judge.margins import WHY as ONLY_MARGINS
from deployspec.judge.margins import Margins
from deployspec.judge.paired import NOTHING_TO_LOSE, paired_drop
from deployspec.judge.proportions import Proportion
from deployspec.judge.resample import PrecisionDrop, Resampled

if TYPE_CHECKING:
    from deployspec.ir.budget import Budget
    from deployspec.ir.evidence import Classified, Rules
    from deployspec.judge.paired import Paired

    OfClass = Paired | Margins | Proportion | Overlap | Resampled

_NO_REFERENCE = "the evidence tells nothing of the reference"


@dataclass(frozen=True)
class Calls:
    """How often a model calls a class so: rightly, and wrongly."""

    found: int
    alarms: int

    @property
    def all(self) -> int:
        """Either way."""
        return self.found + self.alarms


@dataclass(frozen=True, kw_only=True)
class Cells:
    """What is known of a class with `support` samples: the calls of both models, and their joint outcomes.

    `inside` are those on the samples of the class, `outside` those on the others, right meaning "not called so".
    """

    support: int
    artifact: Calls
    reference: Calls | None
    inside: PairedOutcomes | None
    outside: PairedOutcomes | None

    @classmethod
    def of_table(cls, table: Classified, index: int) -> Cells:
        """The cells of one class of a confusion matrix."""
        before = table.reference_confusion
        return cls(
            support=sum(table.confusion[index]),
            artifact=_calls(table.confusion, index),
            reference=_calls(before, index) if before else None,
            inside=table.paired[index] if table.paired else None,
            outside=table.rejected[index] if table.rejected else None,
        )

    @classmethod
    def of_label(cls, inside: PairedOutcomes, outside: PairedOutcomes) -> Cells:
        """The cells of a label that a sample may have beside others."""
        return cls(
            support=inside.n,
            artifact=Calls(inside.both + inside.repaired, outside.broken + outside.neither),
            reference=Calls(inside.reference_right, outside.n - outside.reference_right),
            inside=inside,
            outside=outside,
        )

    @property
    def recall(self) -> Proportion:
        """The samples of the class that are found."""
        return Proportion(self.artifact.found, self.support)

    @property
    def overlap(self) -> Overlap:
        """What F1 rests on."""
        found = self.artifact.found
        return Overlap(found, missed=self.support - found, false_alarms=self.artifact.alarms)


def of_class(budget: Budget, cells: Cells, rules: Rules) -> OfClass | NotMeasured:
    """What a budget on a class rests on; one without samples, or never called so, has no figure."""
    if not cells.support:
        return NotMeasured(reason="the split has no sample of this class")
    match budget.metric:
        case "recall":
            return cells.recall
        case "recall_drop":
            right = None if cells.reference is None else (cells.reference.found, cells.artifact.found)
            return drop(budget, cells.inside, right, cells.support, rules)
        case "f1":
            return cells.overlap
        case "precision" if cells.artifact.all:
            return Proportion(cells.artifact.found, cells.artifact.all)
        case "precision":
            return NotMeasured(reason="the class was never predicted")
        case "precision_drop":
            return _precision_drop(budget, cells, rules)
        case _:
            return NotMeasured(reason="it is not judged per class")


def drop(
    budget: Budget, pair: PairedOutcomes | None, right: tuple[int, int] | None, n: int, rules: Rules
) -> Paired | Margins | NotMeasured:
    """What `n` samples lose: from their joint outcomes, else as a point from how many each model gets right."""
    if pair is not None:
        return paired_drop(pair, budget)
    if right is None:
        return NotMeasured(reason=_NO_REFERENCE)
    if rules.confidence is not None:
        return NotMeasured(reason=ONLY_MARGINS)
    before, after = right
    if budget.limit.relative and not before:
        return NotMeasured(reason=NOTHING_TO_LOSE)
    return Margins(before, after, n, relative=budget.limit.relative)


def _precision_drop(budget: Budget, cells: Cells, rules: Rules) -> Resampled | NotMeasured:
    """Margins alone, without the joint outcomes outside the class, decide as a point or not at all."""
    before, after = cells.reference, cells.artifact
    if before is None:
        return NotMeasured(reason=_NO_REFERENCE)
    if not before.all or not after.all or (budget.limit.relative and not before.found):
        return NotMeasured(reason="the class was never predicted, or the reference never predicted it correctly")
    if (cells.inside is None or cells.outside is None) and rules.confidence is not None:
        return NotMeasured(reason=ONLY_MARGINS)
    inside = cells.inside or _apart(broken=before.found, repaired=after.found)
    outside = cells.outside or _apart(broken=after.alarms, repaired=before.alarms)
    return Resampled(PrecisionDrop(inside, outside, relative=budget.limit.relative), rules.seed)


def _calls(confusion: tuple[tuple[int, ...], ...], index: int) -> Calls:
    right = confusion[index][index]
    return Calls(right, sum(row[index] for row in confusion) - right)


def _apart(*, broken: int, repaired: int) -> PairedOutcomes:
    """Outcomes of which only the two margins are known, for an estimate without bounds."""
    return PairedOutcomes(both=0, broken=broken, repaired=repaired, neither=0)
