"""What changed between two reports, and which of it is a regression."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from sample_reports import BUDGETS_OF_EACH, WAIVER, budget, failing, judged, passing, quality, unmeasured

from deployspec.ir.evidence import Count, EvidenceClass, Processes
from deployspec.ir.report import Digest
from deployspec.report.diff import Change, Kind, Sense, diff_promises, diff_reports
from deployspec.report.views import changes as views

if TYPE_CHECKING:
    from deployspec.ir.budget import Budget
    from deployspec.ir.report import Report


def with_budgets(*budgets: Budget) -> Report:
    """The passing report, with these budgets for "android" in place of those of the same name."""
    report = passing()
    named = {each.name: each for each in BUDGETS_OF_EACH} | {each.name: each for each in budgets}
    server, android = report.targets
    return judged(replace(report, targets=(server, replace(android, budgets=tuple(named.values())))))


def with_rules(**changed: Any) -> Report:
    report = passing()
    server, android = report.targets
    return judged(replace(report, targets=(server, replace(android, rules=replace(android.rules, **changed)))))


def with_statistic(name: str, statistic: Any, evidence: EvidenceClass | None = None) -> Report:
    report = passing()
    changed = tuple(
        replace(each, statistic=statistic, evidence=evidence or each.evidence)
        if (each.target, each.name) == ("android", name)
        else each
        for each in report.measurements
    )
    return judged(replace(report, measurements=changed))


def only(changes: tuple[Change, ...], kind: Kind) -> Change:
    (found,) = (each for each in changes if each.kind is kind)
    return found


def times(*values: str) -> Processes:
    return Processes(values=tuple(map(Decimal, values)), calls=100)


def test_a_report_and_itself_differ_in_nothing() -> None:
    assert diff_reports(passing(), passing()) == ()
    assert views.text(()) == "nothing changed\n"


@pytest.mark.parametrize(
    ("was", "now", "sense"),
    [
        (budget("size", "< 20 MB"), budget("size", "< 21 MB"), Sense.WORSE),
        (budget("size", "< 20 MB"), budget("size", "<= 20 MB"), Sense.WORSE),
        (budget("size", "< 20 MB"), budget("size", "< 19 MB"), Sense.BETTER),
        (budget("size", "< 20 MB", good="< 1 MB"), budget("size", "< 20 MB"), Sense.WORSE),
        (budget("size", "< 20 MB"), budget("size", "< 20 MB", good="< 1 MB"), Sense.BETTER),
        (budget("size", "< 20 MB", good="< 1 MB"), budget("size", "< 20 MB", good="< 2 MB"), Sense.WORSE),
        (budget("size", "< 20 MB", good="< 1 MB"), budget("size", "< 19 MB", good="< 2 MB"), Sense.WORSE),
        (budget("accuracy", ">= 90 %"), budget("accuracy", ">= 89.9 %"), Sense.WORSE),
        (budget("accuracy", ">= 90 %"), budget("accuracy", "> 90 %"), Sense.BETTER),
        (budget("accuracy_drop", "< 2 pp"), budget("accuracy_drop", "< 1 %"), Sense.OTHER),
        (budget("size", "< 20 MB"), budget("size", "< 20000 kB"), Sense.OTHER),
    ],
    ids=lambda value: value.limit.text if hasattr(value, "limit") else str(value),
)
def test_a_limit_that_lets_more_pass_is_a_regression(was: Budget, now: Budget, sense: Sense) -> None:
    change = only(diff_promises(with_budgets(was), with_budgets(now)), Kind.BUDGET)
    assert (change.target, change.name, change.sense) == ("android", was.name, sense)
    assert change.is_regression is (sense is Sense.WORSE)


def test_a_budget_that_is_gone_is_a_regression_and_a_new_one_is_none() -> None:
    more = with_budgets(budget("macs", "< 1000000"))
    gone = only(diff_promises(more, passing()), Kind.BUDGET)
    assert (gone.before, gone.after, gone.is_regression) == ("< 1000000", "", True)
    assert only(diff_promises(passing(), more), Kind.BUDGET).sense is Sense.BETTER


@pytest.mark.parametrize(
    ("changed", "worse"),
    [
        ({"confidence": Decimal("0.9")}, True),
        ({"confidence": None}, True),
        ({"confidence": Decimal("0.99")}, False),
        ({"accept_claimed": True}, True),
        ({"min_support": 5}, False),
        ({"least": {"quality": EvidenceClass.HOST, "latency": EvidenceClass.DEVICE}}, False),
        ({"least": {"quality": EvidenceClass.REFERENCE, "latency": EvidenceClass.HOST}}, True),
        ({"seed": 7}, False),
    ],
    ids=str,
)
def test_a_rule_of_proof_that_asks_for_less_is_a_regression(changed: dict[str, Any], worse: bool) -> None:
    change = only(diff_promises(passing(), with_rules(**changed)), Kind.RULE)
    back = only(diff_promises(with_rules(**changed), passing()), Kind.RULE)
    assert change.is_regression is worse
    if "seed" not in changed:
        assert back.is_regression is not worse


@pytest.mark.parametrize(
    ("was", "now", "sense"),
    [
        ("pixel-8", "", Sense.WORSE),
        ("", "pixel-8", Sense.BETTER),
        ("pixel-8", "pixel-9", Sense.OTHER),
    ],
)
def test_a_device_that_is_named_no_more_is_a_regression(was: str, now: str, sense: Sense) -> None:
    report = passing()
    old, new = (
        replace(report, targets=tuple(replace(each, device=device) for each in report.targets)) for device in (was, now)
    )
    changes = [each for each in diff_promises(old, new) if each.kind is Kind.RULE]
    assert [(each.name, each.target, each.sense) for each in changes] == [
        ("device", name, sense) for name in ("server", "android")
    ]


def test_a_rule_that_is_named_no_more_is_a_regression() -> None:
    named = with_rules(least={"quality": EvidenceClass.HOST, "latency": EvidenceClass.DEVICE})
    change = only(diff_promises(named, with_rules(least={"quality": EvidenceClass.HOST})), Kind.RULE)
    assert (change.before, change.after, change.is_regression) == ("device", "host", True)


def test_a_default_that_is_written_out_is_no_change() -> None:
    least = {"quality": EvidenceClass.HOST, "latency": EvidenceClass.HOST, "static": EvidenceClass.STATIC}
    assert diff_promises(passing(), with_rules(least=least)) == ()


def test_changes_are_told_in_the_reports_order() -> None:
    report = passing()
    many = replace(report, targets=tuple(replace(report.targets[0], name=f"t{number}") for number in range(9)))
    gone = [each.name for each in diff_promises(many, report) if each.before and not each.after]
    assert gone == [f"t{number}" for number in range(9)]


def test_a_target_that_is_gone_is_a_regression() -> None:
    report = passing()
    server, _ = report.targets
    change = only(diff_promises(report, replace(report, targets=(server,))), Kind.TARGET)
    assert (change.name, change.before, change.after, change.is_regression) == ("android", "tflite", "", True)


@pytest.mark.parametrize(
    ("was", "now", "sense"),
    [
        ((), (WAIVER,), Sense.WORSE),
        ((WAIVER,), (), Sense.BETTER),
        ((WAIVER,), (replace(WAIVER, expires=date(2026, 4, 1)),), Sense.WORSE),
        ((WAIVER,), (replace(WAIVER, expires=date(2026, 3, 1)),), Sense.BETTER),
        ((WAIVER,), (replace(WAIVER, reason="still no phone"),), Sense.OTHER),
    ],
)
def test_a_waiver_that_is_new_or_longer_is_a_regression(was: Any, now: Any, sense: Sense) -> None:
    change = only(diff_promises(unmeasured(was), unmeasured(now)), Kind.WAIVER)
    assert (change.name, change.sense) == ("latency_p95", sense)
    assert change.is_regression is (sense is Sense.WORSE)


def test_a_verdict_that_got_worse_is_a_regression_of_the_release_too() -> None:
    changes = diff_reports(passing(), failing())
    assert {(each.name, each.before, each.after) for each in changes if each.kind is Kind.VERDICT} == {
        ("recall.rare", "pass", "fail")
    }
    assert only(changes, Kind.RESULT).is_regression
    assert not any(each.is_regression for each in diff_reports(failing(), passing()))


def test_to_waive_what_failed_is_no_regression_of_its_verdict() -> None:
    change = only(diff_reports(unmeasured(), unmeasured((WAIVER,))), Kind.VERDICT)
    assert (change.before, change.after, change.sense) == ("not measured", "waived (not measured)", Sense.BETTER)


def test_a_warning_where_there_was_none_is_a_regression() -> None:
    change = only(diff_reports(passing(), with_statistic("size", Count(value=Decimal(2_000_000)))), Kind.VERDICT)
    assert (change.before, change.after, change.is_regression) == ("pass", "warn", True)


def test_what_is_not_measured_is_as_unproven_as_what_is_inconclusive() -> None:
    change = only(diff_reports(with_statistic("latency.p95", times("3.1")), unmeasured()), Kind.VERDICT)
    assert (change.before, change.after, change.sense) == ("inconclusive", "not measured", Sense.OTHER)


def test_what_a_waiver_covers_is_told_when_it_changes() -> None:
    slow = judged(replace(with_statistic("latency.p95", times(*["900"] * 6)), waivers=(WAIVER,)))
    change = only(diff_reports(unmeasured((WAIVER,)), slow), Kind.VERDICT)
    assert (change.before, change.after) == ("waived (not measured)", "waived (fail)")


def test_weaker_evidence_is_a_regression_though_every_verdict_holds() -> None:
    same = with_statistic("latency.p95", times(*["3.1"] * 6), EvidenceClass.DEVICE)
    change = only(diff_reports(same, with_statistic("latency.p95", times(*["3.1"] * 6))), Kind.EVIDENCE)
    assert (change.before, change.after, change.is_regression) == ("device", "host", True)


def test_figures_of_different_evidence_are_not_compared() -> None:
    slow = with_statistic("latency.p95", times(*["9.1"] * 6), EvidenceClass.DEVICE)
    changes = diff_reports(passing(), slow)
    change = only(changes, Kind.FIGURE)
    assert (change.sense, change.beyond_noise, change.is_worse_figure) == (Sense.OTHER, None, False)
    assert "~ android latency_p95: " in views.text(changes)
    assert views.text(changes).count("  other evidence\n") == views.markdown(changes).count("| other evidence |") == 1


@pytest.mark.parametrize(
    ("after", "sense", "beyond"),
    [
        (times("3.4", "3.5", "3.6", "3.4", "3.5", "3.6"), Sense.WORSE, True),
        (times("2.4", "2.5", "2.6", "2.4", "2.5", "2.6"), Sense.BETTER, True),
        (times("3.11", "3.09", "3.15", "3.12", "3.10", "3.16"), Sense.WORSE, False),
    ],
)
def test_a_figure_is_told_with_whether_it_changed_by_more_than_noise(
    after: Processes, sense: Sense, beyond: bool
) -> None:
    change = only(diff_reports(passing(), with_statistic("latency.p95", after)), Kind.FIGURE)
    assert (change.name, change.sense, change.beyond_noise) == ("latency_p95", sense, beyond)
    assert not change.is_regression
    assert change.is_worse_figure is (sense is Sense.WORSE and beyond)


def test_a_figure_without_an_interval_may_be_noise() -> None:
    one, other = (with_statistic("latency.p95", times(value)) for value in ("3.1", "3.4"))
    change = only(diff_reports(one, other), Kind.FIGURE)
    assert (change.sense, change.beyond_noise, change.is_worse_figure) == (Sense.WORSE, None, False)


@pytest.mark.parametrize("disturbed", [0, 1], ids=["before", "after"])
def test_of_what_the_machine_disturbed_nobody_can_tell_whether_it_is_noise(disturbed: int) -> None:
    slow = times("3.4", "3.5", "3.6", "3.4", "3.5", "3.6")
    sides = [passing(), with_statistic("latency.p95", slow)]
    assert only(diff_reports(*sides), Kind.FIGURE).is_worse_figure
    (quiet,) = (
        each.statistic
        for each in sides[disturbed].measurements
        if (each.target, each.name) == ("android", "latency.p95")
    )
    assert isinstance(quiet, Processes)
    sides[disturbed] = with_statistic("latency.p95", replace(quiet, contended=(False,) * 5 + (True,)))
    changes = diff_reports(*sides)
    change = only(changes, Kind.FIGURE)
    assert (change.sense, change.beyond_noise, change.is_worse_figure) == (Sense.WORSE, None, False)
    assert "  cannot be told from noise\n" in views.text(changes)


def test_a_proof_that_was_lost_to_contention_is_a_regression_of_the_verdict_alone() -> None:
    slow = times("3.4", "300", "300", "3.4", "300", "300")
    disturbed = with_statistic("latency.p95", replace(slow, contended=(False, True, True) * 2))
    changes = diff_reports(passing(), disturbed)
    verdict = only(changes, Kind.VERDICT)
    assert (verdict.before, verdict.after, verdict.is_regression) == ("pass", "inconclusive", True)
    assert not only(changes, Kind.FIGURE).regresses(strict=True)


def test_intervals_that_meet_are_noise() -> None:
    was, now = ("3.1", "3.1", "3.1", "3.1", "3.1", "3.4"), ("3.4", "3.5", "3.5", "3.5", "3.5", "3.5")
    one, other = (with_statistic("latency.p95", times(*values)) for values in (was, now))
    assert only(diff_reports(one, other), Kind.FIGURE).beyond_noise is False


@pytest.mark.parametrize(("before", "after"), [("3.1", "3.4"), ("3.4", "3.1")], ids=["worse", "better"])
@pytest.mark.parametrize("many", [1, 6], ids=["without an interval", "within noise"])
def test_what_may_be_noise_is_marked_neither_worse_nor_better(before: str, after: str, many: int) -> None:
    processes = (times(*((value,) * 5 + ("3.5",))[:many]) for value in (before, after))
    changes = diff_reports(*(with_statistic("latency.p95", each) for each in processes))
    assert only(changes, Kind.FIGURE).sense is not Sense.OTHER
    assert "~ android latency_p95: " in views.text(changes)
    assert "| changed | figure android latency\\_p95 |" in views.markdown(changes)


@pytest.mark.parametrize(("sizes", "sign", "mark"), [((9, 8), "+", "better"), ((8, 9), "-", "**worse**")])
def test_what_is_no_noise_is_marked(sizes: tuple[int, int], sign: str, mark: str) -> None:
    changes = diff_reports(*(with_statistic("size", Count(value=Decimal(size))) for size in sizes))
    assert f"{sign} android size: " in views.text(changes)
    assert f"| {mark} | figure android size |" in views.markdown(changes)


def test_figures_in_other_units_are_not_compared() -> None:
    one, other = (with_budgets(budget("accuracy_drop", limit)) for limit in ("< 2 pp", "< 2 %"))
    assert not [each for each in diff_reports(one, other) if each.kind is Kind.FIGURE]


@pytest.mark.parametrize(("comparator", "sense"), [("<", Sense.WORSE), (">=", Sense.BETTER)])
def test_a_figure_of_a_specs_own_is_better_where_its_limit_says(comparator: str, sense: Sense) -> None:
    one, other = (
        replace(
            passing(), verdicts=(replace(passing().verdicts[0], budget="wer", comparator=comparator, estimate=each),)
        )
        for each in (Decimal("0.1"), Decimal("0.2"))
    )
    assert only(diff_reports(one, other), Kind.FIGURE).sense is sense


def test_a_census_has_no_noise() -> None:
    change = only(diff_reports(passing(), with_statistic("size", Count(value=Decimal(12_346)))), Kind.FIGURE)
    assert (change.name, change.sense, change.beyond_noise) == ("size", Sense.WORSE, True)


def test_an_accuracy_that_fell_is_worse_and_one_that_rose_is_better() -> None:
    less = with_statistic("quality", quality(rare_found=90))
    found = {each.name: each.sense for each in diff_reports(passing(), less) if each.kind is Kind.FIGURE}
    assert found["accuracy"] is found["recall.rare"] is Sense.WORSE
    back = {each.name: each.sense for each in diff_reports(less, passing()) if each.kind is Kind.FIGURE}
    assert back["accuracy"] is Sense.BETTER


def test_what_it_was_made_from_is_told_by_digest() -> None:
    report = passing()
    other = replace(report, spec=replace(report.spec, sha256="f" * 64))
    change = only(diff_reports(report, other), Kind.INPUT)
    assert (change.name, change.after, change.is_regression) == ("spec digits.toml", "f" * 64, False)


@pytest.mark.parametrize(("field", "word"), [("sources", "source"), ("data", "data"), ("policies", "policy")])
def test_every_input_that_is_new_or_gone_is_told(field: str, word: str) -> None:
    report, file = passing(), Digest(name="more", sha256="f" * 64)
    more = replace(report, **{field: (*getattr(report, field), file)})
    for old, new, told in ((report, more, ("", file.sha256)), (more, report, (file.sha256, ""))):
        change = only(diff_reports(old, new), Kind.INPUT)
        assert (change.name, change.before, change.after) == (f"{word} more", *told)


def test_every_view_tells_every_change() -> None:
    changes = diff_reports(passing(), failing())
    text, table, document = views.text(changes), views.markdown(changes), json.loads(views.to_json(changes))
    assert text.startswith("2 regressions in ")
    assert "  - android recall.rare: pass -> fail" in text
    assert "| **worse** | verdict android recall.rare | pass | fail |  |" in table
    assert document["regression"] is True
    assert len(document["changes"]) == len(changes) == text.count("->") + text.count("added, ")
    recall = next(each for each in document["changes"] if (each["kind"], each["name"]) == ("figure", "recall.rare"))
    assert recall["beyondNoise"] is True


def test_names_are_no_markup() -> None:
    change = Change(kind=Kind.TARGET, sense=Sense.OTHER, name="<b>|`x`\x1b", before="a", after="b")
    assert "\\<b\\>\\|\\`x\\`\\\\x1b" in views.markdown([change])
    assert "\x1b" not in views.text([change])
