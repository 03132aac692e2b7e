"""The conclusion as a verification summary attestation: released or not, in a form that admission tools read.

Specification: https://slsa.dev/spec/v1.1/verification_summary. No SLSA level is claimed.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from deployspec.digests import sha256_bytes
from deployspec.errors import UsageError
from deployspec.report.statement import STATEMENT_TYPE, subjects

if TYPE_CHECKING:
    from deployspec.ir.report import Report

PREDICATE_TYPE: Final = "https://slsa.dev/verification_summary/v1"
VERIFIER: Final = "https://deployspec.dev/derived-unsigned-view"
"""The one field by which readers choose whom to believe: it says that this view is derived, and signed by nobody."""
LEVEL: Final = "DEPLOYSPEC_RELEASED"
"""Levels of one's own are allowed, as long as their names do not start with SLSA_."""


def render(report: Report, envelope: bytes) -> str:
    """An in-toto statement of the report in `envelope`, JSON that ends in a newline.

    Raises UsageError for a report on nothing that was built, of which no statement can speak.
    """
    artifacts = subjects(report)
    if not artifacts:
        raise UsageError("nothing was built, and a VSA must have artifacts to speak of: read the report itself")
    document = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": each.name, "digest": {"sha256": each.sha256}} for each in artifacts],
        "predicateType": PREDICATE_TYPE,
        "predicate": _predicate(report, envelope),
    }
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def _predicate(report: Report, envelope: bytes) -> dict[str, Any]:
    released = report.result.exit_code == 0
    return {
        "verifier": {"id": VERIFIER},
        "timeVerified": report.checked_at,
        "resourceUri": f"pkg:generic/{_quoted(report.model)}@{_quoted(report.model_version)}",
        "policy": {"uri": f"deployspec:spec/{_quoted(report.spec.name)}", "digest": {"sha256": report.spec.sha256}},
        "inputAttestations": [{"uri": "deployspec:report", "digest": {"sha256": sha256_bytes(envelope)}}],
        "verificationResult": "PASSED" if released else "FAILED",
        "verifiedLevels": [LEVEL if released else "FAILED"],
    }


def _quoted(text: str) -> str:
    return quote(text, safe="")
