"""Operators that move elements without changing them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from deployspec.evaluators.mlprogram.table import IOS16, IOS17, IOS18, Bools, Ints, op

if TYPE_CHECKING:
    from torch import Tensor

    from deployspec.evaluators.mlprogram.table import Tensors


@op("reshape", exact=True)
def reshape(x: Tensor, shape: Ints) -> Tensor:
    """x in another shape; 0 keeps the size at the same place, -1 takes what is left."""
    return x.reshape([size or x.shape[at] for at, size in enumerate(shape)])


@op("reshape", since=IOS17, exact=True)
def reshape_ios17(x: Tensor, shape: Ints) -> Tensor:
    """As before, but 0 keeps the size at the same place counted from the end; 1 if x has no such dimension."""
    kept = [1] * (len(shape) - x.dim()) + list(x.shape[max(0, x.dim() - len(shape)) :])
    return x.reshape([size or keep for size, keep in zip(shape, kept, strict=True)])


@op("reshape_like", since=IOS16, exact=True)
def reshape_like(x: Tensor, ref_tensors: Tensors, begins: Ints, ends: Ints, end_masks: Bools) -> Tensor:
    """x in the shape of the others' sizes from `begins` to `ends` (or to the last), one after the other."""
    cuts = zip(ref_tensors, begins, ends, end_masks, strict=True)
    return x.reshape([size for ref, begin, end, whole in cuts for size in ref.shape[begin : None if whole else end]])


@op("expand_dims", exact=True)
def expand_dims(x: Tensor, axes: Ints) -> Tensor:
    """x with dimensions of size 1 that stand at `axes` of the result."""
    rank = x.dim() + len(axes)
    for axis in sorted(each % rank for each in axes):
        x = x.unsqueeze(axis)
    return x


@op("squeeze", exact=True)
def squeeze(x: Tensor, axes: Ints | None = None) -> Tensor:
    """x without its dimensions of size 1, or without those at `axes`; larger ones stay."""
    return x.squeeze() if axes is None else x.squeeze(axes)


@op("transpose", exact=True)
def transpose(x: Tensor, perm: Ints) -> Tensor:
    """x with its dimensions in the order `perm`."""
    return x.permute(perm)


@op("reverse", exact=True)
def reverse(x: Tensor, axes: Ints | None = None) -> Tensor:
    """x backwards along `axes`, or along all of them."""
    return x.flip(list(range(x.dim())) if axes is None else axes)


@op("reverse_sequence", exact=True)
def reverse_sequence(x: Tensor, lengths: Ints, seq_axis: int = 0, batch_axis: int = 0) -> Tensor:
    """The first lengths[i] elements along `seq_axis` backwards, for each i along `batch_axis`."""
    result = x.clone()
    sequences = result.movedim((batch_axis, seq_axis), (0, 1))
    for at, length in enumerate(lengths):
        sequences[at, :length] = sequences[at, :length].flip(0)
    return result


@op("slice_by_index", exact=True)
def slice_by_index(
    x: Tensor,
    begin: Ints,
    end: Ints,
    stride: Ints | None = None,
    begin_mask: Bools | None = None,
    end_mask: Bools | None = None,
    squeeze_mask: Bools | None = None,
) -> Tensor:
    """x[begin : end : stride] in each dimension, as in numpy; masks say from the first, to the last, or begin alone."""
    no = [False] * x.dim()
    squeezed = squeeze_mask or no
    rows = zip(begin, end, stride or [1] * x.dim(), begin_mask or no, end_mask or no, squeezed, strict=True)
    for axis, (first, last, step, from_start, to_end, alone) in enumerate(rows):
        whole = range(x.shape[axis])
        start = None if from_start else first
        places = [whole[start or 0]] if alone else whole[start : None if to_end else last : step]
        x = _picked(x, axis, places)
    return x.squeeze([axis for axis, alone in enumerate(squeezed) if alone])


@op("slice_by_size", exact=True)
def slice_by_size(x: Tensor, begin: Ints, size: Ints) -> Tensor:
    """`size` elements from `begin` in each dimension; -1 for all that are left."""
    for axis, (first, count) in enumerate(zip(begin, size, strict=True)):
        start = first + x.shape[axis] if first < 0 else first
        x = x.narrow(axis, start, x.shape[axis] - start if count == -1 else count)
    return x


@op("slice_update", since=IOS18, exact=True)
def slice_update(
    x: Tensor,
    update: Tensor,
    begin: Ints,
    end: Ints,
    stride: Ints | None = None,
    begin_mask: Bools | None = None,
    end_mask: Bools | None = None,
    squeeze_mask: Bools | None = None,
) -> Tensor:
    """x with the elements that `slice_by_index` would take replaced by `update`."""
    positions = torch.arange(x.numel()).reshape(x.shape)
    taken = slice_by_index(positions, begin, end, stride, begin_mask, end_mask, squeeze_mask)
    return x.reshape(-1).index_copy(0, taken.reshape(-1), update.reshape(-1)).reshape(x.shape)


@op("depth_to_space", exact=True)
def depth_to_space(x: Tensor, block_size: int) -> Tensor:
    """(n, b * b * C, H, W) to (n, C, H * b, W * b); the channel varies faster than the place, as in TensorFlow."""
    blocks = x.unflatten(1, (block_size, block_size, -1))
    return blocks.permute(0, 3, 4, 1, 5, 2).flatten(4, 5).flatten(2, 3)


@op("space_to_depth", exact=True)
def space_to_depth(x: Tensor, block_size: int) -> Tensor:
    """The inverse of depth_to_space."""
    blocks = x.unflatten(3, (-1, block_size)).unflatten(2, (-1, block_size))
    return blocks.permute(0, 3, 5, 1, 2, 4).flatten(1, 3)


@op("pixel_shuffle", exact=True)
def pixel_shuffle(x: Tensor, upscale_factor: int) -> Tensor:
    """(n, C * f * f, H, W) to (n, C, H * f, W * f); the place varies faster than the channel, as in PyTorch."""
    return functional.pixel_shuffle(x, upscale_factor)


@op("pixel_unshuffle", since=IOS16, exact=True)
def pixel_unshuffle(x: Tensor, downscale_factor: int) -> Tensor:
    """The inverse of pixel_shuffle."""
    return functional.pixel_unshuffle(x, downscale_factor)


@op("space_to_batch", exact=True)
def space_to_batch(x: Tensor, block_shape: Ints, paddings: Tensor) -> Tensor:
    """(n, C, H, W), padded, to (n * bh * bw, C, H / bh, W / bw); the block's place varies slower than the sample."""
    (top, bottom), (left, right) = paddings.tolist()
    padded = functional.pad(x, [left, right, top, bottom])
    blocks = padded.unflatten(3, (-1, block_shape[1])).unflatten(2, (-1, block_shape[0]))
    return blocks.permute(3, 5, 0, 1, 2, 4).flatten(0, 2)


@op("batch_to_space", exact=True)
def batch_to_space(x: Tensor, block_shape: Ints, crops: Tensor) -> Tensor:
    """The inverse of space_to_batch, with `crops` cut off."""
    (top, bottom), (left, right) = crops.tolist()
    blocks = x.unflatten(0, (*block_shape, -1)).permute(2, 3, 4, 0, 5, 1)
    return functional.pad(blocks.flatten(4, 5).flatten(2, 3), [-left, -right, -top, -bottom])


@op("sliding_windows", exact=True)
def sliding_windows(x: Tensor, axis: int, size: int, stride: int = 1) -> Tensor:
    """All windows of `size` along `axis`; a window's elements stand in a new dimension after it."""
    along = axis % x.dim()
    return x.unfold(along, size, stride).movedim(-1, along + 1)


def _picked(x: Tensor, axis: int, places: list[int] | range) -> Tensor:
    """The elements at `places` along an axis: a view where torch can make one."""
    if isinstance(places, range) and places.step > 0:
        return x[(slice(None),) * axis + (slice(places.start, places.stop, places.step),)]
    return x.index_select(axis, torch.tensor(list(places), dtype=torch.long))
