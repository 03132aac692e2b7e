"""The statement and `show --format vsa`, read strictly by in-toto's own definitions."""

from __future__ import annotations

import json

from google.protobuf.json_format import ParseDict
from in_toto_attestation.predicates.vsa.v1.vsa_pb2 import VerificationSummary
from in_toto_attestation.v1.statement import Statement
from in_toto_attestation.v1.statement_pb2 import Statement as StatementMessage
from sample_reports import passing

from deployspec.report import statement
from deployspec.report.exports import vsa


def read(data: str | bytes) -> Statement:
    found = Statement.copy_from_pb(ParseDict(json.loads(data), StatementMessage()))
    found.validate()
    return found


def test_the_report_is_a_statement() -> None:
    found = read(statement.to_bytes(passing()))
    assert [each.name for each in found.pb.subject] == ["server/digits.ts", "android/digits.tflite"]


def test_the_summary_is_a_verification_summary() -> None:
    text = vsa.render(passing(), b"{}")
    assert read(text).pb.predicate_type == "https://slsa.dev/verification_summary/v1"
    predicate = json.loads(text)["predicate"]
    assert predicate.pop("verifiedLevels") == ["DEPLOYSPEC_RELEASED"]  # a text in these bindings, an array by SLSA
    summary = ParseDict(predicate, VerificationSummary())
    assert (summary.verification_result, summary.time_verified.ToJsonString()) == ("PASSED", passing().checked_at)
