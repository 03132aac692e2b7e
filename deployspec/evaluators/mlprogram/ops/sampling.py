"""Where the samples of a resized tensor lie, and how it is read there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from deployspec.evaluators.mlprogram.faults import UnknownOption

if TYPE_CHECKING:
    from torch import Tensor


def grid(mode: str, size: float, count: int, *, limit: bool = True) -> Tensor:
    """The positions in [0, size - 1] of `count` samples, float64; MIL's `resize_bilinear`, "sampling_mode".

    `limit` keeps them inside. `size` need not be whole: that of a box may be any, below 1 if it stands on its head.
    """
    steps = torch.arange(count, dtype=torch.float64)
    match mode:
        case "ALIGN_CORNERS" if count == 1:
            points = steps + (size - 1) / 2
        case "ALIGN_CORNERS" | "STRICT_ALIGN_CORNERS":
            points = steps * ((size - 1) / max(1, count - 1))
        case "DEFAULT":
            points = steps * (size / count)
        case "OFFSET_CORNERS":
            points = (steps + 0.5) * (max(1, size - 1) / count)
        case "UNALIGN_CORNERS":
            points = (steps + 0.5) * (size / count) - 0.5
        case _:
            raise UnknownOption(f"'{mode}' is not implemented")
    return points.clamp(0, max(0, size - 1)) if limit else points


def interpolated(x: Tensor, axis: int, points: Tensor, outside: float | None = None) -> Tensor:
    """x read along `axis` at `points`, linearly; points outside repeat the border, or are `outside` if it is given."""
    last = x.shape[axis] - 1
    inside = points.clamp(0, last)
    low = inside.floor().long().clamp(max=max(0, last - 1))
    weight = _along(inside - low, axis).to(x.dtype)
    read = torch.lerp(x.index_select(axis, low), x.index_select(axis, (low + 1).clamp(max=last)), weight)
    return read if outside is None else torch.where(_along(inside == points, axis), read, outside)


def nearest(x: Tensor, axis: int, points: Tensor) -> Tensor:
    """x read along `axis` at the elements nearest to `points`."""
    return x.index_select(axis, points.round().long().clamp(0, x.shape[axis] - 1))


def to_pixels(coordinates: Tensor, size: int, mode: str, align_corners: bool) -> Tensor:
    """Coordinates as pixel numbers; unless corners are aligned, -1 and 1 are the outer edges of the border pixels."""
    match mode:
        case "unnormalized":
            return coordinates
        case "normalized_minus_one_to_one":
            unit = (coordinates + 1) / 2
        case "normalized_zero_to_one":
            unit = coordinates
        case _:
            raise UnknownOption(f"'{mode}' is not implemented")
    return unit * (size - 1) if align_corners else unit * size - 0.5


def sampled(x: Tensor, rows: Tensor, columns: Tensor, mode: str, padding: str, value: float) -> Tensor:
    """x (B, C, H, W) at pixel numbers (B, H2, W2), with its border continued as `padding` says."""
    rows, columns = _folded(rows, x.shape[-2], padding), _folded(columns, x.shape[-1], padding)
    if mode == "nearest":
        return _padded_at(x, rows.round(), columns.round(), padding, value)
    if mode != "bilinear":
        raise UnknownOption(f"sampling_mode '{mode}'")
    top, left = rows.floor(), columns.floor()
    down, right = (rows - top)[:, None], (columns - left)[:, None]
    above, below = (
        torch.lerp(_padded_at(x, row, left, padding, value), _padded_at(x, row, left + 1, padding, value), right)
        for row in (top, top + 1)
    )
    return torch.lerp(above, below, down)


def _padded_at(x: Tensor, rows: Tensor, columns: Tensor, padding: str, value: float) -> Tensor:
    """x at whole pixel numbers, which may lie outside."""
    height, width = x.shape[-2:]
    at_row, at_column = _folded(rows, height, padding), _folded(columns, width, padding)
    row, column = at_row.clamp(0, height - 1).long(), at_column.clamp(0, width - 1).long()
    read = torch.stack([image[:, r, c] for image, r, c in zip(x, row, column, strict=True)])
    inside = ((row == at_row) & (column == at_column))[:, None]
    return torch.where(inside, read, value)


def _folded(points: Tensor, size: int, padding: str) -> Tensor:
    """Points brought back into [0, size - 1]; left where they are when the border is constant."""
    last = size - 1
    match padding:
        case "constant":
            return points
        case "border":
            return points.clamp(0, last)
        case "reflection":
            return last - (points.abs() % (2 * last) - last).abs() if last else torch.zeros_like(points)
        case "symmetric":
            period = (points + 0.5).abs() % (2 * size)
            return (size - (period - size).abs() - 0.5).clamp(0, last)
        case _:
            raise UnknownOption(f"padding_mode '{padding}'")


def _along(vector: Tensor, axis: int) -> Tensor:
    """A vector shaped so that it broadcasts along the negative `axis`."""
    return vector.reshape(-1, *(1 for _ in range(-axis - 1)))
