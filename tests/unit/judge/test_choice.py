"""Several classes of evidence for one budget: the best that counts decides, and the weaker is shown."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from sample_evidence import budget, measured, outcomes, processes, pruned, quality, rules, table, verdict

from deployspec.ir.evidence import Classified, EvidenceClass, Joint, Measurement, NotMeasured
from deployspec.ir.verdict import Outcome

if TYPE_CHECKING:
    from deployspec.ir.budget import Budget

CLAIMED, DEVICE, EMULATOR, HOST = (EvidenceClass(each) for each in ("claimed", "device", "emulator", "host"))
ASKED = budget("latency_p95", "< 10 ms")
MARGINS = Classified(
    labels=pruned().labels, confusion=pruned().confusion, reference_confusion=pruned().reference_confusion, paired=()
)


def p95(time: int, evidence: EvidenceClass) -> Measurement:
    return measured("latency.p95", processes(*[time] * 6), evidence)


def absent(evidence: EvidenceClass) -> Measurement:
    return measured("latency.p95", NotMeasured(reason="no phone here"), evidence)


@pytest.mark.parametrize("first", [0, 1])
def test_better_evidence_decides_and_the_weaker_is_shown(first: int) -> None:
    both = [p95(5, HOST), p95(20, DEVICE)]
    found = verdict(ASKED, [both[first], both[1 - first]])
    assert (found.verdict, found.evidence, found.estimate) == (Outcome.FAIL, DEVICE, 20)
    assert found.reason.endswith("; host evidence says 5 ms")


def test_claims_never_win_and_are_shown() -> None:
    found = verdict(ASKED, [p95(1, CLAIMED), p95(20, HOST)])
    assert (found.verdict, found.evidence) == (Outcome.FAIL, HOST)
    assert found.reason.endswith("; claimed evidence says 1 ms")
    alone = verdict(ASKED, [p95(1, CLAIMED)])
    assert (alone.verdict, alone.estimate) == (Outcome.NOT_MEASURED, 1)


def test_what_nobody_could_measure_never_hides_what_somebody_did() -> None:
    found = verdict(ASKED, [absent(DEVICE), p95(5, HOST)])
    assert (found.verdict, found.evidence) == (Outcome.PASS, HOST)
    assert "no phone here" in verdict(ASKED, [absent(DEVICE)]).reason
    assert verdict(ASKED, [absent(HOST), p95(5, CLAIMED)]).estimate == 5


def test_what_one_run_of_a_class_could_not_measure_leaves_no_room_for_a_weaker_class() -> None:
    found = verdict(ASKED, [p95(20, DEVICE), replace(absent(DEVICE), runtime="other"), p95(5, HOST)])
    assert (found.verdict, found.evidence) == (Outcome.INCONCLUSIVE, DEVICE)


def test_an_emulator_says_nothing_of_time_and_does_not_hide_the_host() -> None:
    found = verdict(ASKED, [p95(1, EMULATOR), p95(5, HOST)])
    assert (found.verdict, found.evidence) == (Outcome.PASS, HOST)
    assert "an emulator says nothing about latency" in verdict(ASKED, [p95(1, EMULATOR)]).reason


def test_a_device_that_is_asked_for_is_not_replaced_by_the_host() -> None:
    found = verdict(ASKED, [p95(5, HOST)], rules(latency=DEVICE))
    assert (found.verdict, found.estimate) == (Outcome.NOT_MEASURED, 5)
    assert verdict(ASKED, [p95(5, HOST), p95(6, DEVICE)], rules(latency=DEVICE)).verdict is Outcome.PASS


@pytest.mark.parametrize(
    ("asked", "estimate"),
    [
        (budget("accuracy_drop", "< 2 pp"), "0.05"),
        (budget("accuracy_drop", "< 2 %"), "0.054054"),
        (budget("recall_drop", "< 2 pp", "positive"), "0.052632"),
        (budget("precision_drop", "< 2 pp", "positive"), "0.05"),
    ],
)
def test_margins_decide_a_drop_as_a_point_or_not_at_all(asked: Budget, estimate: str) -> None:
    bounded = verdict(asked, [quality(MARGINS)])
    assert (bounded.verdict, bounded.estimate) == (Outcome.NOT_MEASURED, None)
    assert "only the margins" in bounded.reason
    point = verdict(asked, [quality(MARGINS)], rules(None))
    assert (point.verdict, point.estimate) == (Outcome.FAIL, Decimal(estimate))
    paired = verdict(asked, [quality(pruned())], rules(None))
    assert point.estimate == paired.estimate


@pytest.mark.parametrize("confidence", ["0.95", None])
def test_without_a_reference_there_is_no_drop(confidence: str | None) -> None:
    alone = Classified(labels=pruned().labels, confusion=pruned().confusion, reference_confusion=(), paired=())
    for asked in (budget("accuracy_drop", "< 2 pp"), budget("precision_drop", "< 2 pp", "positive")):
        found = verdict(asked, [quality(alone)], rules(confidence))
        assert (found.verdict, found.estimate) == (Outcome.NOT_MEASURED, None)
        assert "tells nothing of the reference" in found.reason
    assert verdict(budget("accuracy", ">= 80 %"), [quality(alone)], rules(confidence)).verdict is Outcome.PASS


def test_joint_outcomes_decide_accuracy_and_its_drop_and_nothing_of_a_class() -> None:
    evidence = [quality(Joint(outcomes=outcomes(175, 10, 0, 15)))]
    drop = verdict(budget("accuracy_drop", "< 2 pp"), evidence)
    assert (drop.verdict, drop.estimate, drop.n) == (Outcome.FAIL, Decimal("0.05"), 200)
    assert drop == verdict(budget("accuracy_drop", "< 2 pp"), [quality(pruned())])
    assert verdict(budget("accuracy", ">= 80 %"), evidence).estimate == Decimal("0.875")
    for asked in (budget("recall", ">= 80 %", "positive"), budget("macro_f1", ">= 80 %")):
        found = verdict(asked, evidence)
        assert (found.verdict, found.estimate) == (Outcome.NOT_MEASURED, None)
        assert "nothing about classes" in found.reason
    empty = verdict(budget("accuracy", ">= 0 %"), [quality(Joint(outcomes=outcomes(0, 0, 0, 0)))])
    assert empty.verdict is Outcome.NOT_MEASURED


def test_margins_of_a_reference_that_is_never_right_lose_nothing_relative_to_it() -> None:
    margins = table([[0, 2], [2, 0]], "ab", reference=[[0, 2], [2, 0]], paired=())
    found = verdict(budget("accuracy_drop", "< 2 %"), [quality(margins)], rules(None))
    assert (found.verdict, found.estimate) == (Outcome.NOT_MEASURED, None)
