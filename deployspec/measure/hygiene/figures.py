"""From what the hygiene steps found: the figures that budgets limit, and which samples a quality figure counts."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from deployspec.ir.artifact import Done
from deployspec.ir.evidence import Drift, EvidenceClass, FeatureDrift, Measurement, NotMeasured, Share
from deployspec.measure.counting import EVERY_ROW, Counting
from deployspec.measure.hygiene.leakage import LEAKED_FILE
from deployspec.measure.hygiene.near_duplicates import NEAR_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from deployspec.ir.artifact import Failed, StepResult
    from deployspec.ir.evidence import Statistic
    from deployspec.ir.plan import Plan

WITHOUT_NEAR: Final = "without near-duplicates"
"""The variant of a figure that near-duplicates are left out of as well."""


def ways_of_counting(plan: Plan, results: Mapping[str, StepResult], split: str) -> list[Counting]:
    """The ways in which a figure on `split` is counted, the plain one first: without the samples that leaked."""
    step = dict(plan.hygiene).get(split)
    if step is None:
        return [EVERY_ROW]
    examined = results[step]
    if not isinstance(examined, Done):
        return [Counting(refused=f"which samples count is not known, as {_why(examined)}")]
    leaked = _rows(examined, LEAKED_FILE)
    near = np.union1d(leaked, _near(plan, results, split))
    plain, fewer = (_without(each, examined.facts["samples"]) for each in (leaked, near))
    return [_counting(plain)] + ([_counting(fewer, WITHOUT_NEAR)] if len(near) > len(leaked) else [])


def measure_hygiene(plan: Plan, results: Mapping[str, StepResult], target: str) -> Iterator[Measurement]:
    """leakage of each judged split, near_duplicates where a budget asks, drift_psi: alike for every target."""
    for split, step in plan.hygiene:
        yield _figure(target, "leakage", split, _leakage(results[step]))
    for split, step in plan.near_duplicates:
        yield _figure(target, "near_duplicates", split, _near_share(plan, results, split, results[step]))
    if plan.drift is not None:
        yield _figure(target, "drift_psi", "", _drift(results[plan.drift]))


def _figure(target: str, name: str, split: str, statistic: Statistic) -> Measurement:
    return Measurement(target=target, name=name, statistic=statistic, evidence=EvidenceClass.STATIC, split=split)


def _leakage(examined: StepResult) -> Statistic:
    if not isinstance(examined, Done):
        return NotMeasured(reason=_why(examined))
    return Share(hits=examined.facts["leaked"], n=examined.facts["samples"])


def _near_share(plan: Plan, results: Mapping[str, StepResult], split: str, searched: StepResult) -> Statistic:
    """Copies that are exact count too, whatever the search made of them."""
    examined = results[dict(plan.hygiene)[split]]
    if not isinstance(searched, Done):
        return NotMeasured(reason=_why(searched))
    if not isinstance(examined, Done):
        return NotMeasured(reason=_why(examined))
    if searched.facts["near"] is None:
        return NotMeasured(reason=searched.facts["reason"])
    alike = np.union1d(_rows(examined, LEAKED_FILE), _near(plan, results, split))
    return Share(hits=len(alike), n=examined.facts["samples"])


def _drift(compared: StepResult) -> Statistic:
    return drift_of(compared.facts) if isinstance(compared, Done) else NotMeasured(reason=_why(compared))


def drift_of(facts: Mapping[str, Any]) -> Drift:
    """What `drift.compare_inputs` found, from its facts."""
    names = ("name", "psi", "null_mean", "null_variance", "ks", "ks_p")
    rows = [(name, *map(Decimal, figures)) for name, *figures in facts["features"]]
    features = tuple(FeatureDrift(**dict(zip(names, row, strict=True))) for row in rows)
    return Drift(features=features, test=facts["test"], field=facts["field"])


def _near(plan: Plan, results: Mapping[str, StepResult], split: str) -> np.ndarray:
    """The rows that have a near-duplicate elsewhere, as far as somebody looked."""
    searched = results.get(dict(plan.near_duplicates).get(split, ""))
    if not isinstance(searched, Done) or searched.facts["near"] is None:
        return np.empty(0, np.int64)
    return _rows(searched, NEAR_FILE)


def _rows(done: Done, file: str) -> np.ndarray:
    rows: np.ndarray = np.load(done.folder / file)
    return rows


def _without(rows: np.ndarray, n: int) -> np.ndarray | None:
    """All of n rows but these; None where none is left out."""
    kept = np.ones(n, bool)
    kept[rows] = False
    return kept if len(rows) else None


def _counting(kept: np.ndarray | None, variant: str = "") -> Counting:
    if kept is not None and not kept.any():
        reason = "no sample is left: each one also stands, or nearly, in train, calibration or tuning"
        return Counting(variant=variant, refused=reason)
    return Counting(kept=kept, variant=variant)


def _why(failed: Failed) -> str:
    return f"step '{failed.step}' failed: {failed.reason}"
