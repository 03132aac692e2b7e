"""A pruned torch module on disk, without a pickle: its weights, and what its layers say of themselves since.

`pruned.safetensors` holds the whole state; `pruned.json` the attributes that pruning changed (`out_channels` and its
like), by layer. The code that made the module is the spec's, so that opening it again needs no pruning library.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from deployspec.errors import SourceFault

if TYPE_CHECKING:
    from pathlib import Path

    import torch

WEIGHTS: Final = "pruned.safetensors"
CHANGES: Final = "pruned.json"

Attributes = dict[str, dict[str, Any]]
"""For each layer by its name, its plain attributes."""


def attributes(module: torch.nn.Module) -> Attributes:
    """Every whole number, and row of them, that a layer of `module` holds."""
    return {
        name: {key: value for key, value in vars(layer).items() if _plain(value)}
        for name, layer in module.named_modules()
    }


def _plain(value: object) -> bool:
    return type(value) is int or (type(value) is tuple and all(type(each) is int for each in value))


def keep(module: torch.nn.Module, before: Attributes, folder: Path) -> None:
    """Write `module` to `folder`; `before` are its attributes before it was pruned. Raises SourceFault."""
    from safetensors.torch import save_file

    state = module.state_dict()
    strange = [name for name, value in state.items() if not hasattr(value, "detach")]
    if strange:
        raise SourceFault(f"a pruned model is kept as tensors, and the model's '{strange[0]}' is none")
    # Copies: tied weights share their memory, which the format refuses.
    save_file({name: value.detach().clone().contiguous() for name, value in state.items()}, folder / WEIGHTS)
    changes = {
        layer: changed
        for layer, now in attributes(module).items()
        if (changed := {key: value for key, value in now.items() if before.get(layer, {}).get(key) != value})
    }
    (folder / CHANGES).write_text(json.dumps(changes, sort_keys=True))


def reopen(module: torch.nn.Module, folder: Path) -> torch.nn.Module:
    """`module`, fresh from the spec's source, as it was pruned into `folder`; in evaluation mode.

    Raises SourceFault when it is another module than the one that was pruned.
    """
    from safetensors.torch import load_file

    state = load_file(folder / WEIGHTS)
    try:
        for layer, changed in json.loads((folder / CHANGES).read_text()).items():
            for key, value in changed.items():
                setattr(module.get_submodule(layer), key, tuple(value) if isinstance(value, list) else value)
        _resize(module, state)
        module.load_state_dict(state)
    except (AttributeError, RuntimeError) as error:
        raise SourceFault(f"the pruned weights do not fit the model: {error}") from error
    return module.eval()


def _resize(module: torch.nn.Module, state: dict[str, torch.Tensor]) -> None:
    """Give each parameter and buffer the shape of its value in `state`; what was tied stays tied."""
    import torch

    held = [*module.named_parameters(remove_duplicate=False), *module.named_buffers(remove_duplicate=False)]
    resized: dict[int, torch.Tensor] = {}
    for name, old in held:
        if name not in state or state[name].shape == old.shape:
            continue
        empty = torch.empty_like(state[name])
        is_parameter = isinstance(old, torch.nn.Parameter)
        new = torch.nn.Parameter(empty, requires_grad=old.requires_grad) if is_parameter else empty
        owner, _, attribute = name.rpartition(".")
        setattr(module.get_submodule(owner), attribute, resized.setdefault(id(old), new))
