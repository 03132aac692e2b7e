"""The JSON schema of evidence documents, for editors and for readers that are not this program."""

from __future__ import annotations

from typing import Any, Final

from deployspec.ir.evidence_file import VERSION, EvidenceFile
from deployspec.ir.schema import json_schema

ID: Final = "https://deployspec.dev/schemas/evidence-1.schema.json"


def evidence_schema() -> dict[str, Any]:
    """The form of a document. That its figures do not contradict each other, no schema can say."""
    schema = json_schema(EvidenceFile, id=ID, title=f"deployspec evidence document, version {VERSION}")
    schema["properties"]["deployspecEvidence"] = {"const": VERSION, "description": "the document's version"}
    return schema
