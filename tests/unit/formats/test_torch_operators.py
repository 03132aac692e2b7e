"""What the rules say of shapes is what torch makes of them, and what they count is what torch counts."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from deployspec.formats.torch_archive import Shaped, open_archive
from deployspec.formats.torch_operators import Unknown, Work

if TYPE_CHECKING:
    from pathlib import Path

Tensors = tuple[int, ...]


class T(tuple[int, ...]):
    """A tensor of this shape in a call below."""

    __slots__ = ()


IMAGE, ROWS, LINE = T((1, 4, 9, 7)), T((2, 3, 5)), T((1, 4, 9))
NOTHING: dict[str, Any] = {}

CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("conv1d", (LINE, T((6, 4, 3)), None, [2], [1], [1], 1), NOTHING),
    ("conv2d", (IMAGE, T((6, 2, 3, 3)), T((6,)), [2, 1], [1, 0], [1, 2], 2), NOTHING),
    ("conv2d", (IMAGE, T((6, 4, 3, 3))), NOTHING),
    ("conv2d", (T((4, 9, 7)), T((6, 4, 1, 1))), NOTHING),
    ("_convolution_mode", (IMAGE, T((6, 4, 3, 5)), None, [1, 1], "same", [1, 1], 1), NOTHING),
    ("_convolution_mode", (IMAGE, T((6, 4, 3, 5)), None, [2, 2], "valid", [1, 1], 1), NOTHING),
    ("convolution", (IMAGE, T((4, 3, 2, 2)), None, [2, 2], [1, 0], [1, 1], True, [1, 0], 2), NOTHING),
    ("conv_transpose2d", (IMAGE, T((4, 3, 3, 2)), None, [2, 2], [1, 1], [1, 1], 2, [1, 1]), NOTHING),
    ("conv_transpose1d", (LINE, T((4, 6, 4)), None, [3]), NOTHING),
    ("linear", (ROWS, T((6, 5)), T((6,))), NOTHING),
    ("linear", (T((5,)), T((6, 5))), NOTHING),
    ("matmul", (T((5,)), T((5,))), NOTHING),
    ("matmul", (ROWS, T((5,))), NOTHING),
    ("matmul", (T((5,)), T((2, 5, 4))), NOTHING),
    ("matmul", (T((7, 1, 3, 5)), T((2, 5, 4))), NOTHING),
    ("mm", (T((3, 5)), T((5, 2))), NOTHING),
    ("bmm", (ROWS, T((2, 5, 4))), NOTHING),
    ("addmm", (T((2,)), T((3, 5)), T((5, 2))), {"beta": 1, "alpha": 1}),
    ("baddbmm", (T((2, 3, 4)), ROWS, T((2, 5, 4))), NOTHING),
    ("scaled_dot_product_attention", (T((1, 2, 6, 8)), T((1, 2, 5, 8)), T((1, 2, 5, 4))), NOTHING),
    ("relu", (IMAGE,), NOTHING),
    ("relu_", (IMAGE,), NOTHING),
    ("softmax", (ROWS, -1), NOTHING),
    ("add", (ROWS, T((3, 1))), {"alpha": 2}),
    ("mul", (ROWS, 3.5), NOTHING),
    ("maximum", (ROWS, T((1, 5))), NOTHING),
    ("eq", (ROWS, T((5,))), NOTHING),
    ("where", (T((3, 1)), ROWS, T((5,))), NOTHING),
    ("view", (IMAGE, [1, -1, 7]), NOTHING),
    ("reshape", (IMAGE, [2, 18, 7]), NOTHING),
    ("flatten", (IMAGE, 1), NOTHING),
    ("flatten", (IMAGE, -3, -2), NOTHING),
    ("unflatten", (IMAGE, 1, [2, -1]), NOTHING),
    ("expand", (T((3, 1)), [2, -1, 4]), NOTHING),
    ("repeat", (T((3, 1)), [2, 1, 4]), NOTHING),
    ("permute", (IMAGE, [0, 2, 3, 1]), NOTHING),
    ("transpose", (IMAGE, -1, 1), NOTHING),
    ("t", (T((3, 5)),), NOTHING),
    ("unsqueeze", (ROWS, -1), NOTHING),
    ("squeeze", (T((1, 3, 1)),), NOTHING),
    ("squeeze", (T((1, 3, 1)), -1), NOTHING),
    ("squeeze", (T((2, 3, 1)), [0, 2]), NOTHING),
    ("cat", ([ROWS, T((2, 1, 5))], 1), NOTHING),
    ("stack", ([ROWS, ROWS, ROWS], -1), NOTHING),
    ("slice", (ROWS, 1, 0, 9223372036854775807, 2), NOTHING),
    ("slice", (ROWS, 2, -3, -1), NOTHING),
    ("select", (ROWS, -2, 1), NOTHING),
    ("narrow", (ROWS, 2, 1, 3), NOTHING),
    ("chunk", (IMAGE, 2, 2), NOTHING),
    ("split", (IMAGE, 4, 2), NOTHING),
    ("split", (IMAGE, [4, 5], 2), NOTHING),
    ("unbind", (ROWS, 1), NOTHING),
    ("pad", (IMAGE, [1, 2, 0, 3]), NOTHING),
    ("constant_pad_nd", (IMAGE, [1, 2], 0), NOTHING),
    ("mean", (ROWS, [1]), NOTHING),
    ("mean", (ROWS, [-1, 0], True), NOTHING),
    ("mean", (ROWS,), {"dtype": None}),
    ("sum", (ROWS, [0]), NOTHING),
    ("amax", (ROWS, [1], True), NOTHING),
    ("argmax", (ROWS, 1), NOTHING),
    ("max", (ROWS, 1), NOTHING),
    ("min", (ROWS, 2, True), NOTHING),
    ("max", (ROWS,), NOTHING),
    ("max_pool2d", (IMAGE, [2, 2]), NOTHING),
    ("max_pool2d", (IMAGE, [3, 3], [2, 2], [1, 1], [1, 1], True), NOTHING),
    ("max_pool2d", (IMAGE, [2, 2], [3, 3], [1, 1], [2, 1], False), NOTHING),
    ("max_pool1d", (LINE, [3], [3], [0], [1], True), NOTHING),
    ("avg_pool2d", (IMAGE, [2, 2], [2, 2], [0, 0], True), NOTHING),
    ("avg_pool2d", (IMAGE, [3, 3], [], [1, 1]), NOTHING),
    ("adaptive_avg_pool2d", (IMAGE, [1, 1]), NOTHING),
    ("adaptive_avg_pool1d", (LINE, [3]), NOTHING),
    ("upsample_nearest2d", (IMAGE, None, [2.0, 1.5]), NOTHING),
    ("upsample_nearest2d", (IMAGE, [18, 7]), NOTHING),
    ("upsample_bilinear2d", (IMAGE, None, False, [2.0, 2.0]), NOTHING),
    ("pixel_shuffle", (IMAGE, 2), NOTHING),
    ("zeros", ([2, 3],), NOTHING),
]
"""Each of them as torch takes it: operator, arguments, named arguments."""


def named(call: tuple[str, tuple[Any, ...], dict[str, Any]]) -> str:
    return f"{call[0]}-{','.join(map(str, call[1]))}".replace(" ", "")


def with_tensors(value: Any, make: Any) -> Any:
    if isinstance(value, T):
        return make(tuple(value))
    return [with_tensors(each, make) for each in value] if isinstance(value, list) else value


def shapes(result: Any) -> Any:
    """The shapes in a result of torch's or of ours."""
    return [shapes(each) for each in result] if isinstance(result, list | tuple) else tuple(result.shape)


@pytest.fixture
def work(tmp_path: Path) -> Work:
    path = tmp_path / "empty.pt"
    zipfile.ZipFile(path, "w").close()
    return Work(open_archive(path))


@pytest.mark.parametrize("call", CALLS, ids=named)
def test_a_rule_gives_the_shape_and_the_work_that_torch_does(
    work: Work, call: tuple[str, tuple[Any, ...], dict[str, Any]]
) -> None:
    name, arguments, options = call
    condition = name == "where"
    tensors = [
        with_tensors(each, lambda shape, at=at: torch.rand(shape) > 0.5 if condition and not at else torch.rand(shape))
        for at, each in enumerate(arguments)
    ]
    with FlopCounterMode(display=False) as counter:
        expected = getattr(torch.ops.aten, name)(*tensors, **options)
    got = work.apply(f"aten::{name}", [with_tensors(each, Shaped) for each in arguments], options)
    assert shapes(got) == shapes(expected)
    if name not in COUNTED_HERE:
        assert work.macs * 2 == counter.get_total_flops()


COUNTED_HERE = ("matmul", "scaled_dot_product_attention")
"""torch counts no product of a matrix and a vector, and attention by the kernel that it takes: see below."""


@pytest.mark.parametrize(
    ("left", "right", "macs"),
    [((5,), (5,), 5), ((2, 3, 5), (5,), 30), ((7, 1, 3, 5), (2, 5, 4), 7 * 2 * 3 * 4 * 5)],
)
def test_a_product_multiplies_rows_by_columns(work: Work, left: Tensors, right: Tensors, macs: int) -> None:
    work.apply("aten::matmul", [Shaped(left), Shaped(right)], {})
    assert work.macs == macs


def test_attention_multiplies_twice(work: Work) -> None:
    query, key, value = Shaped((1, 2, 6, 8)), Shaped((1, 2, 5, 8)), Shaped((1, 2, 5, 4))
    work.apply("aten::scaled_dot_product_attention", [query, key, value], {})
    assert work.macs == 2 * 6 * 5 * 8 + 2 * 6 * 5 * 4


def test_an_lstm_multiplies_at_each_step_in_each_layer_and_direction(work: Work) -> None:
    def cell(inputs: int) -> list[Shaped]:
        return [Shaped((4 * 16, inputs)), Shaped((4 * 16, 16)), Shaped((64,)), Shaped((64,))]

    state = Shaped((4, 1, 16))
    weights = [*cell(8), *cell(8), *cell(32), *cell(32)]
    got = work.apply("aten::lstm", [Shaped((1, 5, 8)), [state, state], weights, True, 2, 0.0, False, True, True], {})
    assert [each.shape for each in got] == [(1, 5, 32), (4, 1, 16), (4, 1, 16)]
    assert work.macs == 5 * 2 * (4 * 16 * (8 + 16) + 4 * 16 * (32 + 16))


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("aten::einsum", ["ij,jk", []], "aten::einsum has no rule here"),
        ("aten::linear", [Shaped((2, 3)), 7], "aten::linear is called in a way that is not known"),
        ("aten::add", [Shaped((2, 3)), Shaped((2, 4))], "aten::add is called in a way that is not known"),
        ("aten::unbind", [Shaped((10**12,)), 0], "aten::unbind is called in a way that is not known"),
    ],
)
def test_what_is_not_known_is_said_with_its_operator(work: Work, name: str, arguments: list[Any], said: str) -> None:
    with pytest.raises(Unknown, match=said):
        work.apply(name, arguments, {})
