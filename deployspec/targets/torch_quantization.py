"""int8 as torch's own engines run it: what the TorchScript and PyTorch Mobile formats quantize with."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Final

from deployspec.ir.plan import EXPORTED_PROGRAM, KERAS_MODEL, SAVED_MODEL, SCRIPT_MODULE

if TYPE_CHECKING:
    import numpy as np
    import torch

    from deployspec.ir.artifact import Job


_OWN_CODE: Final = "it changes the module's own code, which a file no longer has: name the callable as the source"
_NO_KERAS: Final = "it holds what torch traced, and Keras is no torch"
_WEIGHTS_ONLY: Final = "it has no kernels for weights alone: int8-dynamic keeps the activations in floating point"
_NO_PALETTE: Final = "it has no weights by palette"
_NO_INT16: Final = "it has no kernels for activations in 16-bit integers"


def reasons(*schemes: str) -> dict[str, str]:
    """Why a format of torch's with these `schemes` cannot have the others, nor these from everywhere."""
    return {
        **{f"{scheme} from {form}": _OWN_CODE for scheme in schemes for form in (EXPORTED_PROGRAM, SCRIPT_MODULE)},
        **dict.fromkeys((KERAS_MODEL, SAVED_MODEL), _NO_KERAS),
        **dict.fromkeys(("int8-weights", "int4-weights"), _WEIGHTS_ONLY),
        **dict.fromkeys(("palette-4", "palette-6", "palette-8"), _NO_PALETTE),
        "int16x8": _NO_INT16,
    }


def quantized_static(job: Job, module: torch.nn.Module, inputs: list[np.ndarray], engine: str) -> torch.nn.Module:
    """Post-training static int8 with FX graph mode quantization; one pass over the calibration split.

    Weights have a scale for each output channel. qnnpack's own default is one for all of them, which leaves nothing of
    a depthwise convolution's smaller filters: a trained network agreed with itself on 6 of 100 samples.

    What is left of `module` is of no use.
    """
    import torch
    from torch.ao.quantization import QConfig, get_default_qconfig_mapping
    from torch.ao.quantization.observer import per_channel_weight_observer_range_neg_127_to_127 as per_channel
    from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx

    from deployspec.sources.torch_module import calibration_samples

    torch.backends.quantized.engine = engine
    mapping = get_default_qconfig_mapping(engine)
    mapping.set_global(QConfig(activation=mapping.global_qconfig.activation, weight=per_channel))
    example = tuple(torch.from_numpy(each[:1]) for each in inputs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        prepared = prepare_fx(module, mapping, example)
        with torch.no_grad():
            for sample in calibration_samples(job):
                prepared(*sample)
        return convert_fx(prepared)


def quantized_dynamic(module: torch.nn.Module, engine: str) -> torch.nn.Module:
    """int8 weights in linear and recurrent layers, activations quantized per call."""
    import torch

    torch.backends.quantized.engine = engine
    kinds = {torch.nn.Linear, torch.nn.LSTM, torch.nn.GRU}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.ao.quantization.quantize_dynamic(module, kinds, dtype=torch.qint8)
