"""Verdicts on conduct: an artifact is stable when every promise was tried and none was broken; churn is paired."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from sample_evidence import budget, measured, outcomes, quality, rules, table, verdict

from deployspec.ir.evidence import Check, Churn, EvidenceClass, Promise, Stability
from deployspec.ir.verdict import Outcome, Verdict

STABLE = budget("stable", ">= 1")
CHURN = budget("churn", "< 1 pp")
KEPT = Stability(
    checks=tuple(Check(promise=promise, calls=36) for promise in Promise), inputs=("zeros", "a sample"), batches=(1,)
)


def breaking(promise: Promise, first: str = "zeros: NaN or Inf") -> Stability:
    """The same, but that 4 calls broke the promise."""
    checks = [replace(each, broken=4, first=first) if each.promise is promise else each for each in KEPT.checks]
    return replace(KEPT, checks=tuple(checks))


def stable(seen: Stability, evidence: EvidenceClass = EvidenceClass.HOST) -> Verdict:
    return verdict(STABLE, [measured("stable", seen, evidence)])


def test_what_kept_every_promise_is_stable() -> None:
    found = stable(KEPT)
    assert (found.verdict, found.estimate, found.lower, found.n) == (Outcome.PASS, 1, None, None)
    assert found.reason == "stable: 2 inputs from all over the legal range: finite, of one form, and the same again"


def test_the_largest_batch_is_told() -> None:
    assert "the legal range, in batches of up to 8: finite" in stable(replace(KEPT, batches=(1, 2, 8))).reason


@pytest.mark.parametrize("promise", Promise)
def test_one_broken_promise_is_enough_to_fail(promise: Promise) -> None:
    found = stable(breaking(promise))
    assert (found.verdict, found.estimate) == (Outcome.FAIL, 0)
    assert found.reason.endswith("in 4 of 36 calls, first: zeros: NaN or Inf")


def test_every_broken_promise_is_told() -> None:
    both = (*breaking(Promise.FORM).checks[:3], *breaking(Promise.REPEATS).checks[3:])
    assert stable(replace(KEPT, checks=both)).reason.count("in 4 of 36 calls") == 2


@pytest.mark.parametrize("promise", Promise)
def test_a_promise_that_no_call_was_held_to_is_not_kept(promise: Promise) -> None:
    unasked = tuple(replace(each, calls=0) if each.promise is promise else each for each in KEPT.checks)
    left_out = tuple(each for each in KEPT.checks if each.promise is not promise)
    for checks in (unasked, left_out):
        found = stable(replace(KEPT, checks=checks))
        assert found.verdict is Outcome.NOT_MEASURED
        assert found.reason == f"stable: no call tested '{promise}'"


def test_a_crash_fails_whatever_could_not_be_tried_after_it() -> None:
    crashed = Check(promise=Promise.ANSWERS, calls=1, broken=1, first="zeros: killed by SIGSEGV")
    untried = (Check(promise=each, calls=0) for each in Promise if each is not Promise.ANSWERS)
    found = stable(replace(KEPT, checks=(crashed, *untried)))
    assert found.verdict is Outcome.FAIL
    assert "it does not answer in 1 of 1 calls, first: zeros: killed by SIGSEGV" in found.reason


def test_arithmetics_that_differ_need_a_device() -> None:
    runs = [
        replace(measured("stable", seen, EvidenceClass.REFERENCE), runtime=runtime)
        for seen, runtime in ((KEPT, "fp64"), (breaking(Promise.FINITE), "fp16acc"))
    ]
    found = verdict(STABLE, runs, rules(quality=EvidenceClass.REFERENCE))
    assert found.verdict is Outcome.INCONCLUSIVE
    assert "precision-sensitive, needs a device (fp64: pass, fp16acc: fail)" in found.reason


def test_evidence_below_the_least_class_is_no_proof() -> None:
    assert stable(KEPT, EvidenceClass.REFERENCE).verdict is Outcome.NOT_MEASURED


def churn(broken: int, repaired: int, n: int, limit: str = "< 1 pp") -> Verdict:
    counted = Churn(outcomes=outcomes(n - broken - repaired - 7, broken, repaired, 7), noise=Decimal("0.01"))
    return verdict(budget("churn", limit), [measured("churn", counted, split="test")])


def test_churn_is_what_the_artifact_changes_beyond_the_reference() -> None:
    found = churn(5, 2, 1000)
    assert (found.verdict, found.estimate, found.n) == (Outcome.PASS, Decimal("0.003"), 1000)
    assert found.reason.startswith(
        "churn: 5 changed by the artifact alone and 2 by the reference alone, of 1000; at 95"
    )


def test_churn_is_judged_as_a_paired_drop() -> None:
    lost = table([[990, 10]] * 2, "ab")
    right = outcomes(986, 5, 2, 7), outcomes(3, 0, 0, 997)
    drop = verdict(budget("recall_drop", "< 1 pp", "a"), [quality(replace(lost, paired=right))])
    found = churn(5, 2, 1000)
    assert (found.lower, found.upper) == (drop.lower, drop.upper)


@pytest.mark.parametrize(
    ("broken", "n", "expected"),
    [(0, 299, Outcome.PASS), (0, 200, Outcome.INCONCLUSIVE), (40, 1000, Outcome.FAIL)],
)
def test_few_samples_prove_little(broken: int, n: int, expected: Outcome) -> None:
    assert churn(broken, 0, n).verdict is expected


def test_churn_of_no_sample_is_not_measured() -> None:
    nothing = Churn(outcomes=outcomes(0, 0, 0, 0), noise=Decimal("0.01"))
    assert verdict(CHURN, [measured("churn", nothing, split="test")]).verdict is Outcome.NOT_MEASURED
