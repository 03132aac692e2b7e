"""Activations, element by element; `alpha` and `beta` per channel (second dimension) where the name says so."""

from __future__ import annotations

from math import pi, sqrt
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from deployspec.evaluators.mlprogram.faults import UnknownOption
from deployspec.evaluators.mlprogram.table import op

if TYPE_CHECKING:
    from torch import Tensor


@op("relu", exact=True)
def relu(x: Tensor) -> Tensor:
    """max(x, 0)."""
    return torch.relu(x)


@op("relu6", exact=True)
def relu6(x: Tensor) -> Tensor:
    """min(max(x, 0), 6)."""
    return torch.clamp(x, 0, 6)


@op("clamped_relu")
def clamped_relu(x: Tensor, alpha: float, beta: float) -> Tensor:
    """min(beta, x) where x >= 0, else min(beta, alpha * x)."""
    return torch.clamp(torch.where(x >= 0, x, alpha * x), max=beta)


@op("leaky_relu")
def leaky_relu(x: Tensor, alpha: float) -> Tensor:
    """x where x >= 0, else alpha * x."""
    return functional.leaky_relu(x, alpha)


@op("thresholded_relu")
def thresholded_relu(x: Tensor, alpha: float) -> Tensor:
    """x where x >= alpha, else 0."""
    return torch.where(x >= alpha, x, 0.0)


@op("prelu")
def prelu(x: Tensor, alpha: Tensor) -> Tensor:
    """x where x > 0, else alpha_c * x."""
    return torch.where(x > 0, x, per_channel(alpha, x) * x)


@op("elu")
def elu(x: Tensor, alpha: float) -> Tensor:
    """x where x > 0, else alpha * (e^x - 1)."""
    return functional.elu(x, alpha)


@op("gelu")
def gelu(x: Tensor, mode: str = "EXACT") -> Tensor:
    """x * P(X <= x) of a normal X: exact, or approximated with tanh or with sigmoid(1.702 x)."""
    match mode:
        case "EXACT":
            return functional.gelu(x)
        case "TANH_APPROXIMATION":
            return 0.5 * x * (1 + torch.tanh(sqrt(2 / pi) * (x + 0.044715 * x**3)))
        case "SIGMOID_APPROXIMATION":
            return x * torch.sigmoid(1.702 * x)
        case _:
            raise UnknownOption(f"mode '{mode}'")


@op("linear_activation")
def linear_activation(x: Tensor, alpha: float, beta: float) -> Tensor:
    """alpha * x + beta."""
    return alpha * x + beta


@op("scaled_tanh")
def scaled_tanh(x: Tensor, alpha: float, beta: float) -> Tensor:
    """alpha * tanh(beta * x)."""
    return alpha * torch.tanh(beta * x)


@op("sigmoid")
def sigmoid(x: Tensor) -> Tensor:
    """1 / (1 + e^-x)."""
    return torch.sigmoid(x)


@op("sigmoid_hard")
def sigmoid_hard(x: Tensor, alpha: float, beta: float) -> Tensor:
    """min(max(alpha * x + beta, 0), 1)."""
    return torch.clamp(alpha * x + beta, 0, 1)


@op("silu")
def silu(x: Tensor) -> Tensor:
    """x * sigmoid(x)."""
    return functional.silu(x)


@op("softplus")
def softplus(x: Tensor) -> Tensor:
    """log(1 + e^x)."""
    return torch.logaddexp(x, torch.zeros_like(x))


@op("softplus_parametric")
def softplus_parametric(x: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
    """alpha_c * log(1 + e^(beta_c * x))."""
    return per_channel(alpha, x) * softplus(per_channel(beta, x) * x)


@op("softmax")
def softmax(x: Tensor, axis: int = -1) -> Tensor:
    """e^x / sum over `axis` of e^x."""
    return torch.softmax(x, axis)


@op("softsign")
def softsign(x: Tensor) -> Tensor:
    """x / (1 + |x|)."""
    return x / (1 + x.abs())


def per_channel(vector: Tensor, x: Tensor) -> Tensor:
    """A vector over the channels of `x`, shaped so that it broadcasts along its second dimension."""
    return vector.reshape(-1, *(1 for _ in x.shape[2:]))
