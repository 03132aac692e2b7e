"""Loads the source model itself, to run eagerly and in float32: the reference of every comparison.

`artifact` is the spec's folder; options: `source` (`file.py:callable`), `weights` (a file of that folder, or None).
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    import numpy as np


def load_module(folder: str, source: str, weights: str | None) -> torch.nn.Module:
    """Call `source`, load its weights strictly and switch it to evaluation mode.

    Raises whatever the callable raises; RuntimeError when weights and module do not fit.
    """
    file, _, name = source.partition(":")
    module = getattr(_import_file((Path(folder) / file).resolve()), name)()
    if weights is not None:
        module.load_state_dict(_state(Path(folder) / weights))
    return module.eval()


def _import_file(path: Path) -> ModuleType:
    """The file as a module under a name of its own: a `random.py` must not be taken for Python's."""
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(f"deployspec_model_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _state(path: Path) -> dict[str, torch.Tensor]:
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    return torch.load(path, map_location="cpu", weights_only=True)


def load(artifact: str, options: dict[str, Any]) -> Any:
    """A callable from arrays to arrays, in the order of the model's arguments and results."""
    torch.set_num_threads(1)
    module = load_module(artifact, options["source"], options["weights"])
    run = torch_run(module)
    tensors = [*module.parameters(), *module.buffers()]
    run.facts = {"weight_bytes": sum(each.numel() * each.element_size() for each in tensors)}
    return run


def torch_run(module: Any) -> Any:
    """Wrap a torch or TorchScript module as arrays to arrays."""

    def run(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        with torch.inference_mode():
            results = module(*map(torch.from_numpy, arrays))
        # A copy: what a module returns may be a buffer of its own, which its next call changes.
        return [result.numpy().copy() for result in (results if isinstance(results, list | tuple) else [results])]

    return run
