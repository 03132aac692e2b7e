"""Pruning of torch modules: functions of a worker's job. Each leaves the folder that `sources.pruned` reopens."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from deployspec.contract import probe_inputs
from deployspec.errors import SourceFault
from deployspec.passes import facts
from deployspec.passes.finetune import finetune, refuse_another
from deployspec.runners.callables import first_line, with_article
from deployspec.sources.pruned import Attributes, attributes, keep, reopen
from deployspec.sources.torch_module import answers, open_module

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import torch

    from deployspec.ir.artifact import Job

_VIEWS: Final = ("TBackward0", "TransposeBackward0", "PermuteBackward0", "ViewBackward0")
"""What may stand between a kernel and the operator that multiplies by it."""

_INSTEAD: Final = 'use method = "magnitude"'


def magnitude(job: Job) -> dict[str, Any]:
    """Set the smallest weights of all convolutions and linear layers together to zero; they stay so while it trains."""
    module = open_module(job)
    before = attributes(module)
    masks = _set_to_zero(module, job.options["sparsity"])
    if job.options["finetune"]:
        state = _shapes(module)
        _hold(module, masks)
        module = _release(_finetuned(job, module), masks)
        _refuse_misfit(job, module, state)
        _mask(module, masks)
    _close(job, module, before)
    kernels = [module.get_parameter(name) for name in masks]
    zeros = sum(int((each == 0).sum()) for each in kernels)
    return facts.of_magnitude(job, parameters=_size(module.parameters()), weights=_size(kernels), zeros=zeros)


def structured(job: Job) -> dict[str, Any]:
    """Take out the weakest channels of every layer but those that give the outputs."""
    module = open_module(job)
    before, whole = attributes(module), _size(module.parameters())
    channels = _take_out_channels(job, module)
    if job.options["finetune"]:
        state = _shapes(module)
        module = _finetuned(job, module)
        _refuse_misfit(job, module, state)
    _close(job, module, before)
    return facts.of_channels(job, parameters=(whole, _size(module.parameters())), channels=channels)


def _size(tensors: Iterable[torch.Tensor]) -> int:
    return sum(each.numel() for each in tensors)


def _kernels(module: torch.nn.Module) -> dict[str, torch.nn.Module]:
    """The convolutions and linear layers that hold their weight themselves, by name."""
    from torch import nn
    from torch.nn.modules.conv import _ConvNd

    kinds = (_ConvNd, nn.Linear)
    return {
        name: layer
        for name, layer in module.named_modules()
        if isinstance(layer, kinds) and "weight" in dict(layer.named_parameters(recurse=False))
    }


def _set_to_zero(module: torch.nn.Module, share: float) -> dict[str, torch.Tensor]:
    """The masks, by the names of the weights that they are now applied to; 0 is pruned."""
    from torch.nn.utils import prune

    layers = _kernels(module)
    if not layers:
        raise SourceFault("the model has no convolution and no linear layer whose weights could be set to zero")
    pairs = [(layer, "weight") for layer in layers.values()]
    prune.global_unstructured(pairs, pruning_method=prune.L1Unstructured, amount=share)
    masks = {f"{name}.weight".removeprefix("."): layer.weight_mask.clone() for name, layer in layers.items()}
    for layer in layers.values():
        prune.remove(layer, "weight")
    return masks


def _hold(module: torch.nn.Module, masks: dict[str, torch.Tensor]) -> None:
    """Multiply each weight by its mask wherever it is used, also in copies of the module."""
    from torch import nn
    from torch.nn.utils import parametrize

    class Masked(nn.Module):
        """Zero where the mask is, so that no gradient comes there either."""

        def __init__(self, mask: torch.Tensor) -> None:
            super().__init__()
            self.register_buffer("mask", mask)

        def forward(self, weight: torch.Tensor) -> Any:
            return weight * self.mask

    for name, mask in masks.items():
        layer, _, attribute = name.rpartition(".")
        parametrize.register_parametrization(module.get_submodule(layer), attribute, Masked(mask))


def _release(module: torch.nn.Module, masks: dict[str, torch.Tensor]) -> torch.nn.Module:
    """Plain weights again, where the module that the hook returned still has masks on them."""
    from torch.nn.utils import parametrize

    layers = dict(module.named_modules())
    for name in masks:
        layer, _, attribute = name.rpartition(".")
        if layer in layers and parametrize.is_parametrized(layers[layer], attribute):
            parametrize.remove_parametrizations(layers[layer], attribute, leave_parametrized=True)
    return module


def _mask(module: torch.nn.Module, masks: dict[str, torch.Tensor]) -> None:
    """Set to zero what a hook may have filled."""
    import torch

    with torch.no_grad():
        for name, mask in masks.items():
            module.get_parameter(name).mul_(mask)


def _take_out_channels(job: Job, module: torch.nn.Module) -> tuple[int, int]:
    """Prune `module` in place; its channels before and after, without those of the outputs. Raises SourceFault."""
    import torch

    probe = [each[:1] for each in probe_inputs(job)]
    example = tuple(map(torch.from_numpy, probe))
    shapes = [each.shape for each in answers(module, probe)]
    with _all_trained(module):
        kept = _output_layers(module, example)
        inner = [layer for layer in _kernels(module).values() if layer not in kept]
        before = _channels(inner)
        try:
            _prune_channels(module, example, kept, job.options["sparsity"])
            fits = [each.shape for each in answers(module, probe)] == shapes
        except Exception as error:
            reason = first_line(error)
            raise SourceFault(f"structured pruning does not fit this model ({reason}): {_INSTEAD}") from error
    if not fits:
        raise SourceFault(f"structured pruning would change the shape of the model's outputs: {_INSTEAD}")
    if _channels(inner) == before:
        raise SourceFault(f"structured pruning finds no channel that it could take out: {_INSTEAD}")
    return before, _channels(inner)


def _prune_channels(
    module: torch.nn.Module, example: tuple[torch.Tensor, ...], kept: list[torch.nn.Module], share: float
) -> None:
    """Take `share` of the channels, those of the smallest norm, out of every layer that is not `kept`."""
    import torch_pruning

    ties = _ties(module)
    importance = torch_pruning.importance.GroupMagnitudeImportance(p=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of parameters that belong to no layer, which stay as they are
        torch_pruning.pruner.MagnitudePruner(
            module, example, importance, pruning_ratio=share, ignored_layers=kept
        ).step()
    _tie(module, ties)


def _ties(module: torch.nn.Module) -> dict[str, str]:
    """The parameters that are the same as an earlier one, with that one's name."""
    first: dict[int, str] = {}
    found = {name: first.setdefault(id(each), name) for name, each in module.named_parameters(remove_duplicate=False)}
    return {name: other for name, other in found.items() if name != other}


def _tie(module: torch.nn.Module, ties: dict[str, str]) -> None:
    """Make them one again: each layer was given a smaller weight of its own."""
    for name, other in ties.items():
        layer, _, attribute = name.rpartition(".")
        setattr(module.get_submodule(layer), attribute, module.get_parameter(other))


def _channels(layers: list[torch.nn.Module]) -> int:
    return sum(getattr(layer, "out_channels", None) or layer.out_features for layer in layers)


def _output_layers(module: torch.nn.Module, example: tuple[torch.Tensor, ...]) -> list[torch.nn.Module]:
    """The layers whose kernels are the last before an output: their channels are the outputs' own."""
    owners = {id(parameter): layer for layer in module.modules() for parameter in layer.parameters(recurse=False)}
    results = module(*example)
    waiting = [each.grad_fn for each in (results if isinstance(results, list | tuple) else [results])]
    found, seen = [], set()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        before = [each for each, _ in node.next_functions if each is not None]
        kernels = [weight for each in before if (weight := _weight(each)) is not None and weight.dim() > 1]
        found += [owners[id(weight)] for weight in kernels if id(weight) in owners]
        waiting += [] if kernels else before
    return found


@contextmanager
def _all_trained(module: torch.nn.Module) -> Iterator[None]:
    """Inside, what is frozen takes part in the graph, too."""
    frozen = [name for name, each in module.named_parameters() if not each.requires_grad and each.is_floating_point()]
    for name in frozen:
        module.get_parameter(name).requires_grad_(True)
    yield
    for name in frozen:
        module.get_parameter(name).requires_grad_(False)


def _weight(node: Any) -> Any:
    """The parameter that `node` of the graph hands on as it is or transposed; None for any other."""
    while node.name() in _VIEWS and node.next_functions[0][0] is not None:
        node = node.next_functions[0][0]
    return getattr(node, "variable", None)


def _finetuned(job: Job, module: torch.nn.Module) -> torch.nn.Module:
    """What the hook makes of `module`. Raises SourceFault when that is no module."""
    import torch

    with _one_thread():
        torch.manual_seed(job.seed)
        tuned = finetune(job, module)
    if not isinstance(tuned, torch.nn.Module):
        raise SourceFault(f"{job.options['finetune']} returned {with_article(tuned)}, which is no torch.nn.Module")
    return tuned.eval()


@contextmanager
def _one_thread() -> Iterator[None]:
    """Sums in one order, so that the same training gives the same weights."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _shapes(module: torch.nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in module.state_dict().items()}


def _refuse_misfit(job: Job, module: torch.nn.Module, wanted: dict[str, tuple[int, ...]]) -> None:
    """The state of what the hook returned has the names and shapes of the pruned module's."""
    found = _shapes(module)
    for name in sorted({*wanted, *found}):
        was, now = (list(each[name]) if name in each else "not there" for each in (wanted, found))
        if was != now:
            raise SourceFault(
                f"{job.options['finetune']} returned a model that does not fit the pruned one: "
                f"'{name}' was {was} and is {now}; change weights, not shapes"
            )


def _close(job: Job, module: torch.nn.Module, before: Attributes) -> None:
    """Keep `module`, and see that it is there when the spec's own code is given its weights."""
    keep(module, before, job.out)
    probe = probe_inputs(job)
    refuse_another(job, answers(module, probe), answers(reopen(open_module(job), job.out), probe))
