"""Runs a .pte in ExecuTorch's own runtime, one thread, without the exporter's stack.

The program names its inputs and outputs in the methods `input_names` and `output_names`; they are held against the
spec's names, so that no tensor is taken for another. (This file is not called executorch: where it is shipped to,
it would stand in for the package.)
"""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from executorch.extension.pybindings import _portable_lib
from executorch.kernels import quantized  # noqa: F401 - registers the kernels of quantize and dequantize

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

RUNTIME = f"executorch {importlib.metadata.version('executorch')}"


class Unusable(Exception):
    """The file is no whole program, or not the spec's; the text tells all, in one line."""

    tells_all = True


def load(artifact: str, options: dict[str, Any]) -> Any:
    """A callable from arrays to arrays, in the order of `options["inputs"]` and `options["outputs"]`."""
    _portable_lib._unsafe_reset_threadpool(1)
    program = _open(artifact)
    for kind in ("input", "output"):
        found, declared = _names(program, kind), options[f"{kind}s"]
        if found != declared:
            raise Unusable(f"its {kind}s are {', '.join(found) or 'unnamed'}, and not {', '.join(declared)}")
    call, tensor = _method(program, "forward").call, torch.from_numpy

    def run(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [each.numpy() for each in call([tensor(array) for array in arrays])]  # `call` gives copies

    return run


def _open(artifact: str) -> Any:
    """The program. Its header and the file's length are looked at; no bytes of the network are."""
    try:
        return _portable_lib._load_program(artifact, program_verification=_portable_lib.Verification.Minimal)
    except RuntimeError as error:
        raise Unusable(
            f"{Path(artifact).name} is no ExecuTorch program, or one that was cut short ({error}): build it again"
        ) from error


def _names(program: Any, kind: str) -> list[str]:
    """What the program calls its inputs or outputs; nothing where it does not tell."""
    method = f"{kind}_names"
    has = method in (program.get_method_name(i) for i in range(program.num_methods()))
    return list(program.load_method(method).call([])) if has else []


def _method(program: Any, name: str) -> Any:
    try:
        return program.load_method(name)
    except RuntimeError as error:
        raise Unusable(
            f"the runtime cannot load '{name}' ({error}): it may lack the kernel of an operator, which the log names"
        ) from error
