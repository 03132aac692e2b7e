"""Recurrent layers over sequences of shape (steps, batch, features).

A reversed layer gives its outputs in the order in which it computed them, last step first; only the backward half of
a bidirectional LSTM is turned back into the order of the input.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch

from deployspec.evaluators.mlprogram.faults import UnknownOption
from deployspec.evaluators.mlprogram.table import op

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    Activation = Callable[[Tensor], Tensor]

_ACTIVATIONS: Final[dict[str, Activation]] = {
    "tanh": torch.tanh,
    "scaled_tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "hard_sigmoid": lambda x: torch.clamp(0.2 * x + 0.5, 0, 1),
    "sigmoid_hard": lambda x: torch.clamp(0.2 * x + 0.5, 0, 1),
    "relu": torch.relu,
    "linear": lambda x: x,
}
"""With the parameters' standard values, as coremltools' own tests have them (`ops/tests/iOS14/test_recurrent.py`)."""


@op("rnn")
def rnn(
    x: Tensor,
    initial_h: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias: Tensor | None = None,
    direction: str = "forward",
    output_sequence: bool = False,
    activation: str = "tanh",
) -> tuple[Tensor, Tensor]:
    """h = activation(W_ih x + W_hh h + b)."""
    act, h, outputs = _activation(activation), initial_h, []
    for projected in _projected(x, weight_ih, bias, _is_reversed(direction)):
        h = act(projected + h @ weight_hh.T)
        outputs.append(h)
    return _sequence(outputs, output_sequence), h


@op("gru")
def gru(
    x: Tensor,
    initial_h: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias: Tensor | None = None,
    direction: str = "forward",
    output_sequence: bool = False,
    recurrent_activation: str = "sigmoid",
    activation: str = "tanh",
    reset_after: bool = False,
    input_bias: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Gates in the order reset, output, update: r, z = gate(W_i x + W_h h + b); h = (1 - z) * o + z * h.

    o = activation(W_io x + W_ho (r * h) + b_o). The documentation's formula reads otherwise; this is the reference of
    coremltools' tests. With `reset_after`, o = activation(W_io x + b_io + r * (W_ho h + b_ho)), as in PyTorch.
    """
    gate, act = _activation(recurrent_activation), _activation(activation)
    h, outputs = initial_h, []
    gates, new = torch.cat([*weight_hh.chunk(3)[::2]]), weight_hh.chunk(3)[1]
    b_r, b_o, b_z = torch.zeros(3, 1, dtype=x.dtype) if bias is None else bias.chunk(3)
    for projected in _projected(x, weight_ih, input_bias, _is_reversed(direction)):
        (x_r, x_o, x_z), (h_r, h_z) = projected.chunk(3, -1), (h @ gates.T).chunk(2, -1)
        r, z = gate(x_r + h_r + b_r), gate(x_z + h_z + b_z)
        h_o = r * (h @ new.T + b_o) if reset_after else (r * h) @ new.T + b_o
        h = (1 - z) * act(x_o + h_o) + z * h
        outputs.append(h)
    return _sequence(outputs, output_sequence), h


@dataclass(frozen=True)
class _Gates:
    """An LSTM's activations, and the limit of its cell state."""

    gate: Activation
    cell: Activation
    output: Activation
    clip: float | None


@dataclass(frozen=True)
class _Direction:
    """An LSTM's weights of one direction; gates in the order input, forget, output, cell."""

    weight_ih: Tensor
    weight_hh: Tensor
    bias: Tensor | None
    peephole: Tensor | None

    def run(
        self, gates: _Gates, x: Tensor, h: Tensor, c: Tensor, backwards: bool
    ) -> tuple[list[Tensor], Tensor, Tensor]:
        """The hidden states of every step, and the last hidden and cell state."""
        outputs = []
        none = torch.zeros(3 * h.shape[-1], dtype=h.dtype)
        peek_i, peek_f, peek_o = (none if self.peephole is None else self.peephole).chunk(3)
        for projected in _projected(x, self.weight_ih, self.bias, backwards):
            i, f, o, z = (projected + h @ self.weight_hh.T).chunk(4, -1)
            c = gates.gate(f + c * peek_f) * c + gates.gate(i + c * peek_i) * gates.cell(z)
            c = c if gates.clip is None else c.clamp(-gates.clip, gates.clip)
            h = gates.gate(o + c * peek_o) * gates.output(c)
            outputs.append(h)
        return outputs, h, c


@op("lstm")
def lstm(
    x: Tensor,
    initial_h: Tensor,
    initial_c: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias: Tensor | None = None,
    peephole: Tensor | None = None,
    weight_ih_back: Tensor | None = None,
    weight_hh_back: Tensor | None = None,
    bias_back: Tensor | None = None,
    peephole_back: Tensor | None = None,
    direction: str = "forward",
    output_sequence: bool = False,
    recurrent_activation: str = "sigmoid",
    cell_activation: str = "tanh",
    activation: str = "tanh",
    clip: float | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """i, f, o = gate(W x + W h + b + p * c); c = f * c + i * cell(W x + W h + b), clipped; h = o * activation(c)."""
    acts = [_activation(each) for each in (recurrent_activation, cell_activation, activation)]
    gates = _Gates(acts[0], acts[1], acts[2], clip)
    there = _Direction(weight_ih, weight_hh, bias, peephole)
    if direction != "bidirectional":
        outputs, h, c = there.run(gates, x, initial_h, initial_c, _is_reversed(direction))
        return _sequence(outputs, output_sequence), h, c
    if weight_ih_back is None or weight_hh_back is None:
        raise UnknownOption("it is bidirectional and has no weights for the way back")
    back = _Direction(weight_ih_back, weight_hh_back, bias_back, peephole_back)
    (h_there, h_back), (c_there, c_back) = initial_h.chunk(2, -1), initial_c.chunk(2, -1)
    forward, h_there, c_there = there.run(gates, x, h_there, c_there, backwards=False)
    backward, h_back, c_back = back.run(gates, x, h_back, c_back, backwards=True)
    both = [_sequence(forward, output_sequence), _sequence(backward, output_sequence).flip(0)]
    return torch.cat(both, -1), torch.cat([h_there, h_back], -1), torch.cat([c_there, c_back], -1)


def _projected(x: Tensor, weight: Tensor, bias: Tensor | None, backwards: bool) -> tuple[Tensor, ...]:
    """W x + b for every step, in the order in which the steps are taken."""
    steps: tuple[Tensor, ...] = torch.nn.functional.linear(x, weight, bias).unbind(0)
    return steps[::-1] if backwards else steps


def _sequence(outputs: list[Tensor], whole: bool) -> Tensor:
    return torch.stack(outputs if whole else outputs[-1:])


def _activation(activation: str) -> Activation:
    if activation.lower() not in _ACTIVATIONS:
        raise UnknownOption(f"activation '{activation}'")
    return _ACTIVATIONS[activation.lower()]


def _is_reversed(direction: str) -> bool:
    if direction not in ("forward", "reverse"):
        raise UnknownOption(f"direction '{direction}'")
    return direction == "reverse"
