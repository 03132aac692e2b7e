"""The report as an in-toto Statement v1: the artifacts are its subjects, the report its predicate.

Specification: https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from deployspec.digests import MANIFEST_SUFFIX
from deployspec.errors import TrustError
from deployspec.ir import codec
from deployspec.ir.report import PREDICATE_TYPE, Digest, Report

STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"


@dataclass(frozen=True, kw_only=True)
class Statement:
    """What the subjects are, and what is said of them."""

    subjects: tuple[Digest, ...]
    report: Report


def subjects(report: Report) -> tuple[Digest, ...]:
    """Every artifact that the report names, as `<target>/<file>`; in a folder's place, the file of its manifest."""
    return tuple(
        Digest(
            name=f"{target.name}/{target.artifact.name}{MANIFEST_SUFFIX if target.folder else ''}",
            sha256=target.artifact.sha256,
        )
        for target in report.targets
        if target.artifact
    )


def to_bytes(report: Report) -> bytes:
    """The statement's JSON: the bytes to sign.

    Only sha256 digests: stricter readers refuse a subject with any other. Raises ValueError for a number that
    no reader could be trusted with (see `deployspec.ir.codec`).
    """
    document = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": each.name, "digest": {"sha256": each.sha256}} for each in subjects(report)],
        "predicateType": PREDICATE_TYPE,
        "predicate": codec.encode(report),
    }
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def from_json(document: Any) -> Statement:
    """The statement in a JSON value that was parsed strictly. Raises TrustError, which names the place."""
    _expect(isinstance(document, dict), "is not a JSON object")
    unknown = sorted(set(document) - {"_type", "subject", "predicateType", "predicate"})
    _expect(not unknown, f"has unknown fields: {unknown!r}")
    _expect(document.get("_type") == STATEMENT_TYPE, f"is not of type {STATEMENT_TYPE}")
    _expect(document.get("predicateType") == PREDICATE_TYPE, f"has no predicate of type {PREDICATE_TYPE}")
    _expect(isinstance(document.get("subject"), list), "has no array of subjects")
    try:
        report = codec.decode(Report, document.get("predicate"), "predicate")
    except codec.CodecError as error:
        raise TrustError(f"the statement does not hold a report: {error}") from None
    return Statement(subjects=tuple(map(_subject, document["subject"])), report=report)


def _subject(value: Any) -> Digest:
    _expect(isinstance(value, dict) and set(value) == {"name", "digest"}, "has a subject that is not name and digest")
    digest = value["digest"]
    _expect(isinstance(digest, dict) and set(digest) == {"sha256"}, "has a subject without exactly one sha256 digest")
    _expect(isinstance(value["name"], str) and isinstance(digest["sha256"], str), "has a subject that is not text")
    return Digest(name=value["name"], sha256=digest["sha256"])


def _expect(holds: bool, problem: str) -> None:
    if not holds:
        raise TrustError(f"the statement {problem}")
