"""The JSON schema of the report's predicate, for readers that are not this program."""

from __future__ import annotations

from typing import Any, Final

from deployspec.ir.report import PREDICATE_TYPE, Report
from deployspec.ir.schema import json_schema

ID: Final = "https://deployspec.dev/schemas/report-1.schema.json"


def report_schema() -> dict[str, Any]:
    """The form that `verify` reads, and no other. That the verdicts follow from the figures, no schema can say."""
    return json_schema(Report, id=ID, title=f"predicate of a deployspec report, {PREDICATE_TYPE}")
