"""Reports that contradict themselves, each in one way."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from sample_reports import RULES, budget, failing, measured, passing, quality, unmeasured

from deployspec.ir.evidence import Count, EvidenceClass, PairedOutcomes, Processes, Reduction, Share
from deployspec.ir.report import Digest
from deployspec.ir.verdict import Result
from deployspec.report.consistency import contradictions, is_plain_name
from deployspec.units import Dimension

if TYPE_CHECKING:
    from deployspec.ir.evidence import Statistic
    from deployspec.ir.report import Report


@pytest.mark.parametrize("report", [passing(), failing(), unmeasured()])
def test_sound_reports_have_none(report: Report) -> None:
    assert contradictions(report) == ()


def with_target(**fields: Any) -> Report:
    report = passing()
    return replace(report, targets=(report.targets[0], replace(report.targets[1], **fields)))


def with_statistic(statistic: Statistic, name: str = "agreement") -> Report:
    return replace(passing(), measurements=(measured("server", name, statistic),))


def with_agreement(**counts: int) -> Report:
    """The reference finds one sample more than the artifact, and one is missed by both: 698 or 699 of 700 agree."""
    told = measured("server", "agreement", Share(**counts))
    return replace(passing(), measurements=(measured("server", "quality", quality()), told))


def with_steps(**fields: Any) -> Report:
    report = passing()
    return replace(report, steps=(replace(report.steps[0], **fields),))


def with_verdict(**fields: Any) -> Report:
    report = passing()
    return replace(report, verdicts=(replace(report.verdicts[0], **fields), *report.verdicts[1:]))


SIZE = budget("size", "< 20 MB")
LOOSE = replace(SIZE.limit, limit=Decimal(10) ** 9)
UPSIDE_DOWN = budget("size", "> 1 B")
STRANGER = measured("ios", "size", Count(value=Decimal(1)))
PAIR = PairedOutcomes(both=96, broken=3, repaired=1, neither=0)


@pytest.mark.parametrize(
    ("report", "message"),
    [
        (replace(passing(), targets=()), "it has no target"),
        (with_target(name="server"), "target 'server' is there twice"),
        (with_target(name="../server"), "'../server' is not the plain name of a target"),
        (with_target(artifact=Digest(name="../x", sha256="0")), "not the plain name of an artifact"),
        (with_target(artifact=None, failure="killed"), "is released without an artifact"),
        (with_target(failure="killed"), "either an artifact or a failure"),
        (replace(with_target(artifact=None), result=Result.FAILED), "either an artifact or a failure"),
        (with_target(budgets=()), "has no budget"),
        (with_target(budgets=(SIZE, SIZE)), "budget 'size' twice"),
        (with_target(budgets=(replace(SIZE, dimension=Dimension.TIME),)), "is not what its text"),
        (with_target(budgets=(replace(SIZE, ceiling=False),)), "is not what its text"),
        (with_target(budgets=(replace(SIZE, limit=LOOSE),)), "is not what its text"),
        (with_target(budgets=(replace(SIZE, good=replace(SIZE.limit, text="small")),)), "is not what its text"),
        (with_target(rules=replace(RULES, confidence=Decimal("0.4"))), "a confidence of 0.4"),
        (with_target(rules=replace(RULES, confidence=Decimal(1))), "a confidence of 1"),
        (with_target(rules=replace(RULES, min_support=0)), "min_support"),
        (with_target(rules=replace(RULES, seed=-1)), "seed at least 0"),
        (with_target(rules=replace(RULES, least={"beauty": EvidenceClass.HOST})), "no kind of evidence is called"),
        (with_target(rules=replace(RULES, least={"latency": EvidenceClass.CLAIMED})), "no spec takes 'claimed'"),
        (with_target(rules=replace(RULES, least={"latency": EvidenceClass.EMULATOR})), "no spec takes 'emulator'"),
        (with_target(rules=replace(RULES, least={"static": EvidenceClass.CLAIMED})), "no spec takes 'claimed'"),
        (with_target(budgets=(UPSIDE_DOWN,)), "is not what its text"),
        (with_target(budgets=(replace(SIZE, good=UPSIDE_DOWN.limit),)), "is not what its text"),
        (replace(passing(), left_out=("server",)), "target 'server' is there twice"),
        (with_target(steps=()), "do not say whether it was built"),
        (with_target(steps=("float", "int8")), "are not all told of"),
        (with_steps(result="failed"), "do not say whether it was built"),
        (with_steps(result="dreamt of"), "are not all told of"),
        (replace(passing(), steps=passing().steps * 2), "step 'float' is there twice"),
        (replace(passing(), spec=Digest(name="digits.toml", sha256="")), "is no SHA-256 digest"),
        (replace(passing(), data=(Digest(name="test", sha256="A" * 64),)), "is no SHA-256 digest"),
        (with_target(artifact=Digest(name="x", sha256="0")), "is no SHA-256 digest"),
        (replace(passing(), measurements=(replace(STRANGER, target="server", split="test"),)), "impossible"),
        (with_statistic(Count(value=Decimal(-1)), "size"), "impossible"),
        (with_statistic(Processes(values=(Decimal(-1),), calls=100), "latency.p95"), "impossible"),
        (with_statistic(Processes(values=(Decimal(2),), calls=99), "latency.p95"), "impossible"),
        (with_statistic(Processes(values=(Decimal("1.1"),), calls=50), "latency_reduction"), "impossible"),
        (with_agreement(hits=697, n=700), "is not that of its confusion matrices"),
        (with_agreement(hits=700, n=700), "is not that of its confusion matrices"),
        (with_agreement(hits=699, n=701), "is not that of its confusion matrices"),
        (replace(passing(), measurements=(STRANGER,)), "'ios', which is no target"),
        (replace(passing(), measurements=passing().measurements * 2), "was measured twice"),
        (with_statistic(Share(hits=5, n=4)), "impossible"),
        (with_statistic(Share(hits=-1, n=4)), "impossible"),
        (with_statistic(Count(value=Decimal(10) ** 18)), "impossible"),
        (with_statistic(Reduction(before=Decimal(-1), after=Decimal(1))), "impossible"),
        (with_statistic(Processes(values=(Decimal(1),), calls=100, contended=(True, False))), "impossible"),
        (with_statistic(Processes(values=(Decimal(1),), calls=-1)), "impossible"),
        (with_statistic(replace(quality(), labels=("common",))), "impossible"),
        (with_statistic(replace(quality(), labels=("rare", "rare"))), "impossible"),
        (with_statistic(replace(quality(), paired=())), "impossible"),
        (with_statistic(replace(quality(), confusion=((600,), (2, 98)))), "impossible"),
        (with_statistic(replace(quality(), confusion=((600, 0), (-2, 102)))), "impossible"),
        (with_statistic(replace(quality(), confusion=((600, 0), (3, 97)))), "impossible"),
        (with_statistic(replace(quality(), reference_confusion=((600, 0), (2, 99)))), "impossible"),
        (with_statistic(replace(quality(), paired=(quality().paired[0], PAIR))), "impossible"),
        (with_statistic(replace(quality(), rejected=quality().rejected[:1])), "impossible"),
        (with_statistic(replace(quality(), rejected=(quality().rejected[0], PAIR))), "impossible"),
        (with_statistic(replace(quality(), rejected=(PAIR, quality().rejected[1]))), "impossible"),
        (with_statistic(replace(quality(), top5=701)), "impossible"),
        (with_statistic(replace(quality(), excluded=-1)), "impossible"),
        (with_verdict(unit="furlong"), "the figures of 'size' of target 'server' are impossible"),
        (with_verdict(upper=Decimal(10) ** 18), "the figures of 'size' of target 'server' are impossible"),
    ],
)  # fmt: skip
def test_a_contradiction_is_named(report: Report, message: str) -> None:
    assert any(message in each for each in contradictions(report)), contradictions(report)


@pytest.mark.parametrize("name", ["android", "pixel 8", "digits.tflite", ".hidden", "é"])
def test_plain_names(name: str) -> None:
    assert is_plain_name(name)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b", "c:x", "a\nb", "a\x00b", "\u202egnp", "\x1b[2J"])
def test_names_that_are_not_plain(name: str) -> None:
    assert not is_plain_name(name)
