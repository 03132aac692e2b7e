"""A stability index judged against chance, with scipy.stats' noncentral chi-square as the oracle."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from sample_evidence import budget, measured, rules, verdict
from scipy.stats import ncx2

from deployspec.ir.evidence import Drift, EvidenceClass, FeatureDrift

if TYPE_CHECKING:
    from deployspec.ir.verdict import Verdict

NULL_MEAN, NULL_VARIANCE = 0.09, 0.0018
FEATURE = FeatureDrift(
    name="x", psi=Decimal("0.5"), null_mean=Decimal(str(NULL_MEAN)), null_variance=Decimal(str(NULL_VARIANCE)),
    ks=Decimal("0.2"), ks_p=Decimal("0.005"),
)  # fmt: skip
"""Chance as it is over ten bins of 100 and 1,000 samples: 0.01 times chi-square with 9 degrees of freedom."""


def judged(*features: FeatureDrift, limit: str = "< 0.2", confidence: str | None = "0.95") -> Verdict:
    drift = measured("drift_psi", Drift(features=features, test=100, field=1000), EvidenceClass.STATIC)
    return verdict(budget("drift_psi", limit), [drift], rules(confidence))


def of(index: str, name: str = "x") -> FeatureDrift:
    return replace(FEATURE, psi=Decimal(index), name=name)


@pytest.mark.parametrize("index", ["0.2", "0.5", "3"])
def test_at_its_bounds_the_index_is_as_unlikely_as_stated(index: str) -> None:
    found = judged(of(index))
    assert found.lower is not None
    assert found.upper is not None
    for bound, share in ((found.lower, 0.95), (found.upper, 0.05)):
        assert ncx2.cdf(float(index) / 0.01, 9, float(bound) / 0.01) == pytest.approx(share, abs=1e-4)
    assert found.estimate == Decimal(index) - Decimal("0.09")


@pytest.mark.parametrize(
    ("index", "limit", "expected"),
    [("0.06", "< 0.2", "pass"), ("0.5", "< 0.2", "fail"), ("0.2", "< 0.2", "inconclusive"), ("0.5", "< 0.7", "pass")],
)
def test_a_limit_is_held_or_broken_only_where_chance_does_not_explain_the_index(
    index: str, limit: str, expected: str
) -> None:
    assert judged(of(index), limit=limit).verdict == expected


def test_the_worst_feature_decides_and_is_named() -> None:
    found = judged(of("0.09", "calm"), of("0.8", "moved"), of("0.3", "also"))
    assert found.verdict == "fail"
    assert found.reason.startswith(
        "drift psi: 0.71 above chance, in 'moved', where 100 and 1000 samples have an index of 0.8 and undrifted "
        "ones 0.09; at 95 % confidence at least "
    )


def test_among_many_features_a_limit_is_broken_only_beyond_what_one_of_them_shows_by_chance() -> None:
    alone, crowd = of("0.5"), [of("0.09", f"x{i}") for i in range(199)]
    assert judged(alone).verdict == "fail"
    assert judged(alone, *crowd).verdict == "inconclusive"


def test_an_index_below_chance_proves_no_more_than_chance() -> None:
    assert judged(of("0.001")).upper == judged(of("0.09")).upper
    assert judged(of("0.001")).estimate == 0


@pytest.mark.parametrize(("mean", "variance"), [("0", "0"), ("0.09", "0"), ("0.09", "1e-50"), ("1e-300", "0")])
def test_where_chance_does_not_vary_the_excess_is_exact(mean: str, variance: str) -> None:
    steady = replace(FEATURE, null_mean=Decimal(mean), null_variance=Decimal(variance))
    found = judged(steady)
    assert found.lower is not None
    assert found.upper is not None
    assert found.estimate == pytest.approx(Decimal("0.5") - Decimal(mean))
    assert found.upper - found.lower <= Decimal("0.000001"), "no more than the grid"
    assert found.verdict == "fail"


@pytest.mark.parametrize("variance", ["0.000018", "0.000001", "0.00000002"])
def test_chance_that_varies_little_still_varies(variance: str) -> None:
    found = judged(replace(FEATURE, null_variance=Decimal(variance)))
    multiple, degrees = float(variance) / 0.18, 2 * 0.0081 / float(variance)
    for bound, share in ((found.lower, 0.95), (found.upper, 0.05)):
        assert ncx2.cdf(0.5 / multiple, degrees, float(bound) / multiple) == pytest.approx(share, abs=5e-4)


def test_an_upper_bound_does_not_grow_with_the_number_of_features() -> None:
    assert judged(of("0.5", "a"), of("0.5", "b")).upper == judged(of("0.5")).upper


def test_many_values_a_sample_leave_chance_next_to_nothing() -> None:
    """Ten thousand images: far beyond what is like chance, the bounds go on where scipy's inverse ends."""
    near, far = (
        judged(replace(FEATURE, null_mean=Decimal(scale) * 9, null_variance=Decimal(scale) ** 2 * 18))
        for scale in ("0.0000000051", "0.0000000049")
    )
    assert near.verdict == far.verdict == "fail"
    for found in (near, far):
        assert found.lower is not None
        assert found.upper is not None
        assert float(found.upper - found.lower) == pytest.approx(4 * 1.645 * (0.5 * 5e-9) ** 0.5, rel=0.02)


def test_a_confidence_next_to_certainty_has_a_bound() -> None:
    found = judged(of("0.5"), confidence="0.99999999999999999999")
    assert found.lower == 0


def test_as_a_point_the_estimate_is_compared() -> None:
    assert judged(of("0.28"), confidence=None).verdict == "pass"
    assert judged(of("0.30"), confidence=None).verdict == "fail"
