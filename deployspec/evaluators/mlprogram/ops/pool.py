"""Pooling in one, two and three spatial dimensions."""

from __future__ import annotations

from math import inf, prod
from typing import TYPE_CHECKING, Final

import torch
from torch.nn import functional

from deployspec.evaluators.mlprogram.faults import UnknownOption
from deployspec.evaluators.mlprogram.table import Ints, op
from deployspec.evaluators.mlprogram.windows import Pads, pads_of

if TYPE_CHECKING:
    from torch import Tensor

_MAX: Final = {1: functional.max_pool1d, 2: functional.max_pool2d, 3: functional.max_pool3d}
_MEAN: Final = {1: functional.avg_pool1d, 2: functional.avg_pool2d, 3: functional.avg_pool3d}


@op("max_pool", exact=True)
def max_pool(
    x: Tensor,
    kernel_sizes: Ints,
    pad_type: str,
    strides: Ints | None = None,
    pad: Ints | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """The largest element of each window."""
    steps = strides or [1] * len(kernel_sizes)
    pads = pads_of(pad_type, x.shape[2:], kernel_sizes, steps, pad)
    padded = _overhang(x, pads, kernel_sizes, steps, ceil_mode).around(pads.around(x, -inf), -inf)
    return _MAX[len(kernel_sizes)](padded, kernel_sizes, steps)


@op("avg_pool")
def avg_pool(
    x: Tensor,
    kernel_sizes: Ints,
    pad_type: str,
    strides: Ints | None = None,
    pad: Ints | None = None,
    ceil_mode: bool = False,
    exclude_padding_from_average: bool = False,
) -> Tensor:
    """The mean of each window; padding counts as zeros, or not at all. What `ceil_mode` adds never counts."""
    steps = strides or [1] * len(kernel_sizes)
    pads = pads_of(pad_type, x.shape[2:], kernel_sizes, steps, pad)
    overhang = _overhang(x, pads, kernel_sizes, steps, ceil_mode)
    mean = _MEAN[len(kernel_sizes)]
    means = mean(overhang.around(pads.around(x)), kernel_sizes, steps)
    if not any(overhang.after) and not (exclude_padding_from_average and any(pads.before + pads.after)):
        return means
    ones = torch.ones(1, 1, *x.shape[2:], dtype=x.dtype)
    counted = pads.around(ones, 0.0 if exclude_padding_from_average else 1.0)
    return means / mean(overhang.around(counted), kernel_sizes, steps)


@op("l2_pool")
def l2_pool(
    x: Tensor,
    kernel_sizes: Ints,
    pad_type: str,
    strides: Ints | None = None,
    pad: Ints | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """The square root of the sum of squares of each window."""
    if ceil_mode:
        raise UnknownOption("ceil_mode")
    return torch.sqrt(avg_pool(x.square(), kernel_sizes, pad_type, strides, pad) * prod(kernel_sizes))


def _overhang(x: Tensor, pads: Pads, kernel_sizes: Ints, strides: Ints, ceil_mode: bool) -> Pads:
    """What `ceil_mode` adds after each dimension, so that a last window that is only partly filled counts.

    A window that would begin in the padding after the end is dropped.
    """
    extra = [0] * len(kernel_sizes)
    for at, (before, after) in enumerate(zip(pads.before, pads.after, strict=True)):
        size, step, kernel = x.shape[2 + at], strides[at], kernel_sizes[at]
        padded = size + before + after
        windows = -(-(padded - kernel) // step) + 1
        if (windows - 1) * step >= size + before and before + after > 0:
            windows -= 1
        extra[at] = max(0, (windows - 1) * step + kernel - padded) if ceil_mode else 0
    return Pads([0] * len(kernel_sizes), extra)
