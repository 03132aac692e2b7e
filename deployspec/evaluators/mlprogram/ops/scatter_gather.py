"""Gathering and scattering along axes.

Before iOS 17 a negative index counts from the end. Since then it is out of bounds, and Core ML leaves the result of
such an index undefined: the evaluator refuses it.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Final

import torch

from deployspec.evaluators.mlprogram.faults import UnknownOption
from deployspec.evaluators.mlprogram.table import IOS17, Ints, Site, op

if TYPE_CHECKING:
    from torch import Tensor

_IDLE: Final = ("validate_indices",)
"""Every index is validated: without it Core ML leaves the result undefined, and an undefined result is no reference."""


@op("gather", exact=True, idle=_IDLE)
def gather(x: Tensor, indices: Tensor, axis: int = 0, batch_dims: int = 0, *, site: Site) -> Tensor:
    """x[..., indices, ...], the indices standing at `axis`; for each element of the first `batch_dims` dimensions."""
    along = axis % x.dim()
    if batch_dims:
        pairs = zip(x, indices, strict=True)
        return torch.stack([gather(*pair, along - 1, batch_dims - 1, site=site) for pair in pairs])
    chosen = x.index_select(along, _within(indices, x.shape[along], site).reshape(-1))
    return chosen.reshape(*x.shape[:along], *indices.shape, *x.shape[along + 1 :])


@op("gather_along_axis", exact=True, idle=_IDLE)
def gather_along_axis(x: Tensor, indices: Tensor, axis: int = 0, *, site: Site) -> Tensor:
    """x[p_0, .., indices[p], .., p_n] for every position p of indices."""
    return torch.take_along_dim(x, _within(indices, x.shape[axis], site), axis)


@op("gather_nd", exact=True, idle=_IDLE)
def gather_nd(x: Tensor, indices: Tensor, batch_dims: int = 0, *, site: Site) -> Tensor:
    """x[indices[i, :]] for every i; the index goes into the dimensions of x that follow the first `batch_dims`."""
    if batch_dims:
        pairs = zip(x, indices, strict=True)
        return torch.stack([gather_nd(*pair, batch_dims - 1, site=site) for pair in pairs])
    columns = zip(indices.unbind(-1), x.shape, strict=False)
    return x[tuple(_within(column, size, site) for column, size in columns)]


@op("scatter_along_axis", idle=_IDLE)
def scatter_along_axis(
    data: Tensor, indices: Tensor, updates: Tensor, axis: int = 0, mode: str = "add", *, site: Site
) -> Tensor:
    """`data` with updates[p] brought in at [p_0, .., indices[p], .., p_n] by `mode`."""
    places = _within(indices, data.shape[axis], site)
    match mode:
        case "update":
            return data.scatter(axis, places, updates)
        case "add":
            return data.scatter_add(axis, places, updates)
        case "sub":
            return data.scatter_add(axis, places, -updates)
        case "mul":
            return data.scatter_reduce(axis, places, updates, "prod")
        case "div":
            return data / torch.ones_like(data).scatter_reduce(axis, places, updates, "prod")
        case "max":
            return data.scatter_reduce(axis, places, updates, "amax")
        case "min":
            return data.scatter_reduce(axis, places, updates, "amin")
        case _:
            raise UnknownOption(f"mode '{mode}'")


@op("scatter", idle=_IDLE)
def scatter(data: Tensor, indices: Tensor, updates: Tensor, axis: int = 0, mode: str = "add", *, site: Site) -> Tensor:
    """`data` with the i-th slice of `updates` along `axis` brought in at indices[i] by `mode`."""
    along = axis % data.dim()
    count = indices.numel()
    slices = updates.reshape(*data.shape[:along], count, *data.shape[along + 1 :])
    places = indices.reshape(-1, *(1 for _ in data.shape[along + 1 :])).expand(slices.shape)
    return scatter_along_axis(data, places, slices, along, mode, site=site)


@op("scatter_nd", idle=_IDLE)
def scatter_nd(data: Tensor, indices: Tensor, updates: Tensor, mode: str = "add", *, site: Site) -> Tensor:
    """`data` with updates[i] brought in at data[indices[i, :]] by `mode`."""
    depth = indices.shape[-1]
    rows = data.reshape(prod(data.shape[:depth]), -1)
    columns = zip(indices.unbind(-1), _strides(data.shape[:depth]), data.shape, strict=False)
    flat = sum(_within(column, size, site) * stride for column, stride, size in columns)
    places = torch.as_tensor(flat).reshape(-1, 1).expand(-1, rows.shape[1])
    return scatter_along_axis(rows, places, updates.reshape(places.shape), 0, mode, site=site).reshape(data.shape)


def _within(indices: Tensor, size: int, site: Site) -> Tensor:
    """The indices counted from the start; raises `EvaluationFailed` for one that is out of bounds."""
    places = indices.long()
    if site.opset < IOS17:
        places = torch.where(places < 0, places + size, places)
    if places.numel() and not 0 <= int(places.min()) <= int(places.max()) < size:
        raise site.fault(f"an index lies outside 0 to {size - 1}, which Core ML leaves undefined")
    return places


def _strides(shape: tuple[int, ...]) -> Ints:
    return [prod(shape[at + 1 :]) for at in range(len(shape))]
