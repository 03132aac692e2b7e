"""Reports that contradict themselves, each in one way."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from sample_evidence import own_budget
from sample_reports import HELD, RULES, budget, failing, measured, passing, quality, unmeasured

from deployspec.ir.evidence import (
    Aggregate,
    Check,
    Churn,
    Classified,
    Count,
    Drift,
    EvidenceClass,
    FeatureDrift,
    Joint,
    Multilabel,
    PairedOutcomes,
    Processes,
    Promise,
    Reduction,
    Scores,
    Share,
    Stability,
)
from deployspec.ir.report import Contract, Deviation, Digest, Import, is_plain_name
from deployspec.ir.verdict import Result
from deployspec.report.consistency import contradictions
from deployspec.units import Dimension

if TYPE_CHECKING:
    from deployspec.ir.evidence import Statistic
    from deployspec.ir.report import Report


@pytest.mark.parametrize("report", [passing(), failing(), unmeasured()])
def test_sound_reports_have_none(report: Report) -> None:
    assert contradictions(report) == ()


def test_tables_of_other_decisions_on_the_same_samples_are_sound() -> None:
    assert contradictions(with_another_table(quality(rare_found=90))) == ()
    assert contradictions(with_another_table(quality(common=590), variant="without near-duplicates")) == ()


def with_target(**fields: Any) -> Report:
    report = passing()
    return replace(report, targets=(report.targets[0], replace(report.targets[1], **fields)))


def with_statistic(statistic: Statistic, name: str = "agreement") -> Report:
    return replace(passing(), measurements=(measured("server", name, statistic),))


def with_agreement(**counts: int) -> Report:
    """The reference finds one sample more than the artifact, and one is missed by both: 698 or 699 of 700 agree."""
    told = measured("server", "agreement", Share(**counts))
    return replace(passing(), measurements=(measured("server", "quality", quality()), told))


def with_churn(n: int) -> Report:
    """100 samples whose decisions were told again, and the agreement over `n`."""
    told = (
        measured("server", "agreement", Share(hits=n, n=n)),
        replace(measured("server", "churn", CHURN), split="test"),
    )
    return replace(passing(), measurements=told)


def with_another_table(table: Classified, variant: str = "") -> Report:
    """A table of the server's, and then another one, by another runtime."""
    more = replace(measured("server", "quality", table), runtime="another", variant=variant)
    plain = [replace(more, statistic=quality(), variant="")] if variant else []
    return replace(passing(), measurements=(measured("server", "quality", quality()), *plain, more))


def with_steps(**fields: Any) -> Report:
    report = passing()
    return replace(report, steps=(replace(report.steps[0], **fields),))


def with_contract(
    tolerance: str = "0.0001", found: tuple[Deviation, ...] = HELD.found, result: str = "cached"
) -> Report:
    made, checked = passing().steps
    held = Contract(tolerance=Decimal(tolerance), found=found)
    return replace(passing(), steps=(made, replace(checked, result=result, contract=held)))


def with_deviation(batch: int = 1, **fields: str) -> Report:
    told = replace(HELD.found[0], batch=batch, **{name: Decimal(text) for name, text in fields.items()})
    return with_contract(found=(told,))


def with_verdict(**fields: Any) -> Report:
    report = passing()
    return replace(report, verdicts=(replace(report.verdicts[0], **fields), *report.verdicts[1:]))


SHORT = Digest(name="x", sha256="0")
IMPORT = Import(
    file=SHORT, signers=(), target="server", artifact=passing().targets[0].artifact or SHORT, stated=EvidenceClass.HOST
)
SIZE = budget("size", "< 20 MB")
LOOSE = replace(SIZE.limit, limit=Decimal(10) ** 9)
UPSIDE_DOWN = budget("size", "> 1 B")
STRANGER = measured("ios", "size", Count(value=Decimal(1)))
MOVED = FeatureDrift(
    name="x",
    psi=Decimal("0.3"),
    null_mean=Decimal("0.2"),
    null_variance=Decimal("0.01"),
    ks=Decimal("0.1"),
    ks_p=Decimal(1),
)


def filled(classes: int, each: int = 1) -> Classified:
    """Both matrices with the same count in every cell."""
    matrix = ((each,) * classes,) * classes
    return Classified(labels=tuple(map(str, range(classes))), confusion=matrix, reference_confusion=matrix, paired=())


def with_drift(*features: FeatureDrift, test: int = 360, name: str = "drift_psi") -> Report:
    return with_statistic(Drift(features=features, test=test, field=50), name)


VARIED = replace(measured("server", "agreement", Share(hits=4, n=5)), variant="by hand")
PAIR = PairedOutcomes(both=96, broken=3, repaired=1, neither=0)
STABLE = Stability(checks=(Check(promise=Promise.FINITE, calls=36),), inputs=("zeros",), batches=(1,))
CHURN = Churn(outcomes=PAIR, noise=Decimal("0.01"))


def checked(**fields: Any) -> Stability:
    return replace(STABLE, checks=(replace(STABLE.checks[0], **fields),))


def test_sound_statistics_of_conduct_are_possible() -> None:
    for name, statistic in (("stable", STABLE), ("stable", checked(broken=2, first="zeros: NaN")), ("churn", CHURN)):
        assert contradictions(with_statistic(statistic, name)) == ()
    assert contradictions(with_churn(n=100)) == ()


LABELS = Multilabel(
    labels=("a", "b"),
    inside=(
        PairedOutcomes(both=40, broken=2, repaired=0, neither=1),
        PairedOutcomes(both=90, broken=0, repaired=0, neither=0),
    ),
    outside=(
        PairedOutcomes(both=55, broken=1, repaired=1, neither=0),
        PairedOutcomes(both=9, broken=1, repaired=0, neither=0),
    ),
)
NEGATIVE = PairedOutcomes(both=-1, broken=2, repaired=0, neither=42)
ERRORS = Scores(
    artifact=(Decimal("0.333333"), Decimal("1.23457"), Decimal(0)),
    reference=(Decimal(2),) * 3,
    aggregate=Aggregate.MEAN,
)
SQUARES = Scores(
    artifact=(Decimal("0.111111"), Decimal("1.52416"), Decimal(0)), reference=(Decimal(4),) * 3,
    aggregate=Aggregate.ROOT_MEAN,
)  # fmt: skip


def many(n: int) -> Scores:
    return replace(ERRORS, artifact=(Decimal(1),) * n, reference=(Decimal(1),) * n)


def with_labels(table: Multilabel | None = None, **counts: int) -> Report:
    """Of 100 samples four are decided otherwise for one label, and one for the other."""
    told = measured("server", "agreement", Share(**counts))
    return replace(passing(), measurements=(measured("server", "quality", table or LABELS), told))


def with_errors(square: Decimal, *more: Decimal, reference: tuple[Decimal, ...] = SQUARES.reference) -> Report:
    """The first error's square is what is asked; the others are there unless `more` stand for them."""
    squares = replace(SQUARES, artifact=(square, *(more or SQUARES.artifact[1:])), reference=reference)
    pair = measured("server", "absolute_error", ERRORS), measured("server", "squared_error", squares)
    return replace(passing(), measurements=pair)


@pytest.mark.parametrize(
    "report",
    [
        with_errors(SQUARES.artifact[0]), with_labels(hits=96, n=100), with_labels(hits=95, n=100),
        with_statistic(replace(many(6000), block=2), "metrics.wer"), with_statistic(LABELS),
        with_target(budgets=(own_budget("wer_rise", "< 1 %", changes="wer"), own_budget("wer", "< 1"))),
    ],
)  # fmt: skip
def test_scores_and_labels_that_can_be_have_none(report: Report) -> None:
    assert contradictions(report) == ()


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
        (with_target(rules=replace(RULES, least={"quality": EvidenceClass.CLAIMED})), "no spec takes 'claimed'"),
        (with_target(budgets=(UPSIDE_DOWN,)), "is not what its text"),
        (with_target(budgets=(replace(UPSIDE_DOWN, ceiling=False),)), "is not what its text"),
        (with_target(budgets=(replace(SIZE, good=UPSIDE_DOWN.limit),)), "is not what its text"),
        (replace(passing(), left_out=("server",)), "target 'server' is there twice"),
        (with_target(steps=()), "do not say whether it was built"),
        (
            replace(with_target(artifact=None, failure="killed"), result=Result.FAILED),
            "the steps of target 'android' do not say whether it was built",
        ),
        (with_target(steps=("float", "int8")), "are not all told of"),
        (with_steps(result="failed"), "do not say whether it was built"),
        (with_steps(result="dreamt of"), "are not all told of"),
        (replace(passing(), steps=passing().steps * 2), "step 'float' is there twice"),
        (with_contract(tolerance="0.000004"), "'float@test' is cached and differs by 0.00000472: 0.000004 is allowed"),
        (with_contract(found=()), "step 'float@test' does not say what came of its contract"),
        (with_contract(result="failed"), "step 'float@test' does not say what came of its contract"),
        (with_contract(tolerance="-5"), "the differences of step 'float@test' are impossible"),
        (with_contract(result="weird"), "step 'float@test' ended as no step does"),
        (with_contract(tolerance="1000000000000000000"), "the differences of step 'float@test' are impossible"),
        (with_deviation(batch=0), "the differences of step 'float@test' are impossible"),
        (with_deviation(difference="-0.1", rms="-0.1"), "the differences of step 'float@test' are impossible"),
        (with_deviation(rms="-0.1"), "the differences of step 'float@test' are impossible"),
        (with_deviation(rms="0.0000032"), "the differences of step 'float@test' are impossible"),
        (with_deviation(agreement="1.01"), "the differences of step 'float@test' are impossible"),
        (replace(passing(), spec=Digest(name="digits.toml", sha256="")), "is no SHA-256 digest"),
        (replace(passing(), data=(Digest(name="test", sha256="A" * 64),)), "is no SHA-256 digest"),
        (with_target(artifact=Digest(name="x", sha256="0")), "is no SHA-256 digest"),
        (replace(passing(), sources=(SHORT,)), "is no SHA-256 digest"),
        (replace(passing(), policies=(SHORT,)), "is no SHA-256 digest"),
        (replace(passing(), policies=(replace(SHORT, sha256="0" * 65),)), "is no SHA-256 digest"),
        (replace(passing(), imports=(IMPORT,)), "is no SHA-256 digest"),
        (replace(passing(), measurements=(replace(STRANGER, target="server", split="test"),)), "impossible"),
        (with_statistic(Count(value=Decimal(-1)), "size"), "impossible"),
        (with_statistic(Processes(values=(Decimal(-1),), calls=100), "latency.p95"), "impossible"),
        (with_statistic(Processes(values=(Decimal(2),), calls=99), "latency.p95"), "impossible"),
        (with_statistic(Processes(values=(Decimal("1.1"),), calls=50), "latency_reduction"), "impossible"),
        (with_statistic(Processes(values=(Decimal("0.5"),), calls=49), "latency_reduction"), "impossible"),
        (with_statistic(Processes(values=(Decimal("-1.1"),), calls=100), "sustained_slowdown"), "impossible"),
        (with_churn(n=101), "is not of the samples that its agreement counts"),
        (with_churn(n=99), "the churn of target 'server' on 'test' is not of the samples that its agreement counts"),
        (with_agreement(hits=697, n=700), "is not that of its confusion matrices"),
        (with_agreement(hits=700, n=700), "is not that of its confusion matrices"),
        (with_agreement(hits=699, n=701), "is not that of its confusion matrices"),
        (with_another_table(quality(common=599, rare=101)), "'server' on 'test' are not of the same samples"),
        (with_another_table(quality(common=601)), "'server' on 'test' are not of the same samples"),
        (replace(passing(), measurements=(STRANGER,)), "'ios', which is no target"),
        (replace(passing(), measurements=passing().measurements * 2), "was measured twice"),
        (replace(passing(), measurements=(VARIED,)), "is counted 'by hand', and not plainly as well"),
        (replace(passing(), measurements=(*passing().measurements, VARIED, VARIED)), "was measured twice"),
        (with_drift(MOVED, name="leakage"), "impossible"),
        (with_statistic(Share(hits=1, n=4), "drift_psi"), "impossible"),
        (with_drift(MOVED, MOVED), "impossible"),
        (with_drift(MOVED, test=0), "impossible"),
        (with_drift(replace(MOVED, psi=Decimal("-0.1"))), "impossible"),
        (with_drift(replace(MOVED, null_mean=Decimal(1))), "impossible"),
        (with_drift(replace(MOVED, null_variance=Decimal(41))), "impossible"),
        (with_drift(replace(MOVED, null_mean=Decimal(0))), "impossible"),
        (with_drift(replace(MOVED, psi=Decimal(100))), "impossible"),
        (with_drift(MOVED, test=10**12 + 1), "impossible"),
        (with_statistic(Reduction(before=Decimal("1E-59"), after=Decimal("0.5"))), "impossible"),
        (with_statistic(Share(hits=0, n=10**12 + 1)), "impossible"),
        (with_statistic(Joint(outcomes=replace(PAIR, both=10**12 + 1)), "quality"), "impossible"),
        (with_statistic(filled(501), "quality"), "impossible"),
        (with_statistic(filled(2001, each=0), "quality"), "impossible"),
        (with_drift(replace(MOVED, ks=Decimal("1.1"))), "impossible"),
        (with_drift(replace(MOVED, ks_p=Decimal(0))), "impossible"),
        (with_statistic(Share(hits=5, n=4)), "impossible"),
        (with_statistic(Share(hits=-1, n=4)), "impossible"),
        (with_statistic(Count(value=Decimal(10) ** 18)), "impossible"),
        (with_statistic(Reduction(before=Decimal(-1), after=Decimal(1))), "impossible"),
        (with_statistic(Processes(values=(Decimal(1),), calls=100, contended=(True, False))), "impossible"),
        (with_statistic(Processes(values=(Decimal(1),), calls=100, least=(Decimal(1), Decimal(1)))), "impossible"),
        (with_statistic(Processes(values=(Decimal(1),), calls=100, least=(Decimal(2),))), "impossible"),
        (with_statistic(Processes(values=(Decimal(1),), calls=100, least=(Decimal(-1),))), "impossible"),
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
        (with_statistic(replace(quality(), top5=690)), "impossible"),
        (with_statistic(replace(LABELS, labels=("a",))), "impossible"),
        (with_statistic(replace(LABELS, labels=("a", "a"))), "impossible"),
        (with_statistic(replace(LABELS, inside=LABELS.inside[:1])), "impossible"),
        (with_statistic(replace(LABELS, outside=(LABELS.outside[0], PAIR))), "impossible"),
        (with_statistic(replace(LABELS, inside=(NEGATIVE, LABELS.inside[1]))), "impossible"),
        (with_statistic(replace(LABELS, excluded=-1)), "impossible"),
        (with_labels(replace(LABELS, labels=(), inside=(), outside=()), hits=97, n=100), "impossible"),
        (with_labels(replace(LABELS, inside=LABELS.inside[:1]), hits=97, n=100), "impossible"),
        (with_labels(hits=97, n=100), "is not that of its confusion matrices"),
        (with_labels(hits=94, n=100), "is not that of its confusion matrices"),
        (with_labels(hits=96, n=101), "is not that of its confusion matrices"),
        (with_statistic(replace(ERRORS, reference=ERRORS.reference[1:]), "absolute_error"), "impossible"),
        (with_statistic(replace(ERRORS, block=0), "absolute_error"), "impossible"),
        (with_statistic(replace(ERRORS, block=2), "absolute_error"), "impossible"),
        (with_statistic(replace(ERRORS, excluded=-1), "absolute_error"), "impossible"),
        (with_statistic(replace(ERRORS, artifact=(Decimal(10) ** 18,) * 3), "absolute_error"), "impossible"),
        (with_statistic(many(10_001), "absolute_error"), "impossible"),
        (with_statistic(replace(many(6000), block=2, aggregate=Aggregate.MEDIAN), "metrics.wer"), "impossible"),
        (with_statistic(replace(ERRORS, aggregate=Aggregate.MEDIAN), "absolute_error"), "impossible"),
        (with_statistic(ERRORS, "squared_error"), "impossible"),
        (with_statistic(replace(SQUARES, artifact=(Decimal(-1),) * 3), "squared_error"), "impossible"),
        (with_errors(SQUARES.artifact[0], reference=(Decimal("3.9"),) * 3), "are not those of its absolute ones"),
        (with_errors(*(Decimal(9),) * 4, reference=(Decimal(9),) * 4), "are not those of its absolute ones"),
        (with_errors(SQUARES.artifact[0] - Decimal("0.0001")), "are not those of its absolute ones"),
        (with_target(budgets=(replace(own_budget("wer", "< 1"), dimension=Dimension.DROP),)), "is not what its text"),
        (with_target(budgets=(replace(own_budget("wer", "< 1"), dimension=Dimension.RISE),)), "is not what its text"),
        (with_target(budgets=(own_budget("wer_rise", "> 1", changes="wer", ceiling=False),)), "is not what its text"),
        (with_statistic(replace(quality(), excluded=-1)), "impossible"),
        (with_statistic(STABLE, "churn"), "impossible"),
        (with_statistic(CHURN, "stable"), "impossible"),
        (with_statistic(Count(value=Decimal(1)), "stable"), "impossible"),
        (with_statistic(quality(), "churn"), "impossible"),
        (with_statistic(replace(STABLE, checks=()), "stable"), "impossible"),
        (with_statistic(replace(STABLE, checks=STABLE.checks * 2), "stable"), "impossible"),
        (with_statistic(replace(STABLE, inputs=()), "stable"), "impossible"),
        (with_statistic(replace(STABLE, batches=(0,)), "stable"), "impossible"),
        (with_statistic(checked(broken=1), "stable"), "impossible"),
        (with_statistic(checked(first="zeros: NaN"), "stable"), "impossible"),
        (with_statistic(checked(broken=37, first="zeros: NaN"), "stable"), "impossible"),
        (with_statistic(replace(CHURN, noise=Decimal(0)), "churn"), "impossible"),
        (with_statistic(replace(CHURN, outcomes=replace(PAIR, both=-1)), "churn"), "impossible"),
        (with_verdict(unit="furlong"), "the figures of 'size' of target 'server' are impossible"),
        (with_verdict(upper=Decimal(10) ** 18), "the figures of 'size' of target 'server' are impossible"),
    ],
)  # fmt: skip
def test_a_contradiction_is_named(report: Report, message: str) -> None:
    assert any(message in each for each in contradictions(report)), contradictions(report)


def test_a_difference_as_large_as_is_allowed_is_no_contradiction() -> None:
    assert contradictions(with_contract(tolerance="0.00000472")) == ()


def test_a_figure_of_two_arithmetics_is_not_measured_twice() -> None:
    report = passing()
    again = tuple(replace(each, runtime="another") for each in report.measurements)
    assert contradictions(replace(report, measurements=(*report.measurements, *again))) == ()


def test_a_drift_that_can_be_is_no_contradiction() -> None:
    assert not any("drift" in each for each in contradictions(with_drift(MOVED)))


@pytest.mark.parametrize("name", ["android", "pixel 8", "digits.tflite", ".hidden", "é"])
def test_plain_names(name: str) -> None:
    assert is_plain_name(name)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b", "c:x", "a\nb", "a\x00b", "\u202egnp", "\x1b[2J"])
def test_names_that_are_not_plain(name: str) -> None:
    assert not is_plain_name(name)
