"""Runs a Core ML package in the reference evaluator: what the program means, on torch's kernels, without Core ML.

It runs on the host only, never times, and so may import the evaluator from where it is installed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from deployspec import __version__
from deployspec.evaluators.mlprogram import Mode
from deployspec.evaluators.mlprogram import load as load_program

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deployspec.evaluators.mlprogram import Program

RUNTIME = f"deployspec {__version__} evaluator, torch {torch.__version__}"


def load(artifact: str, options: dict[str, Any]) -> Any:
    """A callable from arrays to arrays, in the order of `options["inputs"]` and `options["outputs"]`.

    `options["mode"]` is the arithmetic, without one the declared one.
    """
    torch.set_num_threads(1)
    program = load_program(Path(artifact), mode=Mode(options.get("mode", Mode.DECLARED)))
    return _Run(program, options["inputs"], options["outputs"])


class _Run:
    """A program's calls; its facts name the operators that no case of the conformance suite vouches for."""

    def __init__(self, program: Program, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        self.facts = {"uncovered": list(program.uncovered())}
        self._program, self._inputs, self._outputs = program, inputs, outputs

    def __call__(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        answered = self._program.run(dict(zip(self._inputs, arrays, strict=True)))
        return [_as_float32(answered[name]) for name in self._outputs]


def _as_float32(array: np.ndarray) -> np.ndarray:
    """An output as the reference gives it, whatever precision the package or the mode computes in."""
    return array.astype(np.float32) if array.dtype.kind == "f" else array
