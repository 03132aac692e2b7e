"""Normalization: batch, instance, layer, L2 and local response."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from deployspec.evaluators.mlprogram.ops.activation import per_channel
from deployspec.evaluators.mlprogram.table import Ints, op

if TYPE_CHECKING:
    from torch import Tensor


@op("batch_norm")
def batch_norm(
    x: Tensor,
    mean: Tensor,
    variance: Tensor,
    gamma: Tensor | None = None,
    beta: Tensor | None = None,
    epsilon: float = 1e-5,
) -> Tensor:
    """gamma_c * (x - mean_c) / sqrt(variance_c + epsilon) + beta_c."""
    return functional.batch_norm(x, mean, variance, gamma, beta, eps=epsilon)


@op("instance_norm")
def instance_norm(x: Tensor, gamma: Tensor | None = None, beta: Tensor | None = None, epsilon: float = 1e-5) -> Tensor:
    """As batch_norm, with the mean and variance of each sample's channel over its spatial dimensions."""
    normal = _standardized(x, list(range(2, x.dim())), epsilon)
    scaled = normal if gamma is None else normal * per_channel(gamma, x)
    return scaled if beta is None else scaled + per_channel(beta, x)


@op("layer_norm")
def layer_norm(
    x: Tensor,
    axes: Ints | None = None,
    gamma: Tensor | None = None,
    beta: Tensor | None = None,
    epsilon: float = 1e-5,
) -> Tensor:
    """gamma * (x - mean) / sqrt(variance + epsilon) + beta over `axes`; gamma and beta have the shape of these axes."""
    over = sorted(each % x.dim() for each in axes) if axes is not None else list(range(x.dim()))
    shape = [size if at in over else 1 for at, size in enumerate(x.shape)]
    normal = _standardized(x, over, epsilon)
    scaled = normal if gamma is None else normal * gamma.reshape(shape)
    return scaled if beta is None else scaled + beta.reshape(shape)


@op("l2_norm")
def l2_norm(x: Tensor, epsilon: float = 1e-6) -> Tensor:
    """x / sqrt(sum of squares over the last three dimensions + epsilon)."""
    return x / torch.sqrt(x.square().sum((-3, -2, -1), keepdim=True) + epsilon)


@op("local_response_norm")
def local_response_norm(x: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Tensor:
    """x / (k + alpha / size * sum of squares over `size` neighbouring channels) ^ beta."""
    return functional.local_response_norm(x, size, alpha, beta, k)


def _standardized(x: Tensor, axes: list[int], epsilon: float) -> Tensor:
    variance, mean = torch.var_mean(x, axes, correction=0, keepdim=True)
    return (x - mean) / torch.sqrt(variance + epsilon)
