"""The report as a program reads it: the statement's predicate as it is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from deployspec.ir import codec

if TYPE_CHECKING:
    from deployspec.ir.report import Report


def render(report: Report) -> str:
    """JSON in ASCII, indented, ending in a newline."""
    return json.dumps(codec.encode(report), indent=2, allow_nan=False) + "\n"
