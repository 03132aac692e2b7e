"""Tests whose expectation is not the specification's: each left out by name, with the reason, and counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Rule:
    """Tests to leave out."""

    name: str
    reason: str
    tests: tuple[str, ...]
    """How the names of the tests end, without their parameters."""


RULES: Final = (
    Rule(
        "index out of range",
        "the test asks that the runtime fails, or gives anything but the expected numbers",
        ("::test_ios17_invalid_indices",),
    ),
    Rule(
        "box out of range",
        "normalized boxes lie in [0, 1]; the test's is [2, 2, 1, 1], and its numbers are those of the whole image",
        ("iOS15/test_image_resizing.py::TestCropResize::test_builder_to_backend_smoke",),
    ),
    Rule(
        "no neighbours",
        "the numbers are those of a window of one channel, where the test asks for two and three",
        ("TestNormalizationLocalResponseNorm::test_builder_to_backend_smoke",),
    ),
)


def rule_for(test: str) -> Rule | None:
    """The rule that leaves out a test, given its name without parameters."""
    return next((each for each in RULES if test.endswith(each.tests)), None)
