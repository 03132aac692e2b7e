"""Operators on whole tensors: making, joining, cutting, sorting, selecting."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

from deployspec.evaluators.mlprogram.faults import UnknownOption
from deployspec.evaluators.mlprogram.table import IOS16, Ints, op

if TYPE_CHECKING:
    from torch import Tensor

    from deployspec.evaluators.mlprogram.table import Tensors


@op("identity", exact=True)
def identity(x: Any) -> Any:
    """x itself."""
    return x


@op("shape")
def shape(x: Tensor) -> Tensor:
    """The sizes of x."""
    return torch.tensor(x.shape)


@op("fill")
def fill(shape: Ints, value: Tensor | None = None) -> Tensor:
    """A tensor of one value, 0 unless given."""
    return (torch.tensor(0.0) if value is None else value).expand(shape).contiguous()


@op("fill_like", since=IOS16)
def fill_like(ref_tensor: Tensor, value: Tensor | None = None) -> Tensor:
    """A tensor of one value in the shape of another."""
    return fill(list(ref_tensor.shape), value)


@op("range_1d")
def range_1d(start: Tensor, end: Tensor, step: Tensor) -> Tensor:
    """start, start + step, ... below end."""
    return torch.arange(start.item(), end.item(), step.item(), dtype=start.dtype)


@op("one_hot")
def one_hot(
    indices: Tensor,
    one_hot_vector_size: int,
    axis: int = -1,
    on_value: Tensor | None = None,
    off_value: Tensor | None = None,
) -> Tensor:
    """A new axis that holds `on_value` at the index and `off_value` elsewhere."""
    along = axis % (indices.dim() + 1)
    classes = torch.arange(one_hot_vector_size).reshape(-1, *(1 for _ in indices.shape[along:]))
    hot = indices.unsqueeze(along) == classes
    return torch.where(hot, _or(on_value, 1), _or(off_value, 0))


@op("band_part", exact=True)
def band_part(x: Tensor, lower: int = -1, upper: int = -1) -> Tensor:
    """The innermost matrices without what lies more than `lower` below or `upper` above the diagonal; negative: all."""
    rows, columns = torch.arange(x.shape[-2])[:, None], torch.arange(x.shape[-1])
    below = torch.tensor(True) if lower < 0 else rows - columns <= lower
    above = torch.tensor(True) if upper < 0 else columns - rows <= upper
    return torch.where(below & above, x, 0)


@op("cumsum")
def cumsum(x: Tensor, axis: int = 0, exclusive: bool = False, reverse: bool = False) -> Tensor:
    """Running sums along `axis`; `exclusive` leaves out the element itself, `reverse` runs from the end."""
    ordered = x.flip(axis) if reverse else x
    sums = ordered.cumsum(axis) - ordered if exclusive else ordered.cumsum(axis)
    return sums.flip(axis) if reverse else sums


@op("pad", exact=True)
def pad(x: Tensor, pad: Ints, mode: str = "constant", constant_val: float = 0.0) -> Tensor:
    """pad[2i] elements before and pad[2i + 1] after the last len(pad) / 2 dimensions: a constant, or x continued."""
    pairs = list(zip(pad[::2], pad[1::2], strict=True))
    if mode == "constant":
        return functional.pad(x, [each for pair in reversed(pairs) for each in pair], value=constant_val)
    first = x.dim() - len(pairs)
    for axis, (before, after) in enumerate(pairs, start=first):
        places, last = torch.arange(-before, x.shape[axis] + after), x.shape[axis] - 1
        match mode:
            case "reflect":
                places = last - (last - places.abs()).abs()
            case "replicate":
                places = places.clamp(0, last)
            case _:
                raise UnknownOption(f"mode '{mode}'")
        x = x.index_select(axis, places)
    return x


@op("tile", exact=True)
def tile(x: Tensor, reps: Ints) -> Tensor:
    """x repeated reps[i] times along dimension i."""
    return x.tile(reps)


@op("concat", exact=True)
def concat(values: Tensors, axis: int, interleave: bool = False) -> Tensor:
    """Tensors joined along `axis`, one after the other or element by element."""
    if values[0].dim() == 0:
        return torch.stack(values, axis)
    if not interleave:
        return torch.cat(values, axis)
    along = axis % values[0].dim()
    return torch.stack(values, along + 1).flatten(along, along + 1)


@op("stack", exact=True)
def stack(values: Tensors, axis: int) -> Tensor:
    """Tensors joined along a new axis."""
    return torch.stack(values, axis)


@op("split", exact=True)
def split(x: Tensor, axis: int, num_splits: int | None = None, split_sizes: Ints | None = None) -> tuple[Tensor, ...]:
    """x cut along `axis` into parts of `split_sizes`, or into `num_splits` equal ones."""
    return tuple(x.split(split_sizes or x.shape[axis] // (num_splits or 1), axis))


@op("flatten2d", exact=True)
def flatten2d(x: Tensor, axis: int = 1) -> Tensor:
    """A matrix: the dimensions before `axis` make its rows, the others its columns."""
    return x.reshape(prod(x.shape[:axis]), prod(x.shape[axis:]))


@op("non_zero")
def non_zero(x: Tensor) -> Tensor:
    """The positions of the elements that are not zero, one a row."""
    return x.nonzero()


@op("argsort")
def argsort(x: Tensor, axis: int = -1, ascending: bool = False) -> Tensor:
    """The indices that sort x along `axis`; equals keep their order."""
    return x.argsort(dim=axis, descending=not ascending, stable=True)


@op("topk", idle=("sort", "output_indices_dtype"))
def topk(x: Tensor, k: int = 1, axis: int = -1, ascending: bool = False, return_indices: bool = True) -> Any:
    """The k largest (or smallest) elements along `axis`, -1 for all, sorted, equals in their order; their indices."""
    values, indices = x.sort(dim=axis, descending=not ascending, stable=True)
    count = x.shape[axis] if k == -1 else k
    best = values.narrow(axis, 0, count)
    return (best, indices.narrow(axis, 0, count)) if return_indices else best


def _or(value: Tensor | None, default: int) -> Tensor:
    return torch.tensor(default) if value is None else value
