"""What other tools read of a report, read by tools that others wrote."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from junitparser import Error, Failure, JUnitXml, Skipped
from sample_reports import WAIVER, budget, envelope, failing, judged, passing, unmeasured

from deployspec.digests import sha256_bytes
from deployspec.ir.verdict import Outcome
from deployspec.report.exports import cyclonedx, github, junit

if TYPE_CHECKING:
    from deployspec.ir.report import Report

REPORTS = {
    "passing": passing(),
    "failing": failing(),
    "unproven": unmeasured(),
    "waived": unmeasured((WAIVER,)),
    "warned": judged(
        replace(
            passing(),
            targets=(
                passing().targets[0],
                replace(passing().targets[1], budgets=(budget("size", "< 20 MB", good="< 1 kB"),)),
            ),
        )
    ),
}


@pytest.mark.parametrize("name", REPORTS)
def test_a_bill_of_materials_is_what_the_strict_schema_of_1_6_asks_for(name: str) -> None:
    report = REPORTS[name]
    text = cyclonedx.render(report, envelope(report))
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert cyclonedx.render(report, envelope(report)) == text


def test_a_model_card_tells_each_figure_with_its_interval_and_its_class() -> None:
    report = failing()
    document = json.loads(cyclonedx.render(report, envelope(report)))
    android = next(each for each in document["components"] if each.get("bom-ref") == "android")
    metrics = android["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]
    recall = next(each for each in metrics if each["type"] == "recall")
    assert recall["slice"] == "class rare"
    assert recall["value"] == "12 %"
    assert set(recall["confidenceInterval"]) == {"lowerBound", "upperBound"}
    size = next(each for each in metrics if each["type"] == "size")
    assert (size["value"], "confidenceInterval" in size) == ("12345 B", False)
    assert {"name": "deployspec:verdict:recall.rare", "value": "fail"} in android["properties"]
    assert document["externalReferences"][0]["hashes"][0]["content"] == sha256_bytes(envelope(report))


def test_the_validator_would_find_a_card_that_is_wrong() -> None:
    document = json.loads(cyclonedx.render(passing(), b""))
    document["components"][0]["modelCard"]["quantitativeAnalysis"]["performanceMetrics"][0]["estimate"] = 1
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(document)) is not None


def cases(report: Report) -> dict[str, list[type]]:
    """By verdict, what JUnit's reader says of the case."""
    document = JUnitXml.fromstring(junit.render(report, envelope(report)).encode())
    found: dict[str, list[type]] = {}
    named = {(each.target, each.budget): each.verdict for each in report.verdicts}
    for suite in document:
        for case in suite:
            verdict = named[case.classname, case.name.partition(" ")[0]]
            found.setdefault(verdict.value, []).append(type(case.result[0]) if case.result else type(None))
    return found


@pytest.mark.parametrize(
    ("name", "verdict", "result"),
    [
        ("passing", Outcome.PASS, type(None)),
        ("failing", Outcome.FAIL, Failure),
        ("unproven", Outcome.NOT_MEASURED, Error),
        ("waived", Outcome.WAIVED, Skipped),
        ("warned", Outcome.WARN, type(None)),
    ],
)
def test_junit_shows_each_budget_as_a_case(name: str, verdict: Outcome, result: type) -> None:
    found = cases(REPORTS[name])
    assert set(found[verdict.value]) == {result}
    assert sum(map(len, found.values())) == len(REPORTS[name].verdicts)


def test_junit_counts_what_failed_and_says_that_it_is_derived() -> None:
    document = JUnitXml.fromstring(junit.render(failing(), b"x").encode())
    assert (document.tests, document.failures, document.errors) == (10, 1, 0)
    properties = {each.name: each.value for suite in document for each in suite.properties()}
    assert properties["note"] == "derived from a report, and not signed itself: verify the report"
    assert properties["report.sha256"] == sha256_bytes(b"x")


def test_a_name_that_no_xml_can_hold_is_shown_with_a_mark() -> None:
    report = replace(passing(), targets=tuple(replace(each, format="a\x00<b>") for each in passing().targets))
    document = JUnitXml.fromstring(junit.render(report, b"").encode())
    assert next(iter(document)).name == "server (a\N{REPLACEMENT CHARACTER}<b>)"


def test_github_is_told_of_what_did_not_pass_and_of_nothing_else() -> None:
    lines = github.render(failing()).splitlines()
    assert lines[0].startswith("::notice title=deployspec::NOT RELEASED: 1 of 10 budgets failed: android recall.rare")
    assert [line.partition("::")[2].partition("::")[0] for line in lines[1:]] == [
        "error title=android recall.rare%3A fail"
    ]
    assert len(github.render(passing()).splitlines()) == 1
    assert "::warning title=android latency_p95%3A waived (not measured)::" in github.render(REPORTS["waived"])


def test_a_workflow_command_is_one_line_whatever_the_report_says() -> None:
    verdicts = tuple(
        replace(each, verdict=Outcome.FAIL, reason="a\n::error::b 100%", target="x,y:z")
        for each in passing().verdicts[:1]
    )
    lines = github.render(replace(failing(), verdicts=verdicts)).splitlines()
    assert lines[1:] == ["::error title=x%2Cy%3Az size%3A fail::a\\n::error::b 100%25"]
