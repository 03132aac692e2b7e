"""The report as an in-toto statement, and back."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from sample_reports import failing, passing

from deployspec.errors import TrustError
from deployspec.ir.report import Digest
from deployspec.report import statement


def as_json() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(statement.to_bytes(passing()))
    return document


def test_the_form_is_in_totos() -> None:
    document = as_json()
    assert set(document) == {"_type", "subject", "predicateType", "predicate"}
    assert document["_type"] == "https://in-toto.io/Statement/v1"
    assert document["predicateType"] == "https://deployspec.dev/compliance-report/v1"
    assert [each["name"] for each in document["subject"]] == ["server/digits.ts", "android/digits.tflite"]
    assert all(set(each["digest"]) == {"sha256"} for each in document["subject"])


def test_verdicts_have_the_documented_fields() -> None:
    verdict = as_json()["predicate"]["verdicts"][3]
    assert verdict["budget"] == "recall.rare"
    assert {
        "target", "budget", "verdict", "estimate", "lower", "upper", "comparator", "limit", "unit", "n", "evidence",
        "reason",
    } <= set(verdict)  # fmt: skip
    assert isinstance(verdict["estimate"], str)


def test_it_comes_back_as_it_was() -> None:
    found = statement.from_json(json.loads(statement.to_bytes(failing())))
    assert found.report == failing()
    assert found.subjects == statement.subjects(failing())


def test_the_same_report_gives_the_same_bytes() -> None:
    assert statement.to_bytes(passing()) == statement.to_bytes(passing())


def test_a_target_that_was_not_built_is_no_subject() -> None:
    report = passing()
    unbuilt = replace(report.targets[1], artifact=None, failure="convert: killed by SIGKILL")
    assert statement.subjects(replace(report, targets=(report.targets[0], unbuilt))) == (
        Digest(name="server/digits.ts", sha256=report.targets[0].artifact.sha256),  # type: ignore[union-attr]
    )


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ({"_type": "https://in-toto.io/Statement/v0.1"}, "not of type"),
        ({"predicateType": "https://slsa.dev/provenance/v1"}, "no predicate of type"),
        ({"subject": None}, "no array of subjects"),
        ({"subject": [3]}, "not name and digest"),
        ({"subject": [{"name": "x", "digest": {"sha256": "0", "sha512": "0"}}]}, "exactly one sha256"),
        ({"subject": [{"name": "x", "digest": {"sha256": 3}}]}, "not text"),
        ({"subject": [{"name": "x", "digest": {"sha256": "0"}, "uri": "y"}]}, "not name and digest"),
        ({"extra": 1}, r"unknown fields: \['extra'\]"),
        ({"predicate": {}}, "predicate: expected the field"),
        ({"predicate": None}, "predicate: expected an object"),
    ],
)
def test_another_form_is_refused(edit: dict[str, Any], message: str) -> None:
    with pytest.raises(TrustError, match=message):
        statement.from_json(as_json() | edit)


@pytest.mark.parametrize("document", [[], None, "text", 3])
def test_what_is_no_object_is_refused(document: object) -> None:
    with pytest.raises(TrustError, match="is not a JSON object"):
        statement.from_json(document)
