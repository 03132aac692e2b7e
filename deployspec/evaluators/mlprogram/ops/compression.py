"""Compressed constants (constexpr_*), decompressed when the program is loaded."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import torch

from deployspec.evaluators.mlprogram.ops.quantization import dequantize
from deployspec.evaluators.mlprogram.table import IOS16, IOS18, Ints, op

if TYPE_CHECKING:
    from torch import Tensor


@op("constexpr_affine_dequantize", since=IOS16)
def constexpr_affine_dequantize(quantized_data: Tensor, zero_point: Tensor, scale: Tensor, axis: int) -> Tensor:
    """scale * (quantized_data - zero_point), each a scalar or a vector along `axis`."""
    return dequantize(quantized_data, scale, zero_point, axis)


@op("constexpr_cast", since=IOS16, idle=("output_dtype",))
def constexpr_cast(source_val: Tensor) -> Tensor:
    """A constant in the type that is declared for the result."""
    return source_val


@op("constexpr_lut_to_dense", since=IOS16, exact=True)
def constexpr_lut_to_dense(indices: Tensor, lut: Tensor, shape: Ints) -> Tensor:
    """lut[indices]; each index takes log2(size of lut) bits, packed from the least significant one."""
    bits = (lut.numel() - 1).bit_length()
    places = _bits(indices)[: prod(shape) * bits].reshape(-1, bits)
    numbers = (places.long() << torch.arange(bits)).sum(-1)
    return lut[numbers].reshape(shape)


@op("constexpr_sparse_to_dense", since=IOS16, exact=True)
def constexpr_sparse_to_dense(nonzero_data: Tensor, mask: Tensor, shape: Ints) -> Tensor:
    """nonzero_data at the set bits of the packed mask, zeros elsewhere."""
    return _spread(nonzero_data, _bits(mask)[: prod(shape)].reshape(shape))


@op("constexpr_blockwise_shift_scale", since=IOS18)
def constexpr_blockwise_shift_scale(data: Tensor, scale: Tensor, offset: Tensor | None = None) -> Tensor:
    """scale * (data - offset); scale and offset hold one number for each block of data, in every dimension."""
    values = data.to(scale.dtype)
    shifted = values if offset is None else values - _to_shape(offset, data)
    return _to_shape(scale, data) * shifted


@op("constexpr_lut_to_dense", since=IOS18, exact=True)
def constexpr_lut_to_dense_ios18(indices: Tensor, lut: Tensor, vector_axis: int | None = None) -> Tensor:
    """The entries of `lut` (*groups, entries, vector) at `indices`; each block of indices has a table of its own.

    An entry that is a vector is laid out along `vector_axis`.
    """
    groups, (entries, length) = lut.shape[:-2], lut.shape[-2:]
    number = _to_shape(torch.arange(prod(groups)).reshape(groups), indices)
    found = lut.reshape(-1, length)[number * entries + indices.long()]
    if length == 1:
        return found[..., 0]
    along = (vector_axis or 0) % indices.dim()
    return found.movedim(-1, along + 1).flatten(along, along + 1)


@op("constexpr_sparse_to_dense", since=IOS18, exact=True)
def constexpr_sparse_to_dense_ios18(nonzero_data: Tensor, mask: Tensor) -> Tensor:
    """nonzero_data where the mask is 1, zeros elsewhere."""
    return _spread(nonzero_data, mask)


@op("constexpr_lut_to_sparse", since=IOS18, exact=True)
def constexpr_lut_to_sparse(
    indices_mask: Tensor, indices_nonzero_data: Tensor, lut: Tensor, vector_axis: int | None = None
) -> tuple[Tensor, Tensor]:
    """The mask and the values of a sparse tensor whose values are entries of `lut`."""
    dense = constexpr_lut_to_dense_ios18(_spread(indices_nonzero_data, indices_mask), lut, vector_axis)
    mask = indices_mask
    if vector_axis is not None:
        mask = mask.repeat_interleave(lut.shape[-1], vector_axis)
    return mask, dense[mask.bool()]


@op("constexpr_sparse_blockwise_shift_scale", since=IOS18)
def constexpr_sparse_blockwise_shift_scale(
    data_mask: Tensor, nonzero_data: Tensor, scale: Tensor, offset: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The mask and the values of a sparse tensor, each value scaled by its block's scale and offset."""
    dense = constexpr_blockwise_shift_scale(_spread(nonzero_data, data_mask), scale, offset)
    return data_mask, dense[data_mask.bool()]


def _bits(packed: Tensor) -> Tensor:
    """The bits of bytes, least significant first."""
    return (packed[:, None] >> torch.arange(8, dtype=torch.uint8) & 1).reshape(-1)


def _spread(values: Tensor, mask: Tensor) -> Tensor:
    dense = torch.zeros(mask.shape, dtype=values.dtype)
    dense[mask.bool()] = values
    return dense


def _to_shape(blocks: Tensor, data: Tensor) -> Tensor:
    """One number a block, repeated over the block's elements; raises ValueError where blocks do not divide the data."""
    for axis, (count, size) in enumerate(zip(blocks.shape, data.shape, strict=True)):
        if size % count:
            raise ValueError(f"{count} blocks do not divide dimension {axis} of size {size}")
        if 1 < count < size:
            blocks = blocks.repeat_interleave(size // count, axis)
    return blocks.expand(data.shape)
