"""Which operators coremltools' own operator tests hold the evaluator to, as `make conformance-coreml` found it."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Final

from deployspec.evaluators.mlprogram.table import find

_FOUND: Final = Path(__file__).with_name("conformance.json")


def is_covered(op: str, opset: int) -> bool:
    """Whether a test's program that contains `op`, with the meaning it has in `opset`, gave the expected numbers."""
    return any(find(op, each) is find(op, opset) for each in _matched().get(op, ()))


@cache
def _matched() -> dict[str, tuple[int, ...]]:
    """The operator sets in which each operator has a matching case."""
    operators = json.loads(_FOUND.read_text())["operators"]
    return {
        op: tuple(int(opset) for opset, outcomes in opsets.items() if outcomes.get("match"))
        for op, opsets in operators.items()
    }
