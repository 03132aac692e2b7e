"""Diagnostics as SARIF 2.1.0, which code scanning services read.

Specification: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from deployspec import __version__
from deployspec.diagnostics import Severity
from deployspec.parse.render import Located, locate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deployspec.diagnostics import Diagnostic

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
HELP_URI: Final = "https://deployspec.dev/docs/spec"
_LEVELS: Final = {Severity.ERROR: "error", Severity.NOTE: "note"}


def render(diagnostics: Sequence[Diagnostic]) -> str:
    """One run with one result a diagnostic, as a JSON document that ends in a newline."""
    rules = sorted({each.code for each in diagnostics})
    driver = {
        "name": "deployspec",
        "version": __version__,
        "informationUri": "https://deployspec.dev",
        "rules": [{"id": rule, "helpUri": HELP_URI} for rule in rules],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(each, rules) for each in locate(diagnostics)],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False) + "\n"


def _result(located: Located, rules: list[str]) -> dict[str, Any]:
    each = located.diagnostic
    return {
        "ruleId": each.code,
        "ruleIndex": rules.index(each.code),
        "level": _LEVELS[each.severity],
        "message": {"text": f"{each.message}; {each.help}" if each.help else each.message},
        "locations": [{"physicalLocation": _place(located)}],
    }


def _place(located: Located) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": {"uri": quote(located.name)}}
    if located.place is not None:
        found = located.place
        place["region"] = {
            "startLine": found.line,
            "startColumn": found.column,
            "endColumn": found.column + max(1, found.length),
        }
    return place
