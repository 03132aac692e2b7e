"""Loads the source model itself, to run as it was trained: the reference of every comparison.

`artifact` is the spec's folder; options: `source` (`file.py:callable`, or a .pt2 or TorchScript file) and `weights` (a
file of that folder; None where the source holds its own).
"""

from __future__ import annotations

import ast
import io
import json
import random
import re
import warnings
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

if TYPE_CHECKING or __package__:
    from deployspec.runners.callables import ModelFault, first_line, made_by, with_article
else:
    from callables import ModelFault, first_line, made_by, with_article  # its neighbour, where it is shipped to

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

SEED: Final = 0
"""Where a callable draws its weights, every process draws the same ones."""

SHOWN: Final = 3

_PT2_RECORDS: Final = re.compile(
    r"data/weights/(weight_\d+|model_weights_config\.json)|data/constants/(tensor_\d+|model_constants_config\.json)"
    r"|data/sample_inputs/model\.pt|models/model\.json|archive_format|archive_version|byteorder|\.data/\w+|extra/.*"
)
"""What `torch.export.save` writes for a model of tensors; compiled code and other objects have other names."""

_PICKLED: Final = "holds pickled Python objects: export a model of plain tensors"

_STORAGE: Final = re.compile(r"/(data|constants)/\d+(\.storage)?$")

_FORMULAS: Final = (
    ast.Expression, ast.Call, ast.Attribute, ast.Subscript, ast.Name, ast.Constant, ast.keyword, ast.Load, ast.BinOp,
    ast.UnaryOp, ast.BoolOp, ast.Compare, ast.operator, ast.unaryop, ast.boolop, ast.cmpop,
)  # fmt: skip
_FORMULA_NAMES: Final = re.compile(r"[A-Z][A-Za-z]*|[a-z]+\d+|size|stride|max|min|oo")
"""Of functions on sizes (`Symbol`, `FloorDiv`), of sizes (`s77`), and of what a guard asks a tensor for."""


def load_module(folder: str, source: str, weights: str | None) -> torch.nn.Module:
    """The module that `source` stands for, in evaluation mode: a callable's with `weights`, or a file's. Raises
    ModelFault.
    """
    path = Path(folder) / source
    if ":" in source:
        return _called(folder, source, weights)
    return _unlifted(path) if path.suffix == ".pt2" else load_script(path)


def _called(folder: str, source: str, weights: str | None) -> torch.nn.Module:
    """Call `source`, load its weights strictly and switch it to evaluation mode."""
    _seed()
    module: torch.nn.Module = made_by(folder, source, torch.nn.Module, "torch.nn.Module")
    if weights is not None:
        _load_weights(module, Path(folder) / weights)
    return module.eval()


def load_program(path: Path) -> torch.export.ExportedProgram:
    """The program of a .pt2 file for samples one at a time; no pickle and no code of the file's is run.

    Raises ModelFault, also for one that was exported for a larger batch, or to be trained.
    """
    try:
        _refuse_code(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.export.load(path)
    except ModelFault:
        raise
    except Exception as error:
        raise ModelFault(f"{path.name} is not a whole file of torch.export.save: {first_line(error)}") from error
    _refuse_large_batch(path, program)
    return program


def _refuse_code(path: Path) -> None:
    """Hold the archive to plain tensors and formulas: torch would unpickle and evaluate whatever else it finds."""
    with zipfile.ZipFile(path) as archive:
        records = {name.partition("/")[2]: name for name in archive.namelist()}
        strange = [record for record in records if not _PT2_RECORDS.fullmatch(record)]
        if strange or len(records) < len(archive.namelist()):
            raise ModelFault(f"{path.name} holds {[*strange, 'a record twice'][0]}: no model of plain tensors does")
        for name in (name for record, name in records.items() if record.endswith("_config.json")):
            if any(each.get("use_pickle") for each in json.loads(archive.read(name))["config"].values()):
                raise ModelFault(f"{path.name} {_PICKLED}")
        _refuse_pickles(path, archive.read(records["data/sample_inputs/model.pt"]))
        _refuse_formulas(path, json.loads(archive.read(records["models/model.json"])))


def _refuse_pickles(path: Path, saved: bytes) -> None:
    try:
        torch.load(io.BytesIO(saved), weights_only=True)
    except Exception as error:
        raise ModelFault(f"{path.name} {_PICKLED}") from error


def _refuse_formulas(path: Path, held: Any) -> None:
    """Every text that torch would evaluate, a size or a guard, is a formula and nothing more."""
    queue = [held]
    while queue:
        value = queue.pop()
        if isinstance(value, dict):
            texts = [*value.get("guards_code", ()), *([value["expr_str"]] if "expr_str" in value else ())]
            if code := next((text for text in texts if not _is_formula(text)), None):
                raise ModelFault(f"{path.name} has code where a size belongs: {code[:60]}")
        queue += value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _is_formula(text: str) -> bool:
    nodes = list(ast.walk(ast.parse(text.strip(), mode="eval")))
    names = [node.id for node in nodes if isinstance(node, ast.Name)]
    names += [node.attr for node in nodes if isinstance(node, ast.Attribute)]
    texts = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return (
        all(isinstance(node, _FORMULAS) for node in nodes)
        and all(_FORMULA_NAMES.fullmatch(name) for name in names)
        and all(text.isidentifier() for text in texts)
    )


def _refuse_large_batch(path: Path, program: torch.export.ExportedProgram) -> None:
    inputs = set(program.graph_signature.user_inputs)
    for node in program.graph.nodes:
        shape = node.meta["val"].shape if node.op == "placeholder" and node.name in inputs else ()
        if shape and isinstance(shape[0], int) and shape[0] > 1:
            raise ModelFault(
                f"{path.name} was exported for {shape[0]} samples at a time (input '{node.name}'): "
                "export it with a batch of 1, or with a dynamic one"
            )


def _unlifted(path: Path) -> torch.nn.Module:
    """The program of a .pt2 file as a module; it has no mode, it computes what it was exported to."""
    program = load_program(path)
    module: torch.nn.Module = program.module()
    return module


def load_script(path: Path) -> torch.jit.ScriptModule:
    """The module of a TorchScript file, in evaluation mode. Raises ModelFault."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.jit.load(path, map_location="cpu").eval()
    except Exception as error:
        raise ModelFault(f"{path.name} {_unscripted(path, error)}") from error


def _unscripted(path: Path, error: Exception) -> str:
    if isinstance(error, OSError) or not path.is_file():
        return f"cannot be read: {first_line(error)}"
    if zipfile.is_zipfile(path) and "constants.pkl" in str(error):
        return "holds no TorchScript but a pickled model or a state_dict: name the callable that makes the model"
    return "is not a whole TorchScript file: save it with torch.jit.save"


def _seed() -> None:
    random.seed(SEED)
    np.random.seed(SEED)  # noqa: NPY002, RUF100 - the model's code may draw from numpy's own generator
    torch.manual_seed(SEED)


def _load_weights(module: torch.nn.Module, path: Path) -> None:
    state = _state(path)
    try:
        module.load_state_dict(state)
    except (RuntimeError, TypeError) as error:
        why = _misfit(module.state_dict(), state) or first_line(error)
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
        raise ModelFault(f"{path.name} holds {with_article(state)}, not a state_dict: {_SAVE}")
    return state


_SAVE: Final = "save model.state_dict(), best as safetensors"


def _unreadable(error: Exception, path: Path) -> str:
    if path.suffix == ".safetensors":
        return f"is not a whole safetensors file: {first_line(error)}"
    held = re.search(r"GLOBAL (\S+)", str(error))
    if held:
        return f"is a pickled model, not a state_dict (it holds {held[1]}): {_SAVE}"
    if "TorchScript" in str(error):
        return f"is a TorchScript archive, not a state_dict: {_SAVE}"
    if isinstance(error, OSError):
        return f"cannot be read: {first_line(error)}"
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
    run.facts = {"weight_bytes": _weight_bytes(module, Path(artifact) / options["source"])}
    return run


def _weight_bytes(module: torch.nn.Module, path: Path) -> int:
    """Bytes of all parameters and buffers; of a TorchScript file, whose constants are neither, its stored tensors'."""
    if not isinstance(module, torch.jit.ScriptModule):
        tensors = [*module.parameters(), *module.buffers()]
        return sum(each.numel() * each.element_size() for each in tensors)
    with zipfile.ZipFile(path) as archive:
        return sum(each.file_size for each in archive.infolist() if _STORAGE.search(each.filename))


def hold_names(archive: str, options: Mapping[str, Any]) -> None:
    """Hold the names that a torch archive carries to those of `options`, where it has any. Raises ModelFault."""
    wanted = {kind: options[kind] for kind in ("inputs", "outputs") if options.get(kind)}
    if not wanted:
        return
    with zipfile.ZipFile(archive) as records:
        names = [name for name in records.namelist() if name.partition("/")[2] == "extra/signature.json"]
        carried = json.loads(records.read(names[0])) if names else None
    if carried != wanted:
        raise ModelFault(f"the file's ends are called {carried}, and {wanted} is wanted")


def torch_run(module: Any) -> Any:
    """Wrap a torch or TorchScript module as arrays to arrays. What it returns must be tensors, else ModelFault."""

    def run(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        with torch.inference_mode():
            results = module(*map(torch.from_numpy, arrays))
        found = results if isinstance(results, list | tuple) else [results]
        for each in found:
            if not isinstance(each, torch.Tensor):
                raise ModelFault(
                    f"the model's forward returned {with_article(each)}: return a tensor or a tuple of tensors"
                )
        # A copy: what a module returns may be a buffer of its own, which its next call changes.
        return [result.numpy().copy() for result in found]

    return run
