"""Scores of samples: errors of a regression, and what metrics of the spec's own gave, as statistics to judge from."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from deployspec.errors import DataFault
from deployspec.ir.artifact import Done
from deployspec.ir.budget import Method
from deployspec.ir.evidence import ERRORS, MOST_SCORES, Aggregate, NotMeasured, Scores, score
from deployspec.measure.decisions import finite_rows
from deployspec.measure.own_metric import read_scores
from deployspec.measure.quality import measured, outputs_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from deployspec.ir.artifact import StepResult
    from deployspec.ir.evidence import EvidenceClass, Measurement
    from deployspec.ir.spec import Spec, Target
    from deployspec.measure.quality import Evaluated

_LARGEST: Final = 1e18

Scored = tuple["StepResult", "StepResult"]
"""What the steps left that scored the reference and the artifact."""


def score_figures(target: Target, split: str) -> tuple[str, ...]:
    """The figures on a split that are made of scores and that a budget of the target asks for.

    A report holds every score, so that none is taken that nobody asks for.
    """
    asked = (budget.row for budget in target.budgets if budget.split == split)
    return tuple(dict.fromkeys(row.measured_from for row in asked if row.method is Method.SCORES))


def measure_scores(
    spec: Spec, target: Target, runs: Evaluated, evidence: EvidenceClass, own: Mapping[str, Scored]
) -> Iterator[Measurement]:
    """A measurement for each figure that `score_figures` names; `own` holds what was scored by the spec's own metrics.

    Raises DataFault where y does not have the output's shape.
    """
    seed = target.rules.seed
    for name in score_figures(target, runs.split):
        metric = name.removeprefix("metrics.")
        if name in ERRORS:
            count = partial(_errors, spec, runs, *ERRORS[name], seed)
        else:
            count = partial(_own, runs, own[metric], Aggregate(spec.metrics[metric].aggregate), seed)
        yield measured(target.name, name, count, runs, evidence)


def _errors(spec: Spec, runs: Evaluated, power: int, aggregate: Aggregate, seed: int) -> Scores | NotMeasured:
    """The mean over a sample's values of |output - y| to the power."""
    if not runs.data.facts["labelled"]:
        return NotMeasured(reason=f"the {runs.split} split has no y")
    artifact, reference = (_error_of(spec, runs, run, power) for run in (runs.artifact, runs.reference))
    return as_scores(
        runs.counting.of(artifact), runs.counting.of(reference), aggregate, seed=seed, excluded=runs.counting.excluded
    )


def _error_of(spec: Spec, runs: Evaluated, run: Done, power: int) -> np.ndarray:
    truth = np.load(runs.data.folder / "y.npy", mmap_mode="r")
    truth = truth.reshape(len(truth), -1)
    errors, start = [], 0
    for rows in finite_rows(outputs_of(spec, run)):
        wanted = truth[start : start + len(rows)]
        if rows.shape != wanted.shape:
            raise DataFault(
                f"data.{runs.split}: y has {wanted.shape[1]} values a sample, "
                f"the output '{spec.scored_output}' has {rows.shape[1]}"
            )
        errors.append((np.abs(rows - wanted) ** power).mean(axis=1))
        start += len(rows)
    return np.concatenate(errors)


def _own(runs: Evaluated, scored: Scored, aggregate: Aggregate, seed: int) -> Scores | NotMeasured:
    for each in scored:
        if not isinstance(each, Done):
            return NotMeasured(reason=each.reason)
    reference, artifact = (runs.counting.of(read_scores(each.folder)) for each in scored if isinstance(each, Done))
    return as_scores(artifact, reference, aggregate, seed=seed, excluded=runs.counting.excluded)


def as_scores(
    artifact: np.ndarray, reference: np.ndarray, aggregate: Aggregate, *, seed: int, excluded: int = 0
) -> Scores | NotMeasured:
    """The statistic of the two models' scores (n,) of the same samples, both finite.

    Where there are more than a report holds, both become means of the same blocks of samples, whose order is drawn with
    `seed`; a quantile is not that of such means, and is not measured.
    """
    n = len(artifact)
    beyond = max(np.abs(artifact).max(initial=0), np.abs(reference).max(initial=0))
    if beyond >= _LARGEST:
        return NotMeasured(reason=f"a score of {beyond:.3g} is beyond what is judged, 10^18")
    block = -(-n // MOST_SCORES) or 1
    if block > 1 and aggregate.quantile is not None:
        return NotMeasured(
            reason=f"a {aggregate} is judged from the scores themselves, up to {MOST_SCORES:,} samples, not from {n:,}"
        )
    if block > 1:
        order = np.random.Generator(np.random.PCG64(seed)).permutation(n)[: n // block * block]
        artifact, reference = (each[order].reshape(-1, block).mean(axis=1) for each in (artifact, reference))
    return Scores(
        artifact=tuple(map(score, artifact.tolist())),
        reference=tuple(map(score, reference.tolist())),
        aggregate=aggregate,
        block=block,
        excluded=excluded,
    )
