"""Single operators against values worked out by hand, by numpy, or taken from coremltools' own operator tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from mlprograms import Name, Typed

from deployspec.evaluators.mlprogram import EvaluationFailed, Mode, Unsupported, implemented

if TYPE_CHECKING:
    from conftest import Evaluate


def f4(*values: Any) -> np.ndarray:
    return np.array(values, np.float32)


X = f4(-2, 0.5, 3)


def test_nearly_all_operators_of_ios_18_are_implemented(coremltools: Any) -> None:
    from coremltools.converters.mil.mil.ops.registry import SSAOpRegistry

    lacking = set(SSAOpRegistry.core_ops) - implemented() - {"const"}
    random = {"random_bernoulli", "random_categorical", "random_normal", "random_uniform"}
    assert lacking == random | {"conv_quantized", "_const_symbolic"}
    assert len(SSAOpRegistry.core_ops) - len(lacking) >= 150


@pytest.mark.parametrize(
    ("op", "constants", "expected"),
    [
        ("clamped_relu", {"alpha": 2.0, "beta": 1.0}, [-4, 0.5, 1]),
        ("thresholded_relu", {"alpha": 1.0}, [0, 0, 3]),
        ("leaky_relu", {"alpha": 0.5}, [-1, 0.5, 3]),
        ("elu", {"alpha": 2.0}, [2 * (np.exp(-2) - 1), 0.5, 3]),
        ("sigmoid_hard", {"alpha": 0.5, "beta": 0.5}, [0, 0.75, 1]),
        ("scaled_tanh", {"alpha": 2.0, "beta": 0.5}, 2 * np.tanh([-1, 0.25, 1.5])),
        ("softplus", {}, np.log1p(np.exp([-2, 0.5, 3]))),
        ("softsign", {}, [-2 / 3, 1 / 3, 0.75]),
        ("gelu", {"mode": "SIGMOID_APPROXIMATION"}, X / (1 + np.exp(-1.702 * X))),
        ("clip", {"alpha": -1.0, "beta": 1.0}, [-1, 0.5, 1]),
        ("threshold", {"alpha": 0.0}, [0, 0.5, 3]),
        ("inverse", {"epsilon": 1.0}, [-1, 1 / 1.5, 0.25]),
        ("round", {}, [-2, 0, 3]),
    ],
)  # fmt: skip
def test_an_elementwise_operator_gives_its_formulas_values(
    evaluate: Evaluate, op: str, constants: dict[str, Any], expected: Any
) -> None:
    (out,) = evaluate(op, {"x": X}, constants, ("fp32", (3,)))
    np.testing.assert_allclose(out, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("op", "expected"), [("mod", [2, -2]), ("floor_div", [-2, -2]), ("maximum", [3, 7]), ("real_div", [-7 / 3, 7 / -3])]
)
def test_division_rounds_down_as_in_python(evaluate: Evaluate, op: str, expected: list[float]) -> None:
    x, y = (f4(-7, 7), f4(3, -3)) if op != "floor_div" else (f4(-5, 5), f4(3, -3))
    (out,) = evaluate(op, {"x": x, "y": y}, {}, ("fp32", (2,)))
    np.testing.assert_allclose(out, expected, rtol=1e-6)


@pytest.mark.parametrize(("op", "pads"), [("same", (0, 1)), ("same_lower", (1, 0))])
def test_an_odd_padding_goes_after_or_before(evaluate: Evaluate, op: str, pads: tuple[int, int]) -> None:
    x = np.arange(1, 6, dtype=np.float32).reshape(1, 1, 5)
    kernel = f4(1, 10, 100, 1000).reshape(1, 1, 4)
    total = 3  # ceil(5 / 2) windows, the last begins at 4 and ends at 8
    before = total // 2 if op == "same" else total - total // 2
    padded = np.pad(x[0, 0], (before, total - before))
    expected = [padded[at : at + 4] @ kernel[0, 0] for at in (0, 2, 4)]
    (out,) = evaluate("conv", {"x": x}, {"weight": kernel, "strides": [2], "pad_type": op}, ("fp32", (1, 1, 3)))
    np.testing.assert_allclose(out[0, 0], expected)
    assert pads[0] < pads[1] if op == "same" else pads[0] > pads[1]


def test_a_transposed_convolution_is_cut_to_size(evaluate: Evaluate) -> None:
    x, weight = f4(1, 2).reshape(1, 1, 2), f4(1, 10, 100).reshape(1, 1, 3)
    constants = {"weight": weight, "strides": [2], "pad_type": "custom", "pad": [1, 0], "bias": f4(0.5)}
    (out,) = evaluate("conv_transpose", {"x": x}, constants, ("fp32", (1, 1, 4)))
    np.testing.assert_allclose(out[0, 0], [10.5, 102.5, 20.5, 200.5])


def test_a_transposed_convolution_is_extended_to_its_output_shape_by_zeros_and_bias(evaluate: Evaluate) -> None:
    constants = {"weight": f4(1, 10).reshape(1, 1, 2), "output_shape": [1, 1, 4], "bias": f4(1)}
    (out,) = evaluate("conv_transpose", {"x": f4(1, 2).reshape(1, 1, 2)}, constants, ("fp32", (1, 1, 4)))
    np.testing.assert_allclose(out[0, 0], [2, 13, 21, 1])


@pytest.mark.parametrize(("pad_type", "expected"), [("same", [1, 10, 102, 20]), ("same_lower", [10, 102, 20, 200])])
def test_a_transposed_convolution_that_keeps_the_size_is_cut_after_or_before(
    evaluate: Evaluate, pad_type: str, expected: list[float]
) -> None:
    constants = {"weight": f4(1, 10, 100).reshape(1, 1, 3), "strides": [2], "pad_type": pad_type}
    (out,) = evaluate("conv_transpose", {"x": f4(1, 2).reshape(1, 1, 2)}, constants, ("fp32", (1, 1, 4)))
    np.testing.assert_allclose(out[0, 0], expected)


@pytest.mark.parametrize(("excluded", "expected"), [(False, [0.5, 2.5, 2.5]), (True, [1, 2.5, 5])])
def test_padding_counts_in_a_mean_unless_it_is_excluded(
    evaluate: Evaluate, excluded: bool, expected: list[float]
) -> None:
    x = f4(1, 2, 3, 5).reshape(1, 1, 4)
    constants = {"kernel_sizes": [2], "strides": [2], "pad_type": "custom", "pad": [1, 1]}
    (out,) = evaluate("avg_pool", {"x": x}, constants | {"exclude_padding_from_average": excluded}, ("fp32", (1, 1, 3)))
    np.testing.assert_allclose(out[0, 0], expected)


def test_what_ceil_mode_adds_never_counts(evaluate: Evaluate) -> None:
    constants = {"kernel_sizes": [2], "strides": [2], "pad_type": "valid", "ceil_mode": True}
    x = f4(1, 2, 3, 4, 7).reshape(1, 1, 5)
    (mean,) = evaluate("avg_pool", {"x": x}, constants, ("fp32", (1, 1, 3)))
    (most,) = evaluate("max_pool", {"x": -x}, constants, ("fp32", (1, 1, 3)))
    np.testing.assert_allclose([mean[0, 0], most[0, 0]], [[1.5, 3.5, 7], [-1, -3, -7]])


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("update", [9, 2, 8]), ("add", [10, 2, 18]), ("sub", [-8, 2, -12]), ("mul", [9, 2, 3 * 7 * 8]),
     ("div", [1 / 9, 2, 3 / 56]), ("max", [9, 2, 8]), ("min", [1, 2, 3])],
)  # fmt: skip
def test_scattering_brings_updates_in(evaluate: Evaluate, mode: str, expected: list[float]) -> None:
    fed = {"data": f4(1, 2, 3), "updates": f4(9, 7, 8)}
    (out,) = evaluate("scatter", fed, {"indices": [0, 2, 2], "axis": 0, "mode": mode}, ("fp32", (3,)))
    np.testing.assert_allclose(out, expected, rtol=1e-6)


def test_scatter_nd_takes_rows_of_positions(evaluate: Evaluate) -> None:
    fed = {"data": np.zeros((2, 3, 2), "f4"), "updates": f4([1, 2], [3, 4])}
    (out,) = evaluate(
        "scatter_nd", fed, {"indices": np.array([[1, 2], [0, 0]], "i4"), "mode": "add"}, ("fp32", (2, 3, 2))
    )
    assert out[1, 2].tolist() == [1, 2]
    assert out[0, 0].tolist() == [3, 4]
    assert out.sum() == 10


def test_gathering_per_batch(evaluate: Evaluate) -> None:
    x, indices = np.arange(12, dtype="f4").reshape(2, 3, 2), np.array([[2, 0], [1, 1]], "i4")
    (out,) = evaluate("gather", {"x": x, "indices": indices}, {"axis": 1, "batch_dims": 1}, ("fp32", (2, 2, 2)))
    np.testing.assert_array_equal(out, np.stack([x[b][indices[b]] for b in range(2)]))


def test_a_negative_index_counts_from_the_end_until_ios_16_and_is_refused_since(evaluate: Evaluate) -> None:
    request = ("gather", {"x": f4(1, 2, 3)}, {"indices": [-1], "axis": 0}, ("fp32", (1,)))
    assert evaluate(*request, opset=6)[0].tolist() == [3]
    with pytest.raises(EvaluationFailed, match="an index lies outside 0 to 2, which Core ML leaves undefined"):
        evaluate(*request, opset=7)


def test_slices_are_numpys(evaluate: Evaluate) -> None:
    x = np.arange(24, dtype="f4").reshape(2, 3, 4)
    constants = {
        "begin": [-1, 0, 3],
        "end": [0, 3, 0],
        "stride": [1, 2, -2],
        "begin_mask": [False, True, False],
        "end_mask": [False, False, True],
        "squeeze_mask": [True, False, False],
    }
    (out,) = evaluate("slice_by_index", {"x": x}, constants, ("fp32", (2, 2)))
    np.testing.assert_array_equal(out, x[-1, :3:2, 3::-2])


def test_a_slice_is_replaced(evaluate: Evaluate) -> None:
    x, update = np.zeros((2, 4), "f4"), f4([1, 2])
    constants = {"begin": [1, 3], "end": [2, 0], "stride": [1, -2], "end_mask": [False, True]}
    (out,) = evaluate("slice_update", {"x": x, "update": update}, constants, ("fp32", (2, 4)))
    assert out.tolist() == [[0, 0, 0, 0], [0, 2, 0, 1]]


def test_the_zeros_of_a_reshape_count_from_the_end_since_ios_17(evaluate: Evaluate) -> None:
    x = np.arange(100, dtype="f4").reshape(2, 50)
    (out,) = evaluate("reshape", {"x": x}, {"shape": [1, 0, -1, 0]}, ("fp32", (1, 1, 2, 50)), opset=7)
    assert out.shape == (1, 1, 2, 50)
    (old,) = evaluate("reshape", {"x": x}, {"shape": [0, 5, 10]}, ("fp32", (2, 5, 10)), opset=6)
    assert old.shape == (2, 5, 10)


@pytest.mark.parametrize(
    ("op", "factor", "order"),
    [("depth_to_space", "block_size", (0, 3, 4, 1, 5, 2)), ("pixel_shuffle", "upscale_factor", (0, 1, 4, 2, 5, 3))],
)
def test_depth_to_space_is_tensorflows_and_pixel_shuffle_pytorchs(
    evaluate: Evaluate, op: str, factor: str, order: tuple[int, ...]
) -> None:
    x = np.arange(48, dtype="f4").reshape(1, 8, 2, 3)
    (out,) = evaluate(op, {"x": x}, {factor: 2}, ("fp32", (1, 2, 4, 6)))
    np.testing.assert_array_equal(out, x.reshape(1, 2, 2, 2, 2, 3).transpose(order).reshape(1, 2, 4, 6))


@pytest.mark.parametrize(
    ("there", "down", "back", "up"),
    [
        ("space_to_depth", "block_size", "depth_to_space", "block_size"),
        ("pixel_unshuffle", "downscale_factor", "pixel_shuffle", "upscale_factor"),
    ],
)
def test_rearrangements_have_inverses(evaluate: Evaluate, there: str, down: str, back: str, up: str) -> None:
    x = np.arange(16, dtype="f4").reshape(1, 2, 2, 4)
    (deep,) = evaluate(there, {"x": x}, {down: Typed(2, "uint32")}, ("fp32", (1, 8, 1, 2)))
    (out,) = evaluate(back, {"x": deep}, {up: 2}, ("fp32", x.shape))
    np.testing.assert_array_equal(out, x)


def test_space_to_batch_and_back(evaluate: Evaluate) -> None:
    x = np.arange(12, dtype="f4").reshape(1, 1, 3, 4)
    blocks = {"block_shape": [2, 2]}
    (out,) = evaluate("space_to_batch", {"x": x}, blocks | {"paddings": [[1, 0], [0, 0]]}, ("fp32", (4, 1, 2, 2)))
    np.testing.assert_array_equal(out[:, 0, 1], [[4, 6], [5, 7], [8, 10], [9, 11]])
    (back,) = evaluate("batch_to_space", {"x": out}, blocks | {"crops": [[1, 0], [0, 0]]}, ("fp32", x.shape))
    np.testing.assert_array_equal(back, x)


@pytest.mark.parametrize(("mode", "numpy"), [("reflect", "reflect"), ("replicate", "edge"), ("constant", "constant")])
def test_padding_continues_a_tensor(evaluate: Evaluate, mode: str, numpy: Any) -> None:
    x = np.arange(6, dtype="f4").reshape(1, 2, 3)
    (out,) = evaluate("pad", {"x": x}, {"pad": [1, 0, 2, 1], "mode": mode}, ("fp32", (1, 3, 6)))
    np.testing.assert_array_equal(out, np.pad(x, ((0, 0), (1, 0), (2, 1)), numpy))


def test_normalization_over_chosen_axes(evaluate: Evaluate) -> None:
    x = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("f4")
    gamma, beta = f4([1, 2, 3], [4, 5, 6]), f4([0, 1, 2], [3, 4, 5])
    constants = {"axes": [0, 1], "gamma": gamma, "beta": beta, "epsilon": 0.5}
    (out,) = evaluate("layer_norm", {"x": x}, constants, ("fp32", x.shape))
    normal = (x - x.mean((0, 1))) / np.sqrt(x.var((0, 1)) + 0.5)
    np.testing.assert_allclose(out, normal * gamma[..., None] + beta[..., None], rtol=1e-5, atol=1e-6)


def test_local_response_divides_alpha_by_the_window(evaluate: Evaluate) -> None:
    x = f4(1, 2, 3).reshape(1, 3, 1)
    constants = {"size": 3, "alpha": 3.0, "beta": 1.0, "k": 1.0}
    (out,) = evaluate("local_response_norm", {"x": x}, constants, ("fp32", x.shape))
    np.testing.assert_allclose(out.ravel(), [1 / 6, 2 / 15, 3 / 14], rtol=1e-6)


def test_suppression_keeps_the_best_boxes_and_fills_up(evaluate: Evaluate) -> None:
    boxes = f4([[0, 0, 0, 0], [1, 1, 1, 1], [2, 2, 2, 2], [3, 3, 3, 3]])
    scores = f4([[-3.5], [9.4], [2.3], [0.7]])
    constants = {"iou_threshold": 0.2, "score_threshold": 0.4, "max_boxes": 3, "per_class_suppression": True}
    types = (("fp32", (1, 3, 4)), ("fp32", (1, 3, 1)), ("int32", (1, 3)), ("int32", (1,)))
    _, kept, indices, count = evaluate(
        "non_maximum_suppression", {"boxes": boxes, "scores": scores}, constants, *types, opset=5
    )
    assert indices.tolist() == [[1, 2, -1]]
    np.testing.assert_allclose(kept.ravel(), f4(9.4, 2.3, 0))
    assert count.tolist() == [2]


def test_sorting_keeps_equals_in_their_order(evaluate: Evaluate) -> None:
    values, indices = evaluate("topk", {"x": f4(2, 5, 5, 1)}, {"k": 3, "axis": 0}, ("fp32", (3,)), ("uint16", (3,)))
    assert values.tolist() == [5, 5, 2]
    assert (indices.tolist(), indices.dtype) == ([1, 2, 0], np.uint16)


def test_running_sums(evaluate: Evaluate) -> None:
    request = ("cumsum", {"x": f4(1, 2, 3)})
    assert evaluate(*request, {"axis": 0, "exclusive": True}, ("fp32", (3,)))[0].tolist() == [0, 1, 3]
    assert evaluate(*request, {"axis": 0, "reverse": True}, ("fp32", (3,)))[0].tolist() == [6, 5, 3]


@pytest.mark.parametrize(("dtype", "expected"), [("int8", [-2, 44]), ("uint16", [65534, 300]), ("bool", [True, True])])
def test_a_cast_cuts_floats_and_wraps_integers(evaluate: Evaluate, dtype: str, expected: list[int]) -> None:
    x = f4(-2.7, 300.9).astype("i4")
    (out,) = evaluate("cast", {"x": x}, {"dtype": dtype}, (dtype, (2,)))
    assert out.tolist() == expected


def test_quantizing_rounds_halves_to_even_and_keeps_the_limits(evaluate: Evaluate) -> None:
    x = f4([0.5, 1.5, -300], [1, 3, 1000])
    constants = {"scale": f4(1, 2), "zero_point": np.array([0, 10], "i1"), "axis": 0, "output_dtype": "int8"}
    (out,) = evaluate("quantize", {"input": x}, constants, ("int8", (2, 3)))
    assert out.tolist() == [[0, 2, -128], [10, 12, 127]]


def test_attention_with_a_mask_of_booleans(evaluate: Evaluate) -> None:
    q, k, v = (np.random.default_rng(seed).normal(size=(1, 2, 3, 4)).astype("f4") for seed in range(3))
    mask = np.tril(np.ones((3, 3), bool))
    (out,) = evaluate(
        "scaled_dot_product_attention", {"query": q, "key": k, "value": v, "attn_mask": mask}, {}, ("fp32", q.shape)
    )
    expected = torch.nn.functional.scaled_dot_product_attention(*map(torch.from_numpy, (q, k, v)), is_causal=True)
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("op", "constants", "why"),
    [
        ("gelu", {"mode": "BEST"}, "mode 'BEST'"),
        ("relu", {"slope": 1.0}, "its input 'slope' is not implemented"),
        ("swirl", {}, "no operator of this name"),
        ("random_normal", {"shape": [3]}, "it draws random numbers"),
        ("read_state", {}, "not in the operator set CoreML5"),
    ],
)
def test_what_is_not_implemented_is_refused_by_name(
    evaluate: Evaluate, op: str, constants: dict[str, Any], why: str
) -> None:
    with pytest.raises(Unsupported, match=why) as refused:
        evaluate(op, {"x": f4(1, 2, 3)}, constants, ("fp32", (3,)), opset=5)
    assert refused.value.op == op


def test_a_result_of_another_shape_than_declared_is_no_result(evaluate: Evaluate) -> None:
    with pytest.raises(EvaluationFailed, match=r"gives \[3\] where the program declares \[4\]"):
        evaluate("relu", {"x": f4(1, 2, 3)}, {}, ("fp32", (4,)))


def test_operands_that_do_not_fit_name_the_operator(evaluate: Evaluate) -> None:
    with pytest.raises(EvaluationFailed, match=r"operator 'add' \('out0'\) cannot be evaluated: The size of tensor"):
        evaluate("add", {"x": f4(1, 2, 3), "y": f4(1, 2)}, {}, ("fp32", (3,)))


@pytest.mark.parametrize("mode", Mode)
def test_each_mode_rounds_as_it_says(evaluate: Evaluate, mode: Mode) -> None:
    terms = np.full(4096, 0.1, np.float16)
    (total,) = evaluate("reduce_sum", {"x": terms}, {}, ("fp16", ()), mode=mode)
    precise = float(terms.astype("f8").sum())
    match mode:
        case Mode.FP64:
            assert total == precise
        case Mode.DECLARED:
            assert total == np.float16(precise)
        case Mode.FP16ACC:
            assert total != np.float16(precise)
            assert abs(total - precise) < 0.01 * precise


@pytest.mark.parametrize("op", ["conv", "linear", "matmul"])
def test_sums_in_half_precision_stay_close_to_the_exact_ones(evaluate: Evaluate, op: str) -> None:
    rng = np.random.default_rng(0)
    x, weight = rng.normal(size=(2, 256)).astype("f2"), rng.normal(size=(4, 256)).astype("f2")
    constants: dict[str, Any] = {"weight": weight}
    if op == "matmul":
        constants = {"y": weight, "transpose_y": True}
    if op == "conv":
        x, constants = x.reshape(2, 256, 1), {"weight": weight.reshape(8, 128, 1)[:, :, :1], "groups": 2}
    shape = {"conv": (2, 8, 1)}.get(op, (2, 4))
    rounding, exact = (
        evaluate(op, {"x": x}, constants, ("fp16", shape), mode=each)[0] for each in (Mode.FP16ACC, Mode.FP64)
    )
    assert not np.array_equal(rounding, exact.astype("f2"))
    np.testing.assert_allclose(rounding, exact, atol=0.15)


def test_a_constant_may_name_another_output(evaluate: Evaluate) -> None:
    with pytest.raises(Exception, match="reads 'nobody' before anything defines it"):
        evaluate("relu", {}, {"x": Name("nobody")}, ("fp32", (3,)))
