"""Budgets, tables and measurements for tests of the judge, made as a spec and a run would make them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from deployspec.ir.budget import BUDGETS, Budget, own_kind
from deployspec.ir.evidence import (
    Aggregate,
    Classified,
    EvidenceClass,
    Measurement,
    PairedOutcomes,
    Processes,
    Rules,
    Scores,
)
from deployspec.judge import judge
from deployspec.measure.scores import as_scores
from deployspec.units import parse_bound

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deployspec.ir.evidence import Statistic
    from deployspec.ir.verdict import Verdict, Waiver

AT = datetime(2026, 6, 1, 12, tzinfo=UTC)


def budget(metric: str, limit: str, label: str | None = None, *, good: str = "", on_field: bool = False) -> Budget:
    row = BUDGETS[metric]
    return Budget(
        metric=metric,
        limit=parse_bound(limit, row.dimension),
        good=parse_bound(good, row.dimension) if good else None,
        label=label,
        on_field=on_field,
        ceiling=row.ceiling,
        dimension=row.dimension,
    )


def own_budget(metric: str, limit: str, *, changes: str = "", ceiling: bool = True) -> Budget:
    """A budget on a metric of a spec's own, or on how it `changes`."""
    row = own_kind(metric, changes or metric, ceiling=ceiling)
    return Budget(metric=metric, limit=parse_bound(limit, row.dimension), ceiling=ceiling, dimension=row.dimension)


def rules(confidence: str | None = "0.95", *, min_support: int = 1, **least: EvidenceClass) -> Rules:
    share = None if confidence is None else Decimal(confidence)
    return Rules(confidence=share, least=least, min_support=min_support)


def measured(
    name: str, statistic: Statistic, evidence: EvidenceClass = EvidenceClass.HOST, *, split: str = ""
) -> Measurement:
    return Measurement(target="phone", name=name, statistic=statistic, evidence=evidence, split=split)


def quality(statistic: Statistic, *, split: str = "test") -> Measurement:
    return measured("quality", statistic, split=split)


def verdict(
    asked: Budget, measurements: Sequence[Measurement], by: Rules | None = None, waivers: Sequence[Waiver] = ()
) -> Verdict:
    (found,) = judge("phone", [asked], measurements, by or rules(), waivers, AT)
    return found


def processes(*values: int | str, contended: tuple[bool, ...] = (), least: tuple[int | str, ...] = ()) -> Processes:
    undisturbed = tuple(map(Decimal, least))
    return Processes(values=tuple(map(Decimal, values)), calls=100, contended=contended, least=undisturbed)


def scores(
    artifact: Sequence[float], reference: Sequence[float] | None = None, aggregate: Aggregate = Aggregate.MEAN
) -> Scores:
    """Scores as they are measured; without a reference, the reference scores the same."""
    found = as_scores(
        np.array(artifact, float), np.array(artifact if reference is None else reference, float), aggregate, seed=0
    )
    assert isinstance(found, Scores)
    return found


def outcomes(both: int, broken: int, repaired: int, neither: int) -> PairedOutcomes:
    return PairedOutcomes(both=both, broken=broken, repaired=repaired, neither=neither)


def table(
    confusion: Sequence[Sequence[int]],
    labels: str | Sequence[str],
    *,
    reference: Sequence[Sequence[int]] | None = None,
    paired: tuple[PairedOutcomes, ...] | None = None,
    rejected: tuple[PairedOutcomes, ...] = (),
) -> Classified:
    """A confusion matrix; without a reference, the reference decided the same."""
    rows = tuple(map(tuple, confusion))
    same = tuple(outcomes(row[i], 0, 0, sum(row) - row[i]) for i, row in enumerate(rows))
    return Classified(
        labels=tuple(labels),
        confusion=rows,
        reference_confusion=rows if reference is None else tuple(map(tuple, reference)),
        paired=same if paired is None else paired,
        rejected=rejected,
    )


def pruned(repaired: int = 0) -> Classified:
    """The pruning of 200 samples: 5 of each class lost in sum; `repaired` more broken, and as many repaired."""
    return table(
        [[90, 15], [10, 85]],
        ["negative", "positive"],
        reference=[[95, 10], [5, 90]],
        paired=(outcomes(90 - repaired, 5 + repaired, repaired, 10 - repaired), outcomes(85, 5, 0, 5)),
        rejected=(outcomes(85, 5, 0, 5), outcomes(90 - repaired, 5 + repaired, repaired, 10 - repaired)),
    )
