"""The table of hazards: each is found in what coremltools makes of it, and not in what is nearly the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from mlprograms import Body, Name, Op, Typed, save

from deployspec.formats.coreml import inspect
from deployspec.formats.coreml_hazards import HAZARDS
from deployspec.ir.model import Model

if TYPE_CHECKING:
    from collections.abc import Sequence

NETS = Path(__file__).parents[2] / "hazardous_nets.py"
MODEL = Model(name="net", source="net.py:build", inputs=())

TOLD_IN = {
    "float32": "typed-execution-example.html",
    "power": "coremltools/pull/2742",
    "int8": "coremltools/issues/2114",
    "palette": "coremltools/pull/2688",
    "hardswish": "coreai-torch/issues/51",
    "softplus": "coremltools/issues/2687",
    "log-sum-exp": "coremltools/issues/2690",
    "atan2": "coremltools/pull/2769",
    "triangle": "coremltools/pull/2771",
}


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For each hazard NAME.mlpackage, which has it, and no-NAME.mlpackage."""
    folder = tmp_path_factory.mktemp("nets")
    subprocess.run([sys.executable, str(NETS), str(folder)], capture_output=True, check=True)
    return folder


def found(package: Path) -> tuple[str, ...]:
    return inspect(package, MODEL).findings


def test_every_hazard_of_the_table_has_its_networks() -> None:
    assert [each.reference.endswith(tail) for each, tail in zip(HAZARDS, TOLD_IN.values(), strict=True)] == [True] * 9


@pytest.mark.parametrize("name", TOLD_IN)
def test_what_coremltools_makes_of_it_has_the_hazard(converted: Path, name: str) -> None:
    (finding,) = found(converted / f"{name}.mlpackage")
    assert finding.endswith(TOLD_IN[name])


@pytest.mark.parametrize("name", TOLD_IN)
def test_what_is_nearly_the_same_has_not(converted: Path, name: str) -> None:
    assert not [each for each in found(converted / f"no-{name}.mlpackage") if each.endswith(TOLD_IN[name])]


def test_the_operators_are_named_once(converted: Path) -> None:
    (finding,) = found(converted / "triangle.mlpackage")
    assert " and 1 more): it gives NaN" in finding


def hazards(folder: Path, ops: Sequence[Op], **inputs: tuple[str, Sequence[int]]) -> list[str]:
    """The hazards' constructs in a program of these operators."""
    findings = found(save(folder, Body(list(ops), [], dict(inputs)), opset=8))
    return [each.construct for each in HAZARDS if any(told.startswith(each.construct) for told in findings)]


FLAT: Any = ("fp16", (2, 8))
POWER, INT8, PALETTE, HARDSWISH, ATAN2, TRIANGLE = (HAZARDS[place].construct for place in (1, 2, 3, 4, 7, 8))


@pytest.mark.parametrize(
    ("base", "kind", "expected"),
    [
        (np.float16(2), "fp16", [POWER]),
        (np.full(8, 2, "f2"), "fp16", [POWER]),
        (np.array([2] * 7 + [3], "f2"), "fp16", []),
        (np.float16(2.002), "fp16", []),
        (np.int32(2), "int32", []),
    ],
)
def test_only_an_exact_power_of_two_in_floats(tmp_path: Path, base: Any, kind: str, expected: list[str]) -> None:
    power = Op("pow", {"x": base, "y": Name("y")}, {"out": (kind, (2, 8))})
    assert hazards(tmp_path, [power], y=(kind, (2, 8))) == expected


def test_a_power_whose_base_comes_from_the_caller_is_none(tmp_path: Path) -> None:
    power = Op("pow", {"x": Name("x"), "y": np.float16(2)}, {"out": FLAT})
    assert hazards(tmp_path, [power], x=FLAT) == []


@pytest.mark.parametrize(
    ("product", "shape", "gated", "expected"),
    [
        ("matmul", (2, 8), "h", [HARDSWISH]),
        ("linear", (2, 8), "h", [HARDSWISH]),
        ("linear", (1, 2, 8), "h", []),
        ("linear", (2, 8), "x", []),
        ("relu", (2, 8), "h", []),
    ],
)
def test_hardswish_is_hazardous_on_a_flat_product(
    tmp_path: Path, product: str, shape: tuple[int, ...], gated: str, expected: list[str]
) -> None:
    kind: Any = ("fp16", shape)
    given = {"x": Name("x")} if product == "relu" else {"x": Name("x"), "y": np.zeros((8, 8), "f2")}
    ops = [
        Op(product, given if product != "linear" else {"x": Name("x"), "weight": np.ones((8, 8), "f2")}, {"h": kind}),
        Op("sigmoid_hard", {"x": Name("h")}, {"g": kind}),
        Op("mul", {"x": Name("g"), "y": Name(gated)}, {"out": kind}),
    ]
    assert hazards(tmp_path, ops, x=kind) == expected


@pytest.mark.parametrize(
    ("test", "tested", "expected"),
    [("greater", "b", [ATAN2]), ("greater_equal", "b", []), ("greater", "a", [])],
    ids=["as converted", "mended", "another formula"],
)
def test_an_atan2_that_was_mended_has_no_hazard(tmp_path: Path, test: str, tested: str, expected: list[str]) -> None:
    boolean: Any = ("bool", (2, 8))
    ops = [
        Op("real_div", {"x": Name("b"), "y": Name("a")}, {"ratio": FLAT}),
        Op("atan", {"x": Name("ratio")}, {"angle": FLAT}),
        Op(test, {"x": Name(tested), "y": np.float16(0)}, {"above": boolean}),
        Op("less", {"x": Name("a"), "y": np.float16(0)}, {"left": boolean}),
        Op("logical_and", {"x": Name("above"), "y": Name("left")}, {"both": boolean}),
        Op("cast", {"x": Name("both"), "dtype": "fp16"}, {"one": FLAT}),
        Op("mul", {"x": Name("one"), "y": np.float16(np.pi)}, {"turn": FLAT}),
        Op("add", {"x": Name("angle"), "y": Name("turn")}, {"out": FLAT}),
    ]
    assert hazards(tmp_path, ops, a=FLAT, b=FLAT) == expected


@pytest.mark.parametrize(("taken_from", "expected"), [("x", [TRIANGLE]), ("z", [])])
def test_a_band_taken_from_something_else_is_no_triangle(tmp_path: Path, taken_from: str, expected: list[str]) -> None:
    ops = [
        Op("band_part", {"x": Name("x"), "lower": np.int32(-1), "upper": np.int32(0)}, {"band": FLAT}),
        Op("sub", {"x": Name(taken_from), "y": Name("band")}, {"out": FLAT}),
    ]
    assert hazards(tmp_path, ops, x=FLAT, z=FLAT) == expected


@pytest.mark.parametrize(
    ("dtype", "offset", "expected"), [("i1", [0, 0], [INT8]), ("i1", [0, 1], []), ("u1", [0, 0], [])]
)
def test_only_signed_weights_around_zero_are_hazardous(
    tmp_path: Path, dtype: str, offset: list[int], expected: list[str]
) -> None:
    given = {"quantized_data": np.ones((2, 8), dtype), "zero_point": np.array(offset, dtype)}
    scale = {"scale": np.ones(2, "f2"), "axis": np.int32(0)}
    assert hazards(tmp_path, [Op("constexpr_affine_dequantize", given | scale, {"w": FLAT})]) == expected


def test_a_scale_on_the_expanded_palette_is_found_too(tmp_path: Path) -> None:
    ops = [
        Op(
            "constexpr_lut_to_dense",
            {
                "indices": Typed(np.arange(16).reshape(2, 8), "uint4"),
                "lut": np.arange(16, dtype="f2").reshape(1, 1, 16, 1),
            },
            {"dense": FLAT},
        ),
        Op("constexpr_blockwise_shift_scale", {"data": Name("dense"), "scale": np.ones((2, 1), "f2")}, {"w": FLAT}),
        Op("add", {"x": Name("x"), "y": Name("w")}, {"out": FLAT}),
    ]
    assert hazards(tmp_path, ops, x=FLAT) == [PALETTE]
    structure = inspect(tmp_path, MODEL)
    assert (structure.parameters, structure.kernel_zeros) == (16, 1)
    assert structure.weight_bytes == (("palette-4", 8 + 32 + 4),)
