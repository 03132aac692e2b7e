"""Runs a TorchScript file in libtorch, through the torch package; a folder is the eager source, as it was trained."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING or __package__:
    from deployspec.runners import eager
else:
    import eager  # its neighbour, where it is shipped to

RUNTIME = f"torch {torch.__version__}"


def load(artifact: str, options: dict[str, Any]) -> Any:
    """A callable from arrays to arrays, in the order of the model's arguments and results."""
    if Path(artifact).is_dir():
        return eager.load(artifact, options)
    eager.hold_names(artifact, options)
    torch.set_num_threads(1)
    if options.get("engine"):
        torch.backends.quantized.engine = options["engine"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return eager.torch_run(torch.jit.load(artifact, map_location="cpu").eval())
