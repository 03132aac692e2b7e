"""What came of coremltools' own operator tests, as docs/coreml.md tells it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any, Final

from tables import table

ROOT: Final = Path(__file__).parent.parent
FOUND: Final = ROOT / "deployspec" / "evaluators" / "mlprogram" / "conformance.json"
REGISTRY: Final = ROOT / "tests" / "conformance_coreml" / "operators.json"

_IOS: Final = {"5": "15", "6": "16", "7": "17", "8": "18"}
_NOT_OPERATORS: Final = {"const", "_const_symbolic"}
"""Of the registry: constants, which a program holds and nobody computes."""


def conformance() -> str:
    """The sum, the cases left out, and a row for each operator."""
    found = json.loads(FOUND.read_text())
    operators = sorted({*json.loads(REGISTRY.read_text())["operators"], *found["operators"]} - _NOT_OPERATORS)
    rows = [_row(op, found["operators"].get(op, {})) for op in operators]
    head = ("operator", "op sets (iOS)", "comparisons", "match", "unsupported", "mismatch", "skipped")
    return f"{_summary(found)}\n\n{table(head, rows)}"


def _summary(found: dict[str, Any]) -> str:
    counts = found["outcomes"]
    skipped = "; ".join(f"{count} by the rule *{rule}*" for rule, count in found["skipped"].items())
    extent = "" if found["complete"] else ", from a run that was cut short and had reached every test"
    return (
        f"coremltools {found['coremltools']}: {sum(counts.values())} comparisons of {found['tests']} tests{extent}."
        f" {counts['match']} match, {counts['unsupported']} are unsupported,"
        f" {counts['mismatch'] + counts['error']} mismatch, {counts['skipped']} are skipped ({skipped})."
    )


def _row(op: str, opsets: dict[str, dict[str, int]]) -> tuple[str, ...]:
    counts: Counter[str] = Counter()
    for outcomes in opsets.values():
        counts.update(outcomes)
    wrong = counts["mismatch"] + counts["error"]
    figures = (counts.total(), counts["match"], counts["unsupported"], wrong, counts["skipped"])
    return f"`{op}`", ", ".join(_IOS[each] for each in sorted(opsets)) or "none", *map(str, figures)
