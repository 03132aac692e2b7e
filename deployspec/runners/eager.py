"""Loads the source model itself, to run eagerly and in float32: the reference of every comparison.

`artifact` is the spec's folder; options: `source` (`file.py:callable`), `weights` (a file of that folder, or None).
"""

from __future__ import annotations

import difflib
import importlib.util
import inspect
import random
import re
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from types import ModuleType

SEED: Final = 0
"""Where a callable draws its weights, every process draws the same ones."""

SHOWN: Final = 3


class ModelFault(Exception):
    """The model's code or its weights are not what the spec needs; the text tells all, in one line."""

    tells_all = True


def load_module(folder: str, source: str, weights: str | None) -> torch.nn.Module:
    """Call `source`, load its weights strictly and switch it to evaluation mode. Raises ModelFault."""
    file, _, name = source.partition(":")
    path = (Path(folder) / file).resolve()
    _seed()
    try:
        module = _maker(_import_file(path), file, name)()
    except ModelFault:
        raise
    except Exception as error:
        raise ModelFault(_told(error, path)) from error
    if not isinstance(module, torch.nn.Module):
        raise ModelFault(f"{source} returned {_a(module)}, which is no torch.nn.Module")
    if weights is not None:
        _load_weights(module, Path(folder) / weights)
    return module.eval()


def _seed() -> None:
    random.seed(SEED)
    np.random.seed(SEED)  # noqa: NPY002, RUF100 - the model's code may draw from numpy's own generator
    torch.manual_seed(SEED)


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


def _maker(module: ModuleType, file: str, name: str) -> Callable[[], Any]:
    """The callable of the file, which must need no arguments."""
    if not hasattr(module, name):
        near = difflib.get_close_matches(name, vars(module), n=1)
        raise ModelFault(f"{file} has no '{name}'" + (f": perhaps you meant '{near[0]}'" if near else ""))
    maker = getattr(module, name)
    if isinstance(maker, torch.nn.Module) or not callable(maker):
        raise ModelFault(f"{file}:{name} is {_a(maker)}: name a function, or a class, that makes the model")
    wanted = [each.name for each in inspect.signature(maker).parameters.values() if _needed(each)]
    if wanted:
        raise ModelFault(f"{file}:{name} wants arguments ({', '.join(wanted)}): name a function that wants none")
    return maker


def _needed(parameter: inspect.Parameter) -> bool:
    return parameter.default is parameter.empty and parameter.kind not in (
        parameter.VAR_POSITIONAL,
        parameter.VAR_KEYWORD,
    )


def _a(value: object) -> str:
    kind = type(value).__name__
    return "None" if value is None else f"an {kind}" if kind[0] in "aeiouAEIOU" else f"a {kind}"


def _told(error: Exception, path: Path) -> str:
    """The error in one line, after the innermost line of the project's own code that led to it."""
    said = f"{type(error).__name__}: {_first_line(error)}"
    if isinstance(error, SyntaxError) and error.filename:
        return f"{Path(error.filename).name}:{error.lineno}: {type(error).__name__}: {error.msg}"
    own = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(path.parent) and "site-packages" not in frame.filename
    ]
    if not own:
        return f"{path.name}: {said}"
    inside = "" if own[-1].name == "<module>" else f" in {own[-1].name}"
    return f"{Path(own[-1].filename).name}:{own[-1].lineno}{inside}: {said}"


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), "")


def _load_weights(module: torch.nn.Module, path: Path) -> None:
    state = _state(path)
    try:
        module.load_state_dict(state)
    except (RuntimeError, TypeError) as error:
        why = _misfit(module.state_dict(), state) or _first_line(error)
        raise ModelFault(f"{path.name} does not fit the model: {why}") from error


def _state(path: Path) -> dict[str, torch.Tensor]:
    """The file's state_dict. Python objects are never unpickled, and nobody is told how they could be."""
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ModelFault(f"{path.name} {_unreadable(error, path)}") from error
    if not isinstance(state, dict):
        raise ModelFault(f"{path.name} holds {_a(state)}, not a state_dict: {_SAVE}")
    return state


_SAVE: Final = "save model.state_dict(), best as safetensors"


def _unreadable(error: Exception, path: Path) -> str:
    if path.suffix == ".safetensors":
        return f"is not a whole safetensors file: {_first_line(error)}"
    held = re.search(r"GLOBAL (\S+)", str(error))
    if held:
        return f"is a pickled model, not a state_dict (it holds {held[1]}): {_SAVE}"
    if "TorchScript" in str(error):
        return f"is a TorchScript archive, not a state_dict: {_SAVE}"
    if isinstance(error, OSError):
        return f"cannot be read: {_first_line(error)}"
    return f"is not a whole file of torch.save: {_SAVE}"


def _misfit(wanted: Mapping[str, Any], state: Mapping[str, Any]) -> str:
    """Why the weights in `state` are not those that the model wants; empty where their names and shapes agree."""
    nested = [name for name, value in state.items() if isinstance(value, dict) and name not in wanted]
    if nested:
        return f"its state_dict lies under '{nested[0]}': save that alone"
    if begins := _prefix(state, wanted):
        return f"its names begin with '{begins}', the model's do not: save the inner model's state_dict()"
    if begins := _prefix(wanted, state):
        return f"the model's names begin with '{begins}', its own do not: save the state_dict() of the whole model"
    missing, strange = [name for name in wanted if name not in state], [name for name in state if name not in wanted]
    shapes = [
        f"{name} is {list(state[name].shape)} and the model's {list(wanted[name].shape)}"
        for name in wanted
        if name in state and state[name].shape != wanted[name].shape
    ]
    reasons = (("it lacks ", missing), ("the model has no ", strange), ("", shapes))
    return "; ".join(f"{word}{_few(found)}" for word, found in reasons if found)


def _prefix(longer: Iterable[str], shorter: Iterable[str]) -> str:
    """What every name of `longer` begins with, if they are otherwise those of `shorter`; else the empty string."""
    names, first = set(longer), next(iter(longer), "")
    begins = (first.removesuffix(name) for name in shorter if first.endswith(name))
    return next((each for each in begins if each and {each + name for name in shorter} == names), "")


def _few(found: Sequence[str]) -> str:
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return ", ".join(found[:SHOWN]) + more


def load(artifact: str, options: dict[str, Any]) -> Any:
    """A callable from arrays to arrays, in the order of the model's arguments and results."""
    torch.set_num_threads(1)
    module = load_module(artifact, options["source"], options["weights"])
    run = torch_run(module)
    tensors = [*module.parameters(), *module.buffers()]
    run.facts = {"weight_bytes": sum(each.numel() * each.element_size() for each in tensors)}
    return run


def torch_run(module: Any) -> Any:
    """Wrap a torch or TorchScript module as arrays to arrays. What it returns must be tensors, else ModelFault."""

    def run(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        with torch.inference_mode():
            results = module(*map(torch.from_numpy, arrays))
        found = results if isinstance(results, list | tuple) else [results]
        for each in found:
            if not isinstance(each, torch.Tensor):
                raise ModelFault(f"the model's forward returned {_a(each)}: return a tensor or a tuple of tensors")
        # A copy: what a module returns may be a buffer of its own, which its next call changes.
        return [result.numpy().copy() for result in found]

    return run
