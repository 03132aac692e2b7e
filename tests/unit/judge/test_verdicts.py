"""What evidence counts, what absence means, waivers, and what verdicts mean together."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from sample_evidence import AT, budget, measured, own_budget, processes, quality, rules, scores, table, verdict

from deployspec.ir.budget import BUDGETS, Budget
from deployspec.ir.evidence import Count, EvidenceClass, NotMeasured, Reduction, Share
from deployspec.ir.verdict import Outcome, Result, Waiver
from deployspec.judge import conclude, judge, waiver_findings
from deployspec.units import Bound, Comparator

SIZE = budget("size", "< 20 MB")
LATENCY = budget("latency_p95", "< 100 ms")
GOOD = table([[90, 1], [1, 90]], "ab")


def size_of(value: int) -> list:
    return [measured("size", Count(value=Decimal(value)), EvidenceClass.STATIC)]


def test_a_verdict_carries_figure_limit_and_evidence() -> None:
    found = verdict(budget("recall", ">= 85 %", "3"), [quality(table([[40, 5], [4, 41]], "73"))])
    assert (found.target, found.budget, found.comparator, found.limit, found.unit) == (
        "phone",
        "recall.3",
        ">=",
        "85 %",
        "%",
    )
    assert (found.n, found.evidence, found.estimate) == (45, EvidenceClass.HOST, Decimal("0.911111"))
    assert found.lower == Decimal("0.808023")
    assert found.reason.startswith(
        "recall of class '3': 41 of 45; at 95 % confidence at least 80.8 % and at most 96.91 %, the floor is 85 %"
    )


@pytest.mark.parametrize(
    ("metric", "limit", "said"),
    [
        ("accuracy", ">= 90 %", "accuracy: 180 of 182; at 95 % confidence at least 96.58 %, the floor is 90 %"),
        ("accuracy", ">= 99.9 %", "accuracy: 180 of 182; at 95 % confidence at most 99.81 %, the floor is 99.9 %"),
        (
            "accuracy_drop",
            "< 3 pp",
            "0 broken and 0 repaired of 182 samples; at 95 % confidence at most 1.64 pp, the ceiling is 3 pp",
        ),
    ],
)
def test_the_reason_tells_the_bound_that_decided(metric: str, limit: str, said: str) -> None:
    assert verdict(budget(metric, limit), [quality(GOOD)]).reason.endswith(said)


@pytest.mark.parametrize(("size", "expected"), [(19_999_999, Outcome.PASS), (20_000_000, Outcome.FAIL)])
def test_a_census_is_exact_to_the_byte(size: int, expected: Outcome) -> None:
    found = verdict(SIZE, size_of(size))
    assert (found.verdict, found.estimate, found.lower, found.n) == (expected, size, None, None)


def test_equality_passes_where_the_comparator_allows_it() -> None:
    assert verdict(budget("size", "<= 20 MB"), size_of(20_000_000)).verdict is Outcome.PASS


def test_a_reduction_is_exact_and_one_from_nothing_is_not_measured() -> None:
    asked = budget("size_reduction", ">= 50 %")
    for before, after, expected in ((200, 100, "pass"), (200, 101, "fail"), (0, 0, "not_measured")):
        statistic = Reduction(before=Decimal(before), after=Decimal(after))
        found = verdict(asked, [measured("size_reduction", statistic, EvidenceClass.STATIC)])
        assert found.verdict.value == expected


def test_a_census_of_samples_is_a_share_of_the_split() -> None:
    asked = budget("leakage", "<= 0 %")
    for hits, expected in ((0, Outcome.PASS), (1, Outcome.FAIL)):
        share = measured("leakage", Share(hits=hits, n=900), EvidenceClass.STATIC, split="test")
        assert verdict(asked, [share]).verdict is expected


def test_between_the_good_band_and_the_limit_is_a_warning() -> None:
    banded = budget("size", "< 100 MB", good="< 20 MB")
    outcomes = {size: verdict(banded, size_of(size * 1_000_000)).verdict for size in (19, 20, 99, 100)}
    assert list(outcomes.values()) == [Outcome.PASS, Outcome.WARN, Outcome.WARN, Outcome.FAIL]
    found = verdict(banded, size_of(50_000_000))
    assert (found.good, found.limit) == ("< 20 MB", "100 MB")
    assert "not proven within 20 MB" in found.reason


@pytest.mark.parametrize(
    "evidence",
    [
        [],
        [measured("latency.p95", NotMeasured(reason="the runner crashed"))],
        [measured("latency.p95", processes())],
        [measured("latency.p95", Count(value=Decimal(1)))],
        [replace(measured("latency.p95", processes(*[1] * 6)), target="tablet")],
        [measured("latency.p50", processes(*[1] * 6))],
    ],
)
def test_absence_never_passes(evidence: list) -> None:
    found = verdict(LATENCY, evidence)
    assert (found.verdict, found.estimate) == (Outcome.NOT_MEASURED, None)
    assert found.reason.startswith("latency p95: ")


def test_what_was_not_measured_says_why() -> None:
    assert (
        verdict(LATENCY, [measured("latency.p95", NotMeasured(reason="it crashed"))]).reason
        == "latency p95: it crashed"
    )
    assert verdict(LATENCY, []).reason == "latency p95: nothing measured it"


@pytest.mark.parametrize(
    ("metric", "label"), [("recall", "b"), ("recall_drop", "b"), ("f1", "b"), ("precision", "b"), ("recall", "unknown")]
)
def test_a_class_without_samples_is_not_measured(metric: str, label: str) -> None:
    limit = "< 5 pp" if metric == "recall_drop" else ">= 1 %"
    empty = quality(table([[9, 1], [0, 0]], "ab"))
    assert verdict(budget(metric, limit, label), [empty]).verdict is Outcome.NOT_MEASURED


def test_a_class_that_is_never_predicted_has_no_precision_but_a_recall_and_f1_of_zero() -> None:
    silent = quality(table([[10, 0], [30, 0]], "ab"))
    assert verdict(budget("precision", ">= 1 %", "b"), [silent]).verdict is Outcome.NOT_MEASURED
    for metric in ("recall", "f1"):
        found = verdict(budget(metric, ">= 50 %", "b"), [silent])
        assert (found.verdict, found.estimate) == (Outcome.FAIL, 0)


def test_an_empty_split_is_not_measured() -> None:
    assert (
        verdict(budget("accuracy", ">= 1 %"), [quality(table([[0, 0], [0, 0]], "ab"))]).verdict is Outcome.NOT_MEASURED
    )
    assert (
        verdict(budget("agreement", ">= 1 %"), [measured("agreement", Share(hits=0, n=0), split="test")]).estimate
        is None
    )


def test_the_field_split_is_judged_on_field_evidence_only() -> None:
    asked = budget("accuracy", ">= 90 %", on_field=True)
    assert verdict(asked, [quality(GOOD)]).verdict is Outcome.NOT_MEASURED
    assert verdict(asked, [quality(GOOD, split="field")]).verdict is Outcome.PASS
    assert verdict(asked, [quality(GOOD, split="")]).verdict is Outcome.NOT_MEASURED


def test_too_few_samples_of_a_class_are_inconclusive_whatever_the_figure() -> None:
    asked, evidence = budget("recall", ">= 1 %", "b"), [quality(GOOD)]
    assert verdict(asked, evidence, rules(min_support=91)).verdict is Outcome.PASS
    for confidence in ("0.95", None):
        found = verdict(asked, evidence, rules(confidence, min_support=92))
        assert found.verdict is Outcome.INCONCLUSIVE
        assert "class 'b' has 91 samples, min_support asks for 92" in found.reason


def test_top5_accuracy_needs_a_ranking() -> None:
    asked = budget("top5_accuracy", ">= 90 %")
    assert verdict(asked, [quality(GOOD)]).verdict is Outcome.NOT_MEASURED
    assert verdict(asked, [quality(replace(GOOD, top5=182))]).verdict is Outcome.PASS


def test_of_few_classes_each_is_among_the_five_best() -> None:
    found = verdict(budget("top5_accuracy", ">= 90 %"), [quality(GOOD)])
    assert found.reason == "top5 accuracy: with five classes or fewer, each is among the five best"


def test_a_metric_of_the_specs_own_is_judged_from_scores_under_its_name_only() -> None:
    own = own_budget("load", "< 0.1")
    assert verdict(own, [measured("load", processes(0, 0, 0, 0, 0, 0))]).reason == "load: nothing measured it"
    assert verdict(own, [measured("metrics.load", scores([0.01] * 90), split="test")]).verdict is Outcome.PASS
    assert verdict(own, [measured("metrics.load", scores([0.01] * 90), split="field")]).verdict is Outcome.NOT_MEASURED


def test_absence_is_told() -> None:
    found = verdict(LATENCY, [])
    assert (found.verdict, found.reason) == (Outcome.NOT_MEASURED, "latency p95: nothing measured it")


def test_no_reason_tells_a_short_time_as_zero() -> None:
    fast = measured("latency.p95", processes(*["0.0041"] * 24))
    assert verdict(LATENCY, [fast]).reason == (
        "latency p95: 4.1 us, the median of 6 processes; at 95 % confidence at most 4.1 us, the ceiling is 100 ms"
    )
    tiny = measured("latency.p95", processes(*["0.000001"] * 6))
    assert "latency p95: 0.001 us," in verdict(LATENCY, [tiny]).reason


def test_the_good_band_keeps_its_own_comparator() -> None:
    banded = budget("accuracy", ">= 80 %", good="> 90 %")
    found = verdict(banded, [])
    assert (found.comparator, found.limit, found.good) == (">=", "80 %", "> 90 %")


def test_weaker_evidence_is_shown_and_never_passes() -> None:
    found = verdict(LATENCY, [measured("latency.p95", processes(*[40] * 6))], rules(latency=EvidenceClass.DEVICE))
    assert (found.verdict, found.estimate, found.evidence) == (Outcome.NOT_MEASURED, 40, EvidenceClass.HOST)
    assert (
        "the evidence is of class 'host', the spec requires 'device'; the weaker figure: latency p95: 40 ms"
        in found.reason
    )


def test_an_emulator_counts_for_quality_and_never_for_time() -> None:
    quick = measured("latency.p95", processes(*[40] * 6), EvidenceClass.EMULATOR)
    assert verdict(LATENCY, [quick]).verdict is Outcome.NOT_MEASURED
    for name, limit in (("memory_peak", "< 200 MB"), ("energy", "< 3 mJ")):
        little = measured(name, processes(*[1] * 6), EvidenceClass.EMULATOR)
        found = verdict(budget(name, limit), [little])
        assert (found.verdict, "an emulator says nothing about" in found.reason) == (Outcome.NOT_MEASURED, True)
    right = replace(quality(GOOD), evidence=EvidenceClass.EMULATOR)
    assert verdict(budget("accuracy", ">= 90 %"), [right]).verdict is Outcome.PASS


def test_the_best_evidence_decides_and_claims_never_win() -> None:
    def p95(ms: int, evidence: EvidenceClass) -> object:
        return measured("latency.p95", processes(*[ms] * 6), evidence)

    claimed, host, device = p95(1, EvidenceClass.CLAIMED), p95(200, EvidenceClass.HOST), p95(300, EvidenceClass.DEVICE)
    assert verdict(LATENCY, [claimed, host, device]).estimate == 300
    assert verdict(LATENCY, [claimed, host]).estimate == 200
    alone = verdict(LATENCY, [claimed])
    assert (alone.verdict, alone.estimate) == (Outcome.NOT_MEASURED, 1)


def waiver(name: str = "latency_p95", target: str = "phone", expires: date = date(2026, 12, 31)) -> Waiver:
    return Waiver(target=target, budget=name, reason="no lab", approver="release@example.com", expires=expires)


@pytest.mark.parametrize(
    ("evidence", "covered"),
    [
        ([measured("latency.p95", processes(*[200] * 6))], Outcome.FAIL),
        ([measured("latency.p95", processes(*[90, 110] * 3))], Outcome.INCONCLUSIVE),
        ([], Outcome.NOT_MEASURED),
    ],
)
def test_a_waiver_covers_and_keeps_the_figures(evidence: list, covered: Outcome) -> None:
    bare, waived = verdict(LATENCY, evidence), verdict(LATENCY, evidence, waivers=[waiver()])
    assert (waived.verdict, waived.waived) == (Outcome.WAIVED, covered)
    assert replace(waived, verdict=covered, waived=None) == bare


@pytest.mark.parametrize("other", [waiver("latency_p50"), waiver(target="tablet"), waiver(expires=date(2026, 5, 31))])
def test_a_waiver_of_something_else_or_of_yesterday_covers_nothing(other: Waiver) -> None:
    assert verdict(LATENCY, [], waivers=[other]).verdict is Outcome.NOT_MEASURED


def test_a_waiver_holds_through_the_last_second_of_its_day() -> None:
    last = waiver(expires=date(2026, 6, 1))
    for moment, expected in (
        (datetime(2026, 6, 1, 23, 59, 59, 999_999, tzinfo=UTC), Outcome.WAIVED),
        (datetime(2026, 6, 2, tzinfo=UTC), Outcome.NOT_MEASURED),
    ):
        (found,) = judge("phone", [LATENCY], [], rules(), [last], moment)
        assert found.verdict is expected


def test_a_warning_releases_by_itself_and_stays_one_under_a_waiver() -> None:
    found = verdict(budget("size", "< 100 MB", good="< 20 MB"), size_of(50_000_000), waivers=[waiver("size")])
    assert (found.verdict, found.waived) == (Outcome.WARN, None)


def test_unused_and_expired_waivers_are_listed() -> None:
    waivers = [waiver(), waiver("size"), waiver("size", expires=date(2026, 5, 31))]
    verdicts = judge("phone", [LATENCY, SIZE], size_of(1), rules(), waivers, AT)
    assert waiver_findings(waivers, verdicts, AT) == (
        "the waiver of size on phone, by release@example.com, is unused: there is nothing to waive",
        "the waiver of size on phone, by release@example.com, expired after 2026-05-31 and counts as absent",
    )


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([], Result.UNPROVEN),
        ([Outcome.PASS, Outcome.WARN, Outcome.WAIVED], Result.PASSED),
        ([Outcome.PASS, Outcome.INCONCLUSIVE], Result.UNPROVEN),
        ([Outcome.PASS, Outcome.NOT_MEASURED], Result.UNPROVEN),
        ([Outcome.NOT_MEASURED, Outcome.FAIL], Result.FAILED),
    ],
)
def test_what_verdicts_mean_together(found: list[Outcome], expected: Result) -> None:
    one = verdict(SIZE, size_of(1))
    assert conclude([replace(one, verdict=each) for each in found]) is expected


@pytest.mark.parametrize(("outcome", "expected"), [(Outcome.WAIVED, Result.UNPROVEN), (Outcome.FAIL, Result.FAILED)])
def test_no_waiver_stands_for_an_artifact_that_was_not_built(outcome: Outcome, expected: Result) -> None:
    found = [replace(verdict(SIZE, size_of(1)), verdict=outcome)]
    assert conclude(found, complete=False) is expected


def test_strict_counts_a_warning_as_a_failure() -> None:
    warned = verdict(budget("size", "< 100 MB", good="< 20 MB"), size_of(50_000_000))
    assert conclude([warned]) is Result.PASSED
    assert conclude([warned], strict=True) is Result.FAILED
    assert conclude([replace(warned, verdict=Outcome.WAIVED)], strict=True) is Result.PASSED


def test_every_budget_of_the_table_gets_a_verdict_and_passes_nothing_without_evidence() -> None:
    budgets = [
        Budget(metric=name, limit=Bound(Comparator.GE, Decimal(0), text=">= 0"), dimension=row.dimension)
        for name, row in BUDGETS.items()
    ]
    verdicts = judge("phone", budgets, [], rules(), [], AT)
    assert [each.budget for each in verdicts] == list(BUDGETS)
    assert {each.verdict for each in verdicts} == {Outcome.NOT_MEASURED}


def runs(*tables: list[list[int]]) -> list:
    """The same split in several arithmetics of one evaluator."""
    return [
        replace(quality(table(each, "ab")), evidence=EvidenceClass.REFERENCE, runtime=f"evaluator 1, mode {i}")
        for i, each in enumerate(tables)
    ]


EVALUATED = rules(quality=EvidenceClass.REFERENCE)


def test_a_verdict_stands_where_every_arithmetic_agrees_on_it() -> None:
    asked = budget("accuracy", ">= 90 %")
    found = verdict(asked, runs([[90, 1], [1, 90]], [[91, 0], [1, 90]]), EVALUATED)
    assert (found.verdict, found.evidence) == (Outcome.PASS, EvidenceClass.REFERENCE)
    assert found.reason.startswith("accuracy: 180 of 182")


def test_arithmetics_that_disagree_leave_it_to_a_device() -> None:
    asked = budget("accuracy", ">= 90 %")
    found = verdict(asked, runs([[90, 1], [1, 90]], [[60, 31], [30, 61]]), EVALUATED)
    assert found.verdict is Outcome.INCONCLUSIVE
    told = "evaluator 1, mode 0: pass, evaluator 1, mode 1: fail"
    assert found.reason == f"precision-sensitive, needs a device ({told})"
    assert found.estimate == Decimal("0.989011"), "the first one's figure is shown"


def test_of_better_evidence_a_weaker_one_takes_nothing() -> None:
    asked = budget("accuracy", ">= 90 %")
    on_device = replace(quality(GOOD), evidence=EvidenceClass.DEVICE)
    found = verdict(asked, [*runs([[60, 31], [30, 61]], [[90, 1], [1, 90]]), on_device], EVALUATED)
    assert (found.verdict, found.evidence) == (Outcome.PASS, EvidenceClass.DEVICE)


def test_a_verdict_that_hangs_on_the_way_of_counting_is_inconclusive_and_says_which_way_flips_it() -> None:
    asked, plain = budget("accuracy", ">= 90 %"), quality(GOOD)
    alike, unlike = (
        replace(quality(table(each, "ab")), variant="without doubles")
        for each in ([[85, 1], [1, 85]], [[9, 6], [1, 9]])
    )
    assert verdict(asked, [alike, plain]).reason == verdict(asked, [plain]).reason, "the plain way is shown"
    found = verdict(asked, [unlike, plain])
    assert (found.verdict, found.estimate) == (Outcome.INCONCLUSIVE, Decimal("0.989011"))
    plainly, _, otherwise = found.reason.partition(", without doubles ")
    assert plainly == (
        "accuracy: with doubles pass (180 of 182; at 95 % confidence at least 96.58 %, the floor is 90 %)"
    )
    assert otherwise.startswith("fail (18 of 25; at 95 % confidence at most ")
    assert otherwise.endswith("): take the doubles out of the split")
