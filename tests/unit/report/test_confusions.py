"""Which samples it was, where a budget on decisions does not hold."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sample_evidence import quality, table
from sample_reports import WAIVER, budget, judged, passing, target_report

from deployspec.report.confusions import confusions

if TYPE_CHECKING:
    from deployspec.ir.budget import Budget

DIGITS = [[45, 0, 0, 0, 0], [0, 41, 0, 3, 1], [9, 2, 30, 3, 1], [0, 0, 0, 45, 0], [0, 0, 0, 0, 45]]


def told(*budgets: Budget, waived: bool = False) -> tuple[str, ...]:
    target = target_report("server", budgets)
    evidence = replace(quality(table(DIGITS, "01234")), target="server")
    waivers = tuple(replace(WAIVER, target="server", budget=each.name) for each in budgets) if waived else ()
    report = judged(replace(passing(), targets=(target,), measurements=(evidence,), waivers=waivers))
    return confusions(report, target)


def recall(label: str, floor: str = ">= 99 %") -> Budget:
    return budget("recall", floor, label=label)


def test_what_was_missed_and_what_it_was_called() -> None:
    assert told(recall("1")) == ("class '1': 4 of 45 missed, called '3' (3x), '4' (1x)",)


def test_of_many_confusions_the_most_frequent_are_named() -> None:
    assert told(recall("2")) == ("class '2': 15 of 45 missed, called '0' (9x), '3' (3x), '1' (2x), others (1x)",)


def test_what_was_missed_on_the_field_split_says_so() -> None:
    asked = (recall("1"), replace(recall("1"), on_field=True))
    target = target_report("server", asked)
    evidence = replace(quality(table(DIGITS, "01234")), target="server")
    report = judged(replace(passing(), targets=(target,), measurements=(evidence, replace(evidence, split="field"))))
    line = "class '1': 4 of 45 missed, called '3' (3x), '4' (1x)"
    assert confusions(report, target) == (line, f"field: {line}")


def test_of_precision_what_was_taken_for_it() -> None:
    asked = budget("precision", ">= 99 %", label="3")
    assert told(asked) == ("class '3': 6 of 51 predictions wrong, in truth '1' (3x), '2' (3x)",)


def test_f1_has_both_and_two_budgets_of_a_class_tell_it_once() -> None:
    asked = (budget("f1", ">= 99 %", label="1"), recall("1"))
    assert told(*asked) == (
        "class '1': 4 of 45 missed, called '3' (3x), '4' (1x)",
        "class '1': 2 of 43 predictions wrong, in truth '2' (2x)",
    )


def test_over_all_classes_the_most_frequent_pairs() -> None:
    (line,) = told(budget("accuracy", ">= 99 %"))
    assert line == "most often confused: '2' called '0' (9x), '1' called '3' (3x), '2' called '3' (3x), others (4x)"


def test_a_waived_failure_is_told_and_what_holds_is_not() -> None:
    assert told(recall("2"), waived=True) == told(recall("2"))
    assert told(recall("1", ">= 10 %"), budget("accuracy", ">= 50 %")) == ()


def test_a_class_without_a_mistake_has_none_to_tell() -> None:
    assert told(recall("0", ">= 99.99 %")) == ()
