"""Recurrent layers step by step, by the reference of coremltools' own tests: the documentation's formulas mislead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from deployspec.evaluators.mlprogram import Unsupported

if TYPE_CHECKING:
    from conftest import Evaluate

STEPS, BATCH, INPUTS, HIDDEN = 4, 2, 3, 5


def normal(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype("f4")


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


X, H, C = normal(0, STEPS, BATCH, INPUTS), normal(1, BATCH, HIDDEN), normal(2, BATCH, HIDDEN)
GRU = {
    "weight_ih": normal(3, 3 * HIDDEN, INPUTS),
    "weight_hh": normal(4, 3 * HIDDEN, HIDDEN),
    "bias": normal(5, 3 * HIDDEN),
}
LSTM = {
    "weight_ih": normal(6, 4 * HIDDEN, INPUTS),
    "weight_hh": normal(7, 4 * HIDDEN, HIDDEN),
    "bias": normal(8, 4 * HIDDEN),
    "peephole": normal(9, 3 * HIDDEN),
}
SEQUENCE, STATE = ("fp32", (STEPS, BATCH, HIDDEN)), ("fp32", (BATCH, HIDDEN))


def gru_outputs(x: np.ndarray) -> list[np.ndarray]:
    """Reset before the product: o = tanh(W x + W_h (r * h) + b); gates in the order r, o, z."""
    (w_r, w_o, w_z), (u_r, u_o, u_z), (b_r, b_o, b_z) = (
        np.split(GRU[key], 3) for key in ("weight_ih", "weight_hh", "bias")
    )
    h, outputs = H, []
    for step in x:
        r, z = sigmoid(step @ w_r.T + h @ u_r.T + b_r), sigmoid(step @ w_z.T + h @ u_z.T + b_z)
        h = (1 - z) * np.tanh(step @ w_o.T + (r * h) @ u_o.T + b_o) + z * h
        outputs.append(h)
    return outputs


@pytest.mark.parametrize("opset", [5, 8])
def test_a_gru_resets_before_the_product(evaluate: Evaluate, opset: int) -> None:
    fed = {"x": X, "initial_h": H}
    every, last = evaluate("gru", fed, GRU | {"output_sequence": True}, SEQUENCE, STATE, opset=opset)
    np.testing.assert_allclose(every, gru_outputs(X), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(last, every[-1])


def test_a_gru_of_ios_18_can_reset_after_as_pytorch_does(evaluate: Evaluate) -> None:
    layer = torch.nn.GRU(INPUTS, HIDDEN)
    r_n_z = {name: [each.detach() for each in value.chunk(3)] for name, value in layer.named_parameters()}
    order = {name: torch.cat([r, n, z]).numpy() for name, (r, z, n) in r_n_z.items()}
    weights = {"weight_ih": order["weight_ih_l0"], "weight_hh": order["weight_hh_l0"]}
    biases = {"input_bias": order["bias_ih_l0"], "bias": order["bias_hh_l0"]}
    constants = weights | biases | {"reset_after": True, "output_sequence": True}
    every, _ = evaluate("gru", {"x": X, "initial_h": H}, constants, SEQUENCE, STATE)
    expected, _ = layer(torch.from_numpy(X), torch.from_numpy(H)[None])
    np.testing.assert_allclose(every, expected.detach(), rtol=1e-5, atol=1e-6)


def test_the_outputs_of_a_reversed_layer_are_not_turned_back(evaluate: Evaluate) -> None:
    constants = GRU | {"output_sequence": True, "direction": "reverse"}
    every, last = evaluate("gru", {"x": X, "initial_h": H}, constants, SEQUENCE, STATE)
    np.testing.assert_allclose(every, gru_outputs(X[::-1]), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(last, every[-1])


def lstm_outputs(x: np.ndarray, clip: float) -> list[np.ndarray]:
    """Gates in the order i, f, o, z; peepholes; the limit acts on the cell state."""
    h, c, outputs = H, C, []
    p_i, p_f, p_o = np.split(LSTM["peephole"], 3)
    for step in x:
        i, f, o, z = np.split(step @ LSTM["weight_ih"].T + h @ LSTM["weight_hh"].T + LSTM["bias"], 4, axis=1)
        c = np.clip(sigmoid(f + c * p_f) * c + sigmoid(i + c * p_i) * np.tanh(z), -clip, clip)
        h = sigmoid(o + c * p_o) * np.tanh(c)
        outputs.append(h)
    return outputs


def test_the_clip_of_an_lstm_acts_on_its_cell_state(evaluate: Evaluate) -> None:
    constants = LSTM | {"output_sequence": True, "clip": 0.2}
    every, _, cell = evaluate("lstm", {"x": X, "initial_h": H, "initial_c": C}, constants, SEQUENCE, STATE, STATE)
    np.testing.assert_allclose(every, lstm_outputs(X, 0.2), rtol=1e-5, atol=1e-6)
    assert np.abs(cell).max() == np.float32(0.2)


def test_without_the_sequence_only_the_last_step_comes_out(evaluate: Evaluate) -> None:
    fed = {"x": X, "initial_h": H, "initial_c": C}
    one, last, _ = evaluate("lstm", fed, LSTM, ("fp32", (1, BATCH, HIDDEN)), STATE, STATE)
    np.testing.assert_array_equal(one[0], last)
    np.testing.assert_allclose(last, lstm_outputs(X, 1e9)[-1], rtol=1e-5, atol=1e-6)


def test_the_way_back_of_a_bidirectional_lstm_is_turned_into_the_order_of_the_input(evaluate: Evaluate) -> None:
    back = {f"{key}_back": value for key, value in LSTM.items()}
    fed = {"x": X, "initial_h": np.hstack([H, H]), "initial_c": np.hstack([C, C])}
    constants = LSTM | back | {"direction": "bidirectional", "output_sequence": True}
    wide = ("fp32", (BATCH, 2 * HIDDEN))
    every, last, _ = evaluate("lstm", fed, constants, ("fp32", (STEPS, BATCH, 2 * HIDDEN)), wide, wide)
    there, returned = lstm_outputs(X, 1e9), lstm_outputs(X[::-1], 1e9)
    np.testing.assert_allclose(every, np.concatenate([there, returned[::-1]], axis=2), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(last, np.hstack([there[-1], returned[-1]]), rtol=1e-5, atol=1e-6)


def test_a_plain_layer_with_a_hard_sigmoid(evaluate: Evaluate) -> None:
    constants = {"weight_ih": np.eye(3, dtype="f4"), "weight_hh": np.eye(3, dtype="f4"), "activation": "sigmoid_hard"}
    fed = {"x": np.full((2, 1, 3), 0.5, "f4"), "initial_h": np.zeros((1, 3), "f4")}
    _, last = evaluate("rnn", fed, constants, ("fp32", (1, 1, 3)), ("fp32", (1, 3)))
    np.testing.assert_allclose(last, np.full((1, 3), 0.2 * (0.5 + 0.6) + 0.5), rtol=1e-6)


@pytest.mark.parametrize(
    ("constants", "why"), [({"activation": "swish"}, "activation 'swish'"), ({"direction": "up"}, "direction 'up'")]
)
def test_an_unknown_activation_or_direction_is_refused(evaluate: Evaluate, constants: dict[str, Any], why: str) -> None:
    with pytest.raises(Unsupported, match=why):
        evaluate("gru", {"x": X, "initial_h": H}, GRU | constants, ("fp32", (1, BATCH, HIDDEN)), STATE)
