"""The conclusion as a verification summary: what it says of whom, and that it says whence it comes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sample_reports import DSSE_KEY, envelope, failing, passing, unmeasured

from deployspec.errors import UsageError
from deployspec.report import statement
from deployspec.report.exports import vsa

if TYPE_CHECKING:
    from deployspec.ir.report import Report


@pytest.mark.parametrize(
    ("report", "result", "level"),
    [
        (passing(), "PASSED", "DEPLOYSPEC_RELEASED"),
        (failing(), "FAILED", "FAILED"),
        (unmeasured(), "FAILED", "FAILED"),
    ],
    ids=["passing", "failing", "unproven"],
)
def test_only_what_is_released_passes(report: Report, result: str, level: str) -> None:
    predicate = json.loads(vsa.render(report, b"{}"))["predicate"]
    assert (predicate["verificationResult"], predicate["verifiedLevels"]) == (result, [level])


def test_it_speaks_of_the_reports_artifacts_and_names_the_report() -> None:
    data = envelope(passing(), DSSE_KEY)
    document = json.loads(vsa.render(passing(), data))
    assert document["subject"] == json.loads(statement.to_bytes(passing()))["subject"]
    predicate = document["predicate"]
    assert predicate["inputAttestations"][0]["digest"]["sha256"] == hashlib.sha256(data).hexdigest()
    assert predicate["policy"]["digest"] == {"sha256": passing().spec.sha256}
    assert predicate["timeVerified"] == passing().checked_at
    assert "unsigned" in predicate["verifier"]["id"]


def test_names_become_parts_of_a_uri() -> None:
    report = replace(passing(), model="di gits/é", model_version="1#2")
    document = json.loads(vsa.render(report, b"{}"))
    assert document["predicate"]["resourceUri"] == "pkg:generic/di%20gits%2F%C3%A9@1%232"


def test_without_artifacts_there_is_nothing_to_speak_of() -> None:
    unbuilt = replace(failing(), targets=tuple(replace(each, artifact=None) for each in failing().targets))
    with pytest.raises(UsageError, match="nothing was built"):
        vsa.render(unbuilt, b"{}")
