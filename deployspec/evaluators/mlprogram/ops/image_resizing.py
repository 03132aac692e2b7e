"""Resizing, cropping and resampling of the last two dimensions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch

from deployspec.evaluators.mlprogram.faults import UnknownOption
from deployspec.evaluators.mlprogram.ops.sampling import grid, interpolated, nearest, sampled, to_pixels
from deployspec.evaluators.mlprogram.table import IOS16, IOS17, Ints, Site, op

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

_SLACK: Final = 1e-4
"""How far, in pixels, rounding may carry the edge of a box out of its image."""


@op("crop", exact=True)
def crop(x: Tensor, crop_height: Ints, crop_width: Ints) -> Tensor:
    """x without the first and last rows and columns that are named."""
    (top, bottom), (left, right) = crop_height, crop_width
    return x[..., top : x.shape[-2] - bottom, left : x.shape[-1] - right]


@op("resize_bilinear")
def resize_bilinear(
    x: Tensor, target_size_height: int = 1, target_size_width: int = 1, sampling_mode: str = "DEFAULT"
) -> Tensor:
    """Linear interpolation on the grid that `sampling_mode` names."""
    for axis, size in ((-2, target_size_height), (-1, target_size_width)):
        x = interpolated(x, axis, grid(sampling_mode, x.shape[axis], size))
    return x


@op("upsample_bilinear")
def upsample_bilinear(
    x: Tensor,
    scale_factor_height: float = 1.0,
    scale_factor_width: float = 1.0,
    align_corners: bool = True,
    half_pixel_centers: bool | None = None,
) -> Tensor:
    """Linear interpolation to floor(size * factor); with neither alignment, pixel i lies at i / factor."""
    halves = not align_corners if half_pixel_centers is None else half_pixel_centers
    if align_corners and halves:
        raise UnknownOption("align_corners together with half_pixel_centers")
    mode = "STRICT_ALIGN_CORNERS" if align_corners else "UNALIGN_CORNERS" if halves else "DEFAULT"
    return resize_bilinear(x, *_scaled(x, scale_factor_height, scale_factor_width), mode)


@op("resize_nearest_neighbor", exact=True)
def resize_nearest_neighbor(x: Tensor, target_size_height: int, target_size_width: int) -> Tensor:
    """Pixel i of the result is pixel floor(i * size / target) of x."""
    for axis, size in ((-2, target_size_height), (-1, target_size_width)):
        x = x.index_select(axis, torch.arange(size) * x.shape[axis] // size)
    return x


@op("upsample_nearest_neighbor", exact=True)
def upsample_nearest_neighbor(x: Tensor, scale_factor_height: float = 1.0, scale_factor_width: float = 1.0) -> Tensor:
    """resize_nearest_neighbor to floor(size * factor)."""
    return resize_nearest_neighbor(x, *_scaled(x, scale_factor_height, scale_factor_width))


@op("resize", since=IOS17)
def resize(
    x: Tensor,
    shape: Ints,
    resized_dims: int,
    interpolation_mode: str = "LINEAR",
    sampling_mode: str = "DEFAULT",
) -> Tensor:
    """The last `resized_dims` dimensions to the last sizes of `shape`, 0 keeping a size; linear or nearest."""
    if interpolation_mode not in ("LINEAR", "NEAREST_NEIGHBOR"):
        raise UnknownOption(f"interpolation_mode '{interpolation_mode}'")
    take: Callable[[Tensor, int, Tensor], Tensor] = interpolated if interpolation_mode == "LINEAR" else nearest
    for axis, size in zip(range(-resized_dims, 0), shape[len(shape) - resized_dims :], strict=True):
        x = take(x, axis, grid(sampling_mode, x.shape[axis], size or x.shape[axis]))
    return x


@op("crop_resize")
def crop_resize(
    x: Tensor,
    roi: Tensor,
    target_height: int = 1,
    target_width: int = 1,
    normalized_coordinates: bool = False,
    spatial_scale: float = 1.0,
    box_coordinate_mode: str = "CORNERS_HEIGHT_FIRST",
    sampling_mode: str = "DEFAULT",
    pad_value: float = 0.0,
    *,
    site: Site,
) -> Tensor:
    """Each box of `roi` (N, 1, 4, 1, 1), cut from every image and resized: (N, B, C, h, w).

    A box of five numbers names its image first: (N, 1, C, h, w). Since iOS 16 `pad_value` lies outside an image.
    """
    outside = None if site.opset < IOS16 else pad_value
    size = (target_height, target_width)
    cropping = _Cropping(size, normalized_coordinates, spatial_scale, box_coordinate_mode, sampling_mode, outside, site)
    crops = []
    for row in roi.reshape(len(roi), -1):
        images = x if len(row) == 4 else x[int(row[0])][None]
        crops.append(torch.stack([cropping.cut(each, row[-4:].tolist()) for each in images]))
    return torch.stack(crops)


@op("crop_resize", since=IOS17)
def crop_resize_ios17(
    x: Tensor,
    boxes: Tensor,
    box_indices: Ints | None = None,
    target_height: int = 1,
    target_width: int = 1,
    normalized_coordinates: bool = False,
    spatial_scale: float = 1.0,
    box_coordinate_mode: str = "CORNERS_HEIGHT_FIRST",
    sampling_mode: str = "DEFAULT",
    pad_value: float = 0.0,
    *,
    site: Site,
) -> Tensor:
    """Box i (N, 4), cut from image box_indices[i], or i, and resized: (N, C, h, w)."""
    size = (target_height, target_width)
    cropping = _Cropping(
        size, normalized_coordinates, spatial_scale, box_coordinate_mode, sampling_mode, pad_value, site
    )
    chosen = range(len(boxes)) if box_indices is None else box_indices
    return torch.stack([cropping.cut(x[at], box.tolist()) for box, at in zip(boxes, chosen, strict=True)])


@op("resample")
def resample(
    x: Tensor,
    coordinates: Tensor,
    sampling_mode: str,
    padding_mode: str,
    padding_value: float,
    coordinates_mode: str,
    align_corners: bool,
) -> Tensor:
    """x (B, C, H, W) at the points (x, y) of `coordinates` (B, H2, W2, 2)."""
    columns, rows = (
        to_pixels(coordinates[..., at].to(x.dtype), x.shape[-1 - at], coordinates_mode, align_corners) for at in (0, 1)
    )
    return sampled(x, rows, columns, sampling_mode, padding_mode, padding_value)


@op("affine")
def affine(
    x: Tensor,
    transform_matrix: Tensor,
    output_height: int,
    output_width: int,
    sampling_mode: str,
    padding_mode: str,
    padding_value: float,
    coordinates_mode: str,
    align_corners: bool,
) -> Tensor:
    """resample at (a0 x + a1 y + a2, b0 x + b1 y + b2) for every point (x, y) of the result."""
    across, down = _unit(output_width, x), _unit(output_height, x)[:, None]
    a, b = transform_matrix.expand(len(x), 6)[:, :, None, None].split(3, 1)
    points = torch.stack([each[:, 0] * across + each[:, 1] * down + each[:, 2] for each in (a, b)], -1)
    return resample(x, points, sampling_mode, padding_mode, padding_value, coordinates_mode, align_corners)


@dataclass(frozen=True)
class _Cropping:
    """How boxes are cut from images."""

    size: tuple[int, int]
    normalized: bool
    scale: float
    box_mode: str
    sampling_mode: str
    outside: float | None
    """The value of what lies outside the image; None where no box may reach there."""
    site: Site

    def cut(self, image: Tensor, box: list[float]) -> Tensor:
        """The part of an image (C, H, W) in a box, resized."""
        top, left, bottom, right = self._corners([each * self.scale for each in box])
        for axis, count, first, last in ((-2, self.size[0], top, bottom), (-1, self.size[1], left, right)):
            unit = image.shape[axis] - 1 if self.normalized else 1
            self._check_inside(min(first, last) * unit, max(first, last) * unit, image.shape[axis])
            points = first * unit + grid(self.sampling_mode, (last - first) * unit + 1, count, limit=False)
            image = interpolated(image, axis, points, self.outside)
        return image

    def _check_inside(self, low: float, high: float, size: int) -> None:
        if self.outside is None and not -_SLACK <= low <= high <= size - 1 + _SLACK:
            raise self.site.fault("a box reaches out of its image, which Core ML leaves undefined before iOS 16")

    def _corners(self, box: list[float]) -> tuple[float, float, float, float]:
        """Top, left, bottom and right."""
        first, second, third, fourth = box
        match self.box_mode:
            case "CORNERS_HEIGHT_FIRST":
                return first, second, third, fourth
            case "CORNERS_WIDTH_FIRST":
                return second, first, fourth, third
            case "CENTER_SIZE_HEIGHT_FIRST":
                return first - third / 2, second - fourth / 2, first + third / 2, second + fourth / 2
            case "CENTER_SIZE_WIDTH_FIRST":
                return second - fourth / 2, first - third / 2, second + fourth / 2, first + third / 2
            case _:
                raise UnknownOption(f"box_coordinate_mode '{self.box_mode}'")


def _scaled(x: Tensor, height: float, width: float) -> tuple[int, int]:
    """The last two sizes times these factors, rounded down; the product is taken in float32, as coremltools does."""
    products = torch.tensor([height, width]) * torch.tensor(x.shape[-2:])
    rows, columns = products.floor().int().tolist()
    return rows, columns


def _unit(size: int, like: Tensor) -> Tensor:
    """`size` points from -1 to 1."""
    return torch.linspace(-1, 1, size, dtype=like.dtype)
