"""Elementwise operators: of one tensor, and of two with numpy's broadcasting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch

from deployspec.evaluators.mlprogram.table import op

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

_UNARY: Final[dict[str, Callable[[Tensor], Tensor]]] = {
    "abs": torch.abs,
    "acos": torch.acos,
    "asin": torch.asin,
    "atan": torch.atan,
    "atanh": torch.atanh,
    "ceil": torch.ceil,
    "cos": torch.cos,
    "cosh": torch.cosh,
    "erf": torch.erf,
    "exp": torch.exp,
    "exp2": torch.exp2,
    "floor": torch.floor,
    "logical_not": torch.logical_not,
    "round": torch.round,  # halves to even
    "sign": torch.sign,
    "sin": torch.sin,
    "sinh": torch.sinh,
    "sqrt": torch.sqrt,
    "square": torch.square,
    "tan": torch.tan,
    "tanh": torch.tanh,
}
"""Operators of one tensor that torch has under the same meaning."""

_BINARY: Final[dict[str, Callable[[Tensor, Tensor], Tensor]]] = {
    "add": torch.add,
    "equal": torch.eq,
    "greater": torch.gt,
    "greater_equal": torch.ge,
    "less": torch.lt,
    "less_equal": torch.le,
    "logical_and": torch.logical_and,
    "logical_or": torch.logical_or,
    "logical_xor": torch.logical_xor,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "mod": torch.remainder,  # the sign of the divisor, as in Python
    "mul": torch.mul,
    "not_equal": torch.ne,
    "pow": torch.pow,
    "real_div": torch.true_divide,
    "sub": torch.sub,
}
"""Operators of two tensors that torch has under the same meaning."""


def _enter_unary(name: str, kernel: Callable[[Tensor], Tensor]) -> None:
    op(name)(lambda x: kernel(x))


def _enter_binary(name: str, kernel: Callable[[Tensor, Tensor], Tensor]) -> None:
    op(name)(lambda x, y: kernel(x, y))


for _name, _kernel in _UNARY.items():
    _enter_unary(_name, _kernel)
for _name, _pair in _BINARY.items():
    _enter_binary(_name, _pair)


@op("floor_div")
def floor_div(x: Tensor, y: Tensor) -> Tensor:
    """x / y, rounded towards negative infinity."""
    return torch.div(x, y, rounding_mode="floor")


@op("cast", idle=("dtype",))
def cast(x: Tensor) -> Tensor:
    """x in the declared type of the result: floats are cut towards zero, integers wrap, anything but zero is true."""
    return x


@op("clip")
def clip(x: Tensor, alpha: float, beta: float) -> Tensor:
    """min(max(x, alpha), beta)."""
    return torch.clamp(x, alpha, beta)


@op("threshold")
def threshold(x: Tensor, alpha: float) -> Tensor:
    """max(x, alpha)."""
    return torch.clamp(x, min=alpha)


@op("inverse")
def inverse(x: Tensor, epsilon: float = 1e-4) -> Tensor:
    """1 / (x + epsilon)."""
    return 1 / (x + epsilon)


@op("log")
def log(x: Tensor, epsilon: float = 1e-45) -> Tensor:
    """ln(x + epsilon)."""
    return torch.log(x + epsilon)


@op("rsqrt")
def rsqrt(x: Tensor, epsilon: float = 1e-12) -> Tensor:
    """1 / sqrt(x + epsilon)."""
    return torch.rsqrt(x + epsilon)
