"""One comparison: the evaluator's outputs for a converted model against the numbers that an operator test expects."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from deployspec.formats.mlpackage import DType, tensor_type

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from deployspec.evaluators.mlprogram import Feature, Program
    from deployspec.formats.mlpackage import Package

TOLERANCE: Final = {"fp32": 1.1e-4, "fp16": 5e-3}
"""The largest difference allowed, as a part of the largest finite magnitude that is expected of the output.

In fp32 it is coremltools' own for an output of 1 (atol 1e-4, rtol 1e-5); in fp16 a hundredth of coremltools' own."""

LEAST: Final = {"fp32": 1e-3, "fp16": 1e-1}
"""What the largest magnitude counts for at least: an output near zero is the difference of larger numbers."""


class Outcome(StrEnum):
    """What came of a comparison."""

    MATCH = "match"
    UNSUPPORTED = "unsupported"
    MISMATCH = "mismatch"
    ERROR = "error"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Contents:
    """What a model consists of."""

    opset: int
    operators: tuple[str, ...]
    precision: str
    """fp16 if the program takes or holds any tensor of half precision, whatever the test is called; else fp32."""


def contents(package: Package) -> Contents:
    """The operators of all functions of the program, constants left out, and what it computes in."""
    functions = package.program.functions.values()
    operations = [each for one in functions for block in one.block_specializations.values() for each in _walk(block)]
    given = [each for one in functions for each in one.inputs]
    types = [each.type for each in (*given, *(each for operation in operations for each in operation.outputs))]
    half = any(each.WhichOneof("type") == "tensorType" and tensor_type(each).dtype is DType.FP16 for each in types)
    operators = sorted({each.type for each in operations} - {"const"})
    return Contents(package.spec_version - 1, tuple(operators), "fp16" if half else "fp32")


def evaluate(program: Program, given: Mapping[str, Any], state: Any = None) -> dict[str, np.ndarray]:
    """The outputs for a test's inputs, brought into the declared types and ranks as Core ML's Python interface does."""
    arrays = {each.name: _fitting(given[each.name], each) for each in program.inputs if each.name in given}
    return program.run(arrays, state)


def difference(expected: Any, got: np.ndarray, precision: str) -> str:
    """In what `got` is not what the test expects; empty if it is."""
    wanted, found = np.asarray(expected), np.asarray(got)
    if wanted.shape != found.shape and (wanted.size, found.size) != (1, 1):
        return f"shape {list(found.shape)} instead of {list(wanted.shape)}"
    return _apart(wanted.astype(np.float64).reshape(-1), found.astype(np.float64).reshape(-1), precision)


def _apart(wanted: np.ndarray, found: np.ndarray, precision: str) -> str:
    scale = max(LEAST[precision], float(np.abs(wanted[np.isfinite(wanted)]).max(initial=0.0)))
    near = np.isclose(found, wanted, rtol=0.0, atol=TOLERANCE[precision] * scale, equal_nan=True)
    wrong = np.flatnonzero(~near)
    if not wrong.size:
        return ""
    first = wrong[0]
    return f"{found[first]:g} instead of {wanted[first]:g}, {wrong.size} of {wanted.size}, where {scale:g} is the scale"


def _fitting(value: Any, feature: Feature) -> np.ndarray:
    array = np.asarray(value)
    if feature.image:
        return array
    single = array.size == 1 and None not in feature.shape
    return array.astype(feature.dtype.numpy).reshape(feature.shape if single else array.shape)


def _walk(block: Any) -> Iterator[Any]:
    for operation in block.operations:
        yield operation
        for nested in operation.blocks:
            yield from _walk(nested)
