"""coremltools for real models, and single operators for the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pytest
from mlprograms import Body, Name, Op, mil_type, save
from nets import coremltools_alone

from deployspec.evaluators.mlprogram import Mode, load

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import ModuleType


@pytest.fixture(scope="session")
def coremltools() -> ModuleType:
    """coremltools, imported once."""
    return coremltools_alone()


class Evaluate(Protocol):
    """One operator with inputs that are fed, inputs that are constants, and the types of its results."""

    def __call__(
        self,
        op: str,
        fed: dict[str, Any],
        constants: dict[str, Any],
        *results: tuple[str, Sequence[int | None]],
        opset: int = 8,
        mode: Mode = Mode.DECLARED,
    ) -> list[np.ndarray]: ...


@pytest.fixture
def evaluate(tmp_path: Path) -> Evaluate:
    """Write a program of one operator, run it, give its results."""

    def run(
        op: str, fed: dict[str, Any], constants: dict[str, Any], *results: Any, opset: int = 8, mode: Any = None
    ) -> Any:
        outputs = {f"out{at}": each for at, each in enumerate(results)}
        arrays = {key: np.asarray(value) for key, value in fed.items()}
        inputs = {key: (mil_type(each), each.shape) for key, each in arrays.items()}
        given = {key: Name(key) for key in fed} | constants
        package = save(tmp_path, Body([Op(op, given, outputs)], list(outputs), inputs), opset=opset)
        return list(load(package, mode=mode or Mode.DECLARED).run(arrays).values())

    return run
