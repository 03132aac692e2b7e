"""Drift: whether the population stability index of the field's inputs exceeds what chance gives at these sizes.

Over B bins the index of undrifted samples is distributed about as a multiple of chi-square with B - 1 degrees of
freedom (Yurdakul and Naranjo 2020, Journal of Risk Model Validation 14(4):89-100), and that of drifted ones as the same
multiple of the noncentral one. The multiple and the degrees are those that give the mean and the variance of the
index under random deals (Satterthwaite 1946, Biometrics Bulletin 2:110-114), so that the values of one image need not
be independent. The noncentrality, times the multiple, is the index without the part that is chance: it is what is
judged. Where chance hardly varies, as it does not where all samples have the same values in another order, the
excess is what it is. Of several features each must hold: a limit is broken at the level alpha divided by their number.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from math import nextafter, sqrt
from typing import TYPE_CHECKING, Final

from deployspec.ir.verdict import Outcome
from deployspec.judge.decide import alpha_of, decide, samples_needed, settled
from deployspec.judge.figure import Figure, Finding, ceiling, floor, point
from deployspec.judge.words import quantity, sentence

if TYPE_CHECKING:
    from deployspec.ir.budget import Budget
    from deployspec.ir.evidence import Drift, FeatureDrift, Rules

_STEADY: Final = 1e6
"""Degrees of freedom with which chance varies by less than a five-hundredth of its mean, which is as good as not."""

_FAR: Final = 1e8
"""From here on the root of a noncentral chi-square is normal to ten digits, and scipy's inverse gives up."""


def judge_drift(budget: Budget, drift: Drift, rules: Rules) -> Finding:
    """The finding for the feature that drifted most."""
    if not drift.features:
        return Finding(Outcome.NOT_MEASURED, f"{budget.subject}: no feature varies by more than a tenth of its values")
    worst = max(drift.features, key=_excess)
    figure = _figure(drift, alpha_of(rules))
    outcome = decide(figure, budget)
    basis = (
        f"{quantity(_excess(worst), budget)} above chance, in '{worst.name}', where {drift.test} and {drift.field} "
        f"samples have an index of {quantity(worst.psi, budget)} and undrifted ones {quantity(worst.null_mean, budget)}"
    )
    reason = sentence(budget, figure, outcome, basis, rules.confidence)
    if outcome is Outcome.INCONCLUSIVE:
        reason += f"; {_way_out(budget, drift, rules)}"
    return Finding(outcome, reason, figure)


def _way_out(budget: Budget, drift: Drift, rules: Rules) -> str:
    """How many samples of both splits would decide it, were the part that is not chance to stay."""
    smaller = min(drift.test, drift.field)

    def decides(size: int) -> bool:
        features = tuple(_with_chance(each, Decimal(smaller) / size) for each in drift.features)
        return settled(_figure(replace(drift, features=features), alpha_of(rules)), budget)

    size = samples_needed(decides, smaller)
    if size is None:
        return "no number of samples would decide it at this estimate"
    test, field = (-(-each * size // smaller) for each in (drift.test, drift.field))
    return f"about {test:,} test and {field:,} field samples would decide it at this estimate"


def _with_chance(feature: FeatureDrift, share: Decimal) -> FeatureDrift:
    """The feature with that share of what chance has in its index: its variance is that of a multiple."""
    mean = feature.null_mean * share
    variance = feature.null_variance * share**2
    return replace(feature, psi=_excess(feature) + mean, null_mean=mean, null_variance=variance)


def _excess(feature: FeatureDrift) -> Decimal:
    """The index without the part that chance has in it."""
    return max(feature.psi - feature.null_mean, Decimal(0))


def _figure(drift: Drift, alpha: float | None) -> Figure:
    estimate, n = max(map(_excess, drift.features)), drift.test + drift.field
    if alpha is None:
        return point(estimate, n)
    each = alpha / len(drift.features)
    lower = max(_bound(feature, 1 - each) for feature in drift.features)
    upper = max(_bound(feature, alpha) for feature in drift.features)
    return Figure(estimate=estimate, lower=floor(lower), upper=ceiling(upper), n=n)


def _bound(feature: FeatureDrift, share: float) -> float:
    """The excess with which a `share` of samples would have no larger an index.

    An index below what chance gives proves no more than chance would.
    """
    mean, variance = float(feature.null_mean), float(feature.null_variance)
    if 2 * mean * mean >= _STEADY * variance:
        return float(_excess(feature))
    multiple, degrees = variance / (2 * mean), 2 * mean * mean / variance
    return multiple * _noncentrality(max(float(feature.psi), mean) / multiple, degrees, share)


def _noncentrality(value: float, degrees: float, share: float) -> float:
    """The one with which a `share` of such chi-squares is no larger than `value`."""
    from scipy.special import chndtrinc, ndtri

    if value < _FAR:
        return float(chndtrinc(value, degrees, min(share, nextafter(1, 0))))
    off = (degrees - 1) / 2
    return float(max(sqrt(value - off) - ndtri(share), 0) ** 2 - off)
