"""Convolutions in one, two and three spatial dimensions."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any, Final

from torch.nn import functional

from deployspec.evaluators.mlprogram.numerics import spans
from deployspec.evaluators.mlprogram.table import Ints, Site, op
from deployspec.evaluators.mlprogram.windows import Pads, pads_of

if TYPE_CHECKING:
    from torch import Tensor

_CONVOLVE: Final = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}
_TRANSPOSED: Final = {1: functional.conv_transpose1d, 2: functional.conv_transpose2d, 3: functional.conv_transpose3d}


@op("conv")
def conv(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    strides: Ints | None = None,
    pad_type: str = "valid",
    pad: Ints | None = None,
    dilations: Ints | None = None,
    groups: int = 1,
    *,
    site: Site,
) -> Tensor:
    """Cross-correlation of x (n, C_in, *D) with weight (C_out, C_in / groups, *K)."""
    ones = [1] * (x.dim() - 2)
    steps, gaps = strides or ones, dilations or ones
    window = [(size - 1) * gap + 1 for size, gap in zip(weight.shape[2:], gaps, strict=True)]
    pads = pads_of(pad_type, x.shape[2:], window, steps, pad)
    padded, padding = (x, pads.before) if pads.symmetric else (pads.around(x), 0)
    options = {"stride": steps, "padding": padding, "dilation": gaps, "groups": groups}
    convolve = _CONVOLVE[len(ones)]
    if not site.rounds_sums:
        return convolve(padded, weight, bias, **options)
    grouped = padded.unflatten(1, (groups, -1))
    parts = (
        convolve(grouped[:, :, each].flatten(1, 2), weight[:, each], **options)
        for each in spans(weight.shape[1], prod(weight.shape[2:]))
    )
    return _biased(site.numerics.accumulate(parts), bias)


@op("conv_transpose")
def conv_transpose(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    pad: Ints | None = None,
    output_shape: Ints | None = None,
    pad_type: str = "valid",
    strides: Ints | None = None,
    dilations: Ints | None = None,
    groups: int = 1,
) -> Tensor:
    """The transpose of `conv`: weight (C_in, C_out / groups, *K); the result is cut, or filled with zeros, to size."""
    ones = [1] * (x.dim() - 2)
    options: dict[str, Any] = {"stride": strides or ones, "dilation": dilations or ones, "groups": groups}
    full = _TRANSPOSED[len(ones)](x, weight, **options)
    before, after = _cuts(full, x, options["stride"], pad_type, pad, output_shape)
    return _biased(Pads([-each for each in before], [-each for each in after]).around(full), bias)


def _cuts(
    full: Tensor, x: Tensor, strides: Ints, pad_type: str, pad: Ints | None, output_shape: Ints | None
) -> tuple[list[int], list[int]]:
    """How much of each spatial dimension of the full result to cut before and after; negative to extend it."""
    sizes = list(full.shape[2:])
    wanted = output_shape[2:] if output_shape else None
    if pad_type.startswith("same"):
        wanted = wanted or [size * step for size, step in zip(x.shape[2:], strides, strict=True)]
        cut = [max(0, size - want) for size, want in zip(sizes, wanted, strict=True)]
        before = [(each + (pad_type == "same_lower")) // 2 for each in cut]
    else:
        custom = pad if pad_type == "custom" and pad else [0] * (2 * len(sizes))
        before = custom[::2]
        wanted = wanted or [size - a - b for size, a, b in zip(sizes, before, custom[1::2], strict=True)]
    return before, [size - start - want for size, start, want in zip(sizes, before, wanted, strict=True)]


def _biased(x: Tensor, bias: Tensor | None) -> Tensor:
    return x if bias is None else x + bias.reshape(-1, *(1 for _ in x.shape[2:]))
