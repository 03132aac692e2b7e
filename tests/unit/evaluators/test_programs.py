"""Programs as a whole: control flow, state, functions, images, classes, and inputs that do not fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from mlprograms import Body, Name, Op, add_function, save, save_model

from deployspec.errors import ExitCode
from deployspec.evaluators.mlprogram import EvaluationFailed, Mode, UnreadableModel, WrongInput, load
from deployspec.evaluators.mlprogram.numerics import Numerics
from deployspec.evaluators.mlprogram.prepare import Preparation
from deployspec.evaluators.mlprogram.table import op
from deployspec.formats.mlpackage import DType, open_package, proto

if TYPE_CHECKING:
    from pathlib import Path

SCALAR = ("fp32", ())
X = {"x": ("fp32", (3,))}
DOUBLE = Body([Op("add", {"x": Name("x"), "y": Name("x")}, {"y": ("fp32", (3,))})], ["y"], X)
THREE = np.array([1, 2, 3], "f4")


def test_a_program_says_what_it_takes_and_gives(tmp_path: Path) -> None:
    program = load(save(tmp_path, DOUBLE, opset=6))
    assert [(each.name, each.dtype, each.shape) for each in program.inputs] == [("x", DType.FP32, (3,))]
    assert [(each.name, each.dtype, each.shape) for each in program.outputs] == [("y", DType.FP32, (3,))]
    assert (program.operators, program.function, program.opset, program.mode) == ({"add": 1}, "main", 6, "declared")


@pytest.mark.parametrize(("limit", "expected"), [(0, 1), (5, 8), (100, 128)])
def test_a_loop_runs_until_its_condition_fails_and_sees_what_is_around_it(
    tmp_path: Path, limit: float, expected: float
) -> None:
    condition = Body([Op("less", {"x": Name("i"), "y": Name("limit")}, {"go": ("bool", ())})], ["go"], {"i": SCALAR})
    body = Body([Op("mul", {"x": Name("j"), "y": Name("two")}, {"next": SCALAR})], ["next"], {"j": SCALAR})
    two = Op("add", {"x": 1.0, "y": 1.0}, {"two": SCALAR})
    loop = Op("while_loop", {"loop_vars": [Name("start")]}, {"y": SCALAR}, (condition, body))
    program = load(save(tmp_path, Body([two, loop], ["y"], {"start": SCALAR, "limit": SCALAR})))
    assert program(start=np.float32(1), limit=np.float32(limit))["y"] == expected


@pytest.mark.parametrize(("pred", "expected"), [(True, [2, 4, 6]), (False, [1, 4, 9])])
def test_a_branch_is_taken_by_its_predicate(tmp_path: Path, pred: bool, expected: list[float]) -> None:
    there = Body([Op("add", {"x": Name("x"), "y": Name("x")}, {"a": ("fp32", (3,))})], ["a"])
    here = Body([Op("square", {"x": Name("x")}, {"b": ("fp32", (3,))})], ["b"])
    branch = Op("cond", {"pred": Name("p")}, {"y": ("fp32", (3,))}, (there, here))
    program = load(save(tmp_path, Body([branch], ["y"], X | {"p": ("bool", ())})))
    assert program(x=THREE, p=np.array(pred))["y"].tolist() == expected


def accumulator(folder: Path) -> Path:
    """y = the sum of all inputs so far, kept in the state `memory`."""
    ops = [
        Op("read_state", {"input": Name("memory")}, {"old": ("fp16", (2,))}),
        Op("add", {"x": Name("old"), "y": Name("x")}, {"y": ("fp16", (2,))}),
        Op("write_state", {"input": Name("memory"), "data": Name("y")}, {}),
    ]
    inputs = {"x": ("fp16", (2,)), "memory": ("fp16", (2,))}
    return save(folder, Body(ops, ["y"], inputs), states=["memory"])


def test_state_is_remembered_by_whoever_holds_it(tmp_path: Path) -> None:
    program = load(accumulator(tmp_path))
    first, second, one = program.new_state(), program.new_state(), np.array([1, 2], "f2")
    program.run({"x": one}, first)
    assert program.run({"x": one}, first)["y"].tolist() == [2, 4]
    assert program.run({"x": one}, second)["y"].tolist() == [1, 2]
    assert program(x=one)["y"].tolist() == program(x=one)["y"].tolist() == [1, 2]
    assert [each.name for each in program.inputs] == ["x"]


def test_functions_are_chosen_by_name(tmp_path: Path) -> None:
    model = proto().Model_pb2.Model(specificationVersion=9)
    model.mlProgram.version = 1
    square = Body([Op("square", {"x": Name("x")}, {"y": ("fp32", (3,))})], ["y"], X)
    add_function(model, "twice", DOUBLE, 8)
    add_function(model, "square", square, 8)
    model.description.defaultFunctionName = "square"
    package = save_model(tmp_path, model)
    assert load(package)(x=THREE)["y"].tolist() == [1, 4, 9]
    assert load(package, function="twice")(x=THREE)["y"].tolist() == [2, 4, 6]
    with pytest.raises(UnreadableModel, match="has no function 'thrice'; it has square, twice"):
        load(package, function="thrice")


@pytest.mark.parametrize("classes", [("cat", "dog", "owl"), (np.int64(7), np.int64(8), np.int64(9))])
def test_a_classifier_gives_its_label_and_its_probabilities_in_the_order_of_its_classes(
    tmp_path: Path, classes: tuple[Any, ...]
) -> None:
    kind = "string" if isinstance(classes[0], str) else "int64"
    last = Op("classify", {"probabilities": Name("x"), "classes": classes}, {"label": (kind, ()), "p": None})
    program = load(save(tmp_path, Body([last], ["label", "p"], X)))
    outputs = program(x=np.array([0.2, 0.7, 0.1], "f4"))
    assert outputs["label"] == classes[1]
    np.testing.assert_array_equal(outputs["p"], np.array([0.2, 0.7, 0.1], "f4"))
    assert program.outputs[1].classes == classes


def image_model(folder: Path, colour: int) -> Path:
    model = proto().Model_pb2.Model(specificationVersion=6)
    scaled = Op("mul", {"x": Name("image"), "y": np.float32(0.5)}, {"y": ("fp32", (1, 3, 2, 1))})
    add_function(model, "main", Body([scaled], ["y"], {"image": ("fp32", (1, 3, 2, 1))}), 5)
    described = model.description.input.add(name="image").type.imageType
    described.width, described.height, described.colorSpace = 1, 2, colour
    return save_model(folder, model)


@pytest.mark.parametrize(("colour", "order"), [(20, [0, 1, 2]), (30, [2, 1, 0])])
def test_an_image_may_be_given_as_pixels_or_as_planes(tmp_path: Path, colour: int, order: list[int]) -> None:
    program = load(image_model(tmp_path, colour))
    pixels = np.array([[[10, 20, 30]], [[40, 50, 60]]], np.uint8)
    planes = np.moveaxis(pixels, -1, 0)[order][None]
    from_pixels, from_planes = program(image=pixels)["y"], program(image=planes.astype("f4"))["y"]
    np.testing.assert_array_equal(from_pixels, from_planes)
    np.testing.assert_array_equal(from_pixels, planes * np.float32(0.5))
    assert program.inputs[0].image == {20: "RGB", 30: "BGR"}[colour]


@pytest.mark.parametrize(
    ("arrays", "why"),
    [
        ({"z": THREE}, "the model has no input 'z'; its inputs are 'x'"),
        ({}, "the input 'x' is missing: the model takes fp32 of shape"),
        ({"x": np.ones(4, "f4")}, r"shape \[4\]: the model takes fp32 of shape \[3\]"),
        ({"x": np.ones((3, 1), "f4")}, r"shape \[3, 1\]"),
        ({"x": np.ones(3, "i4")}, "the input 'x' is int32: the model takes fp32"),
    ],
)
def test_a_wrong_input_is_told_what_is_wanted(tmp_path: Path, arrays: dict[str, np.ndarray], why: str) -> None:
    with pytest.raises(WrongInput, match=why) as raised:
        load(save(tmp_path, DOUBLE)).run(arrays)
    assert raised.value.exit_code is ExitCode.FAULTY


def test_whole_numbers_must_fit_their_type(tmp_path: Path) -> None:
    identity = Body([Op("identity", {"x": Name("n")}, {"y": ("int32", (1,))})], ["y"], {"n": ("int32", (1,))})
    program = load(save(tmp_path, identity))
    assert program(n=np.array([7], "i8"))["y"].dtype == np.int32
    with pytest.raises(WrongInput, match="values that int32 cannot hold"):
        program(n=np.array([2**40], "i8"))
    with pytest.raises(WrongInput, match="'n' is float32: the model takes int32"):
        program(n=np.array([1.5], "f4"))


def flexible(folder: Path, describe: Any) -> Path:
    model = proto().Model_pb2.Model(specificationVersion=9)
    body = Body([Op("relu", {"x": Name("x")}, {"y": ("fp32", (None, 2))})], ["y"], {"x": ("fp32", (None, 2))})
    add_function(model, "main", body, 8)
    describe(model.description.input.add(name="x").type)
    return save_model(folder, model)


def test_a_flexible_input_takes_what_its_range_allows(tmp_path: Path) -> None:
    def describe(kind: Any) -> None:
        kind.multiArrayType.shapeRange.sizeRanges.add(lowerBound=2, upperBound=4)
        kind.multiArrayType.shapeRange.sizeRanges.add(lowerBound=2, upperBound=2)

    program = load(flexible(tmp_path, describe))
    assert program(x=np.ones((4, 2), "f4"))["y"].shape == (4, 2)
    with pytest.raises(WrongInput, match=r"shape \[5, 2\]: the model takes fp32 of shape \[2 to 4, 2\]"):
        program(x=np.ones((5, 2), "f4"))


def test_enumerated_shapes_are_all_that_is_taken(tmp_path: Path) -> None:
    def describe(kind: Any) -> None:
        for size in (1, 3):
            kind.multiArrayType.enumeratedShapes.shapes.add(shape=[size, 2])

    program = load(flexible(tmp_path, describe))
    assert program(x=np.ones((3, 2), "f4"))["y"].shape == (3, 2)
    with pytest.raises(WrongInput, match=r"of shape \[1, 2\] or \[3, 2\]"):
        program(x=np.ones((2, 2), "f4"))


def test_an_optional_input_that_is_left_out_takes_its_default(tmp_path: Path) -> None:
    def describe(kind: Any) -> None:
        kind.isOptional = True
        kind.multiArrayType.floatDefaultValue = 2.5

    assert load(flexible(tmp_path, describe))()["y"].tolist() == [[2.5, 2.5]]


def test_an_unknown_operator_set_is_named(tmp_path: Path) -> None:
    package = save(tmp_path, DOUBLE, opset=8)
    model = package / "Data/com.apple.CoreML/model.mlmodel"
    model.write_bytes(model.read_bytes().replace(b"CoreML8", b"CoreML9"))
    with pytest.raises(
        UnreadableModel, match="operator set 'CoreML9' is not known; CoreML5, CoreML6, CoreML7, CoreML8"
    ):
        load(package)


def test_inputs_and_results_share_no_memory_with_the_caller(tmp_path: Path) -> None:
    identity = Body([Op("identity", {"x": Name("x")}, {"y": ("fp32", (3,))})], ["y"], X)
    program, given = load(save(tmp_path, identity)), THREE.copy()
    result = program(x=given)["y"]
    result += 1
    assert given.tolist() == [1, 2, 3]


def test_a_value_is_forgotten_by_the_last_operator_that_reads_it(tmp_path: Path) -> None:
    vector = ("fp32", (3,))
    inner = Body([Op("add", {"x": Name("a"), "y": Name("b")}, {"c": vector})], ["c"])
    ops = [
        Op("relu", {"x": Name("x")}, {"a": vector}),
        Op("square", {"x": Name("x")}, {"b": vector}),
        Op("cond", {"pred": True}, {"d": vector}, (inner, inner)),
        Op("relu", {"x": Name("d")}, {"y": vector}),
    ]
    package = open_package(save(tmp_path, Body(ops, ["y"], X)))
    function = package.program.functions["main"]
    preparation = Preparation(package, Numerics(Mode.DECLARED), 8)
    block = preparation.block(function.block_specializations["CoreML8"], {}, function.inputs)
    frame: list[Any] = [None] * preparation.slots
    assert block.run(frame, [torch.from_numpy(THREE)])[0].tolist() == [2, 6, 12]
    assert [len(step.frees) for step in block.steps] == [0, 1, 2, 1]
    assert frame == [None] * preparation.slots


def test_an_operator_stands_in_the_table_once() -> None:
    with pytest.raises(ValueError, match="operator 'relu' of operator set 5 is in the table already"):
        op("relu")(lambda x: x)


def test_a_block_of_the_wrong_kind_is_a_fault_of_the_program(tmp_path: Path) -> None:
    loop = Op("while_loop", {"loop_vars": [Name("x")]}, {"y": ("fp32", (3,))})
    with pytest.raises(EvaluationFailed, match="not enough values to unpack"):
        load(save(tmp_path, Body([loop], ["y"], X)))(x=THREE)


def test_half_precision_overflows_where_it_is_declared_and_not_in_the_oracle(tmp_path: Path) -> None:
    square = Op("square", {"x": Name("x")}, {"y": ("fp16", (1,))})
    package = save(tmp_path, Body([square], ["y"], {"x": ("fp16", (1,))}))
    big = np.array([300], "f2")
    assert load(package, mode=Mode.DECLARED)(x=big)["y"].tolist() == [np.inf]
    assert load(package, mode=Mode.FP64)(x=big)["y"].tolist() == [90000]


@pytest.mark.parametrize(("narrow", "expected"), [("uint16", [65534, 300]), ("int8", [-2, 44]), ("uint8", [254, 44])])
def test_integers_wrap_inside_the_program_too(tmp_path: Path, narrow: str, expected: list[float]) -> None:
    ops = [
        Op("cast", {"x": Name("n"), "dtype": narrow}, {"narrow": (narrow, (2,))}),
        Op("cast", {"x": Name("narrow"), "dtype": "fp32"}, {"y": ("fp32", (2,))}),
    ]
    program = load(save(tmp_path, Body(ops, ["y"], {"n": ("int32", (2,))})))
    assert program(n=np.array([-2, 300], "i4"))["y"].tolist() == expected
