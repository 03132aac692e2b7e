"""Magnitude pruning of Keras models: a function of a worker's job.

Its weights are what `sources.keras_model.open_keras` loads over the spec's model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from deployspec.contract import probe_inputs
from deployspec.errors import SourceFault
from deployspec.passes import facts
from deployspec.passes.finetune import finetune, refuse_another
from deployspec.runners.callables import with_article
from deployspec.sources.keras_model import PRUNED, answers, open_keras

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deployspec.ir.artifact import Job

_KERNELS: Final = ("kernel", "depthwise_kernel", "pointwise_kernel")
"""What Keras's convolutions and dense layers call the weights that they multiply by."""


def magnitude(job: Job) -> dict[str, Any]:
    """Set the smallest weights of all kernels together to zero; they stay so while it trains."""
    import keras

    keras.backend.clear_session()  # it counts the layers' names, which the file holds
    model = open_keras(job)
    kernels = _kernels(model)
    if not kernels:
        raise SourceFault("the model has no convolution and no dense layer whose weights could be set to zero")
    masks = _largest([np.asarray(each) for each in kernels], job.options["sparsity"])
    _apply(kernels, masks)
    if job.options["finetune"]:
        model = _finetuned(job, model, masks)
        _apply(_kernels(model), masks)
    fresh = open_keras(job)  # without the optimizer and the losses that a hook has compiled in
    fresh.set_weights(model.get_weights())
    fresh.save_weights(job.out / PRUNED)
    probe = probe_inputs(job)
    refuse_another(job, answers(job, model, probe), answers(job, fresh, probe))
    kept = [np.asarray(each) for each in _kernels(model)]
    weights, zeros = sum(each.size for each in kept), sum(int((each == 0).sum()) for each in kept)
    return facts.of_magnitude(job, parameters=model.count_params(), weights=weights, zeros=zeros)


def _kernels(model: Any) -> list[Any]:
    return [each for each in model.weights if each.name in _KERNELS and len(each.shape) > 1]


def _largest(kernels: Sequence[np.ndarray], share: float) -> list[np.ndarray]:
    """For each kernel 1 where its weight is kept and 0 where it is among the `share` of all that is smallest."""
    sizes = np.concatenate([np.abs(each).ravel() for each in kernels])
    kept = np.ones(sizes.size, np.float32)
    kept[np.argsort(sizes, kind="stable")[: round(share * sizes.size)]] = 0
    ends = np.cumsum([each.size for each in kernels])[:-1]
    return [part.reshape(each.shape) for part, each in zip(np.split(kept, ends), kernels, strict=True)]


def _apply(kernels: Sequence[Any], masks: Sequence[np.ndarray]) -> None:
    for kernel, mask in zip(kernels, masks, strict=True):
        kernel.assign(kernel * mask)


def _finetuned(job: Job, model: Any, masks: Sequence[np.ndarray]) -> Any:
    """What the hook makes of `model`, whose optimizers put every masked weight back to zero after each step."""
    import keras

    for kernel, mask in zip(_kernels(model), masks, strict=True):
        kernel.constraint = _Masked(mask)
    keras.utils.set_random_seed(job.seed)
    tuned = finetune(job, model)
    hook = job.options["finetune"]
    if not isinstance(tuned, keras.Model):
        raise SourceFault(f"{hook} returned {with_article(tuned)}, which is no keras.Model")
    was, now = ([tuple(each.shape) for each in one.weights] for one in (model, tuned))
    if was != now:
        raise SourceFault(
            f"{hook} returned a model that does not fit the pruned one: its weights are {_shown(now)}, "
            f"not {_shown(was)}; change weights, not shapes"
        )
    return tuned


class _Masked:
    """A constraint of Keras: the value with zeros where the mask has them."""

    def __init__(self, mask: np.ndarray) -> None:
        self._mask = mask

    def __call__(self, value: Any) -> Any:
        return value * self._mask


def _shown(shapes: Sequence[tuple[int, ...]]) -> str:
    return ", ".join(str(list(each)) for each in shapes)
