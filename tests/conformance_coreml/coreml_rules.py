"""Cases whose expectation is not what the program means: left out by a rule with a name and a reason, and counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Rule:
    """Cases to leave out."""

    name: str
    reason: str
    test: str = ""
    """How the test's name ends, without parameters."""
    parameters: str = ""
    """What stands among its parameters."""
    precision: str = ""
    """Which programs it is about; empty for all."""


RULES: Final = (
    Rule(
        "index out of range",
        "the test asks that the runtime fails, or gives anything but the expected numbers",
        "::test_ios17_invalid_indices",
    ),
    Rule(
        "box out of range",
        "normalized boxes lie in [0, 1]; the test's is [2, 2, 1, 1], and its numbers are those of the whole image",
        "iOS15/test_image_resizing.py::TestCropResize::test_builder_to_backend_smoke",
    ),
    Rule(
        "no neighbours",
        "the numbers are those of a window of one channel, where the test asks for two and three",
        "TestNormalizationLocalResponseNorm::test_builder_to_backend_smoke",
    ),
    Rule(
        "rounded weights",
        "one sum of 64 products that nearly cancel, expected of the weights before they are rounded to half precision",
        "TestRNN::test_builder_to_backend_smoke",
        "input_size=64-hidden_size=1-",
        "fp16",
    ),
)

BEYOND: Final = Rule("beyond half precision", "a finite number above 65504 is expected of a half-precision output")


def rule_for(case: str, expected: Iterable[Any], precision: str) -> Rule | None:
    """The rule that leaves out a test case."""
    test, _, parameters = case.partition("[")
    named = (each for each in RULES if test.endswith(each.test) and each.parameters in parameters)
    fitting = (each for each in named if each.precision in ("", precision))
    return next(fitting, BEYOND if precision == "fp16" and any(map(_is_beyond, expected)) else None)


def _is_beyond(expected: Any) -> bool:
    array = np.asarray(expected)
    return array.dtype.kind == "f" and bool((np.abs(array[np.isfinite(array)]) > np.finfo(np.float16).max).any())
