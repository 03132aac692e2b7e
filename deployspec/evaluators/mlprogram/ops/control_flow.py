"""Branches, loops, selection, and lists of tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from deployspec.evaluators.mlprogram.faults import UnknownOption
from deployspec.evaluators.mlprogram.table import Frame, Ints, Site, op
from deployspec.formats.mlpackage import DType

if TYPE_CHECKING:
    from torch import Tensor

    from deployspec.evaluators.mlprogram.table import TensorList, Tensors


@op("cond")
def cond(pred: bool, *, site: Site, frame: Frame) -> tuple[Any, ...]:
    """The results of the first block if `pred` is true, else of the second."""
    chosen = site.blocks[0 if pred else 1]
    return tuple(chosen(frame, []))


@op("while_loop")
def while_loop(loop_vars: Tensors, *, site: Site, frame: Frame) -> tuple[Any, ...]:
    """The variables, replaced by the results of the second block for as long as the first one gives true."""
    condition, body = site.blocks
    values: list[Any] = loop_vars
    while bool(condition(frame, values)[0]):
        values = body(frame, values)
    return tuple(values)


@op("select", exact=True)
def select(cond: Tensor, a: Tensor | None = None, b: Tensor | None = None) -> Tensor:
    """`a` where `cond` is true, else `b`, with broadcasting; without them the positions where it is true."""
    if a is None or b is None:
        return cond.nonzero()
    return torch.where(cond.bool(), a, b)


@op("make_list", idle=("dynamic_length",))
def make_list(elem_shape: Tensors, init_length: int = 1, dtype: str = "fp32", *, site: Site) -> TensorList:
    """A list of `init_length` tensors of zeros."""
    if any(isinstance(each, str) for each in elem_shape):
        raise UnknownOption("elements of a shape that is known only when the model runs")
    shape = [int(each) for each in elem_shape]
    return [torch.zeros(shape, dtype=site.numerics.dtype(DType(dtype)))] * init_length


@op("list_length")
def list_length(ls: TensorList) -> Tensor:
    """The number of elements."""
    return torch.tensor(len(ls))


@op("list_read", exact=True)
def list_read(ls: TensorList, index: int) -> Tensor:
    """The element at `index`."""
    return ls[index]


@op("list_write")
def list_write(ls: TensorList, index: int, value: Tensor) -> TensorList:
    """The list with `value` at `index`, grown with zeros if it was shorter."""
    grown = ls + [torch.zeros_like(value)] * (index + 1 - len(ls))
    return [*grown[:index], value, *grown[index + 1 :]]


@op("list_gather", exact=True)
def list_gather(ls: TensorList, indices: Ints) -> Tensor:
    """The elements at `indices`, stacked."""
    return torch.stack([ls[each] for each in indices])


@op("list_scatter")
def list_scatter(ls: TensorList, indices: Ints, value: Tensor) -> TensorList:
    """The list with the slices of `value` at `indices`, grown if it was shorter."""
    for index, each in zip(indices, value, strict=True):
        ls = list_write(ls, index, each)
    return ls
