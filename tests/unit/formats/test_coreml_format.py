"""What the inspector reads in Core ML packages: written by hand, so that each rule stands alone, and damaged ones."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from coreml_project import case, pictures
from mlprograms import Body, Name, Op, Typed, save

from deployspec.errors import UnreadableModel
from deployspec.formats.coreml import inspect
from deployspec.ir.model import Input, Model
from deployspec.testing.project import PICTURES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from deployspec.ir.structure import Structure

SHIPPED = case("iOS18", "int4-weights", pruned=True)


@pytest.fixture
def model() -> Model:
    """The inspector asks nothing of it: a package declares its own ends."""
    return Model(name="net", source="net.py:build", inputs=(Input(name="x", shape=(1,)),))


def read(folder: Path, model: Model, ops: Sequence[Op], **inputs: Sequence[int | None]) -> Structure:
    """The structure of a program of these operators, the last of which gives `out`."""
    ends = {name: ("fp32", shape) for name, shape in inputs.items()}
    return inspect(save(folder, Body(list(ops), ["out"], ends), opset=8), model)


# --- multiply-accumulates ---


def out(type: str, *shape: int | None, **given: Any) -> Op:
    return Op(type, given, {"out": ("fp32", shape)})


def zeros(*shape: int) -> np.ndarray:
    return np.zeros(shape, "f4")


@pytest.mark.parametrize(
    ("op", "inputs", "macs"),
    [
        (out("conv", 1, 16, 4, 4, x=Name("x"), weight=zeros(16, 4, 3, 3)), {"x": (1, 8, 6, 6)}, 16 * 16 * 4 * 9),
        (out("conv_transpose", 1, 6, 10, 10, x=Name("x"), weight=zeros(8, 6, 2, 2)), {"x": (1, 8, 5, 5)}, 200 * 24),
        (out("linear", 1, 7, 5, x=Name("x"), weight=zeros(5, 3)), {"x": (1, 7, 3)}, 7 * 5 * 3),
        (out("matmul", 2, 4, 3, x=Name("x"), y=Name("y")), {"x": (2, 4, 8), "y": (2, 8, 3)}, 2 * 4 * 3 * 8),
        (
            out("matmul", 2, 4, 3, x=Name("x"), y=Name("y"), transpose_x=np.bool_(True)),
            {"x": (2, 8, 4), "y": (2, 8, 3)},
            2 * 4 * 3 * 8,
        ),
        (
            out("einsum", 1, 5, 2, 7, values=[Name("x"), Name("y")], equation="nchw,nwhu->nchu"),
            {"x": (1, 5, 2, 4), "y": (1, 4, 2, 7)},
            5 * 2 * 7 * 4,
        ),
        (
            out("scaled_dot_product_attention", 1, 2, 5, 4, query=Name("q"), key=Name("k"), value=Name("v")),
            {"q": (1, 2, 5, 8), "k": (1, 2, 7, 8), "v": (1, 2, 7, 4)},
            2 * 5 * 7 * 8 + 2 * 5 * 7 * 4,
        ),
        (out("lstm", 6, 1, 5, x=Name("x"), weight_hh=zeros(20, 5)), {"x": (6, 1, 3)}, 6 * 4 * 5 * (3 + 5)),
        (out("gru", 6, 1, 5, x=Name("x"), weight_hh=zeros(15, 5)), {"x": (6, 1, 3)}, 6 * 3 * 5 * (3 + 5)),
        (out("rnn", 6, 1, 5, x=Name("x"), weight_hh=zeros(5, 5)), {"x": (6, 1, 3)}, 6 * 5 * (3 + 5)),
        (
            out("lstm", 6, 1, 10, x=Name("x"), weight_hh=zeros(20, 5), weight_hh_back=zeros(20, 5)),
            {"x": (6, 1, 3)},
            2 * 6 * 4 * 5 * (3 + 5),
        ),
        (out("avg_pool", 1, 8, 3, 3, x=Name("x")), {"x": (1, 8, 6, 6)}, 0),
        (out("linear", None, 5, x=Name("x"), weight=zeros(5, 3)), {"x": (None, 3)}, 15),
        (out("lstm", 6, None, 5, x=Name("x"), weight_hh=zeros(20, 5)), {"x": (6, None, 3)}, 6 * 4 * 5 * (3 + 5)),
    ],
    ids=lambda value: value.type if isinstance(value, Op) else "",
)
def test_products_are_counted_from_the_declared_shapes(
    tmp_path: Path, model: Model, op: Op, inputs: dict[str, Sequence[int | None]], macs: int
) -> None:
    assert read(tmp_path, model, [op], **inputs).macs == macs


def test_an_open_size_that_is_no_batch_leaves_the_count_open(tmp_path: Path, model: Model) -> None:
    op = out("conv", 1, 4, None, None, x=Name("x"), weight=zeros(4, 3, 3, 3))
    structure = read(tmp_path, model, [op], x=(1, 3, None, None))
    assert structure.macs is None
    assert structure.macs_reason == "the shapes of a 'conv' are open until the program runs"


def test_a_loop_leaves_the_count_open_and_its_operators_are_listed(tmp_path: Path, model: Model) -> None:
    step = Op("linear", {"x": Name("i"), "weight": zeros(3, 3)}, {"o": ("fp32", (1, 3))})
    loop = Op(
        "while_loop",
        {"loop_vars": [Name("x")]},
        {"out": ("fp32", (1, 3))},
        (
            Body([Op("less", {"x": Name("i"), "y": np.float32(1)}, {"b": ("bool", ())})], ["b"]),
            Body([step], ["o"]),
        ),
    )
    structure = read(tmp_path, model, [loop], x=(1, 3))
    assert structure.macs is None
    assert structure.macs_reason == "how often 'linear' runs is decided inside 'while_loop', when the program runs"
    assert structure.operators == (("less", 1), ("linear", 1), ("while_loop", 1))
    assert structure.parameters == 9


# --- weights ---


def weight(*, dtype: str = "fp32", shape: Sequence[int], of: str = "w", **given: Any) -> list[Op]:
    """An encoding that gives `w`, and an operator that takes it."""
    return [Op(of, given, {"w": (dtype, shape)}), Op("add", {"x": Name("x"), "y": Name("w")}, {"out": ("fp32", shape)})]


INDICES = np.array([[0, 1, 2, 3], [3, 2, 1, 0]], "u1")


@pytest.mark.parametrize(
    ("ops", "elements", "zero", "stored"),
    [
        (
            weight(
                of="constexpr_cast", shape=(2, 2), source_val=np.array([[0, 1], [-0.0, 2]], "f2"), output_dtype="fp32"
            ),
            4,
            2,
            {"float16": 8},
        ),
        (
            weight(
                of="constexpr_affine_dequantize",
                shape=(2, 3),
                quantized_data=np.array([[1, 1, 5], [1, 7, 7]], "u1"),
                zero_point=np.array([1, 7], "u1"),
                scale=np.ones(2, "f4"),
                axis=np.int32(0),
            ),
            6,
            4,
            {"uint8": 6 + 2 + 8},
        ),
        (
            weight(
                of="constexpr_blockwise_shift_scale",
                shape=(2, 4),
                data=Typed(np.array([[1, 1, 2, 2], [0, 0, 0, 0]]), "int4"),
                scale=np.ones((2, 2), "f2"),
                offset=Typed(np.array([[1, 1], [0, 3]]), "int4"),
            ),
            8,
            4,
            {"int4": 4 + 8 + 2},
        ),
        (
            weight(
                of="constexpr_lut_to_dense",
                shape=(2, 4),
                indices=Typed(INDICES, "uint2"),
                lut=np.array([[[[0], [1], [2], [0]]]], "f4").reshape(1, 1, 4, 1),
            ),
            8,
            4,
            {"palette-2": 2 + 16},
        ),
        (
            weight(
                of="constexpr_lut_to_dense",
                shape=(2, 4),
                indices=Typed(INDICES, "uint2"),
                lut=np.array([[0, 1, 1, 1], [0, 0, 0, 1]], "f4").reshape(2, 1, 4, 1),  # a table for each row
            ),
            8,
            1 + 3,
            {"palette-2": 2 + 32},
        ),
        (
            weight(
                of="constexpr_lut_to_dense",
                shape=(4, 4),
                indices=Typed(INDICES, "uint2"),
                lut=np.array([[0, 0], [1, 0], [1, 1], [1, 1]], "f4").reshape(1, 1, 4, 2),  # entries of two values
                vector_axis=np.int32(0),
            ),
            16,
            6,
            {"palette-2": 2 + 32},
        ),
        (
            weight(
                of="constexpr_sparse_to_dense",
                shape=(2, 4),
                mask=Typed(np.array([[1, 0, 0, 1], [0, 0, 1, 0]]), "uint1"),
                nonzero_data=np.array([1, 0, 3], "f2"),
            ),
            8,
            6,
            {"sparse-float16": 6 + 1},
        ),
    ],
    ids=["cast", "affine", "blockwise", "palette", "grouped", "vectors", "sparse"],
)
def test_an_encoded_weight_counts_as_what_it_stands_for(
    tmp_path: Path, model: Model, ops: list[Op], elements: int, zero: int, stored: dict[str, int]
) -> None:
    structure = read(tmp_path, model, ops, x=(1,))
    assert structure.parameters == structure.kernel_elements == elements
    assert structure.kernel_zeros == zero
    assert dict(structure.weight_bytes) == stored


def test_what_the_mask_keeps_may_be_encoded_itself(tmp_path: Path, model: Model) -> None:
    mask = Typed(np.array([[1, 0, 1], [0, 1, 1]]), "uint1")
    inner = Op(
        "constexpr_sparse_blockwise_shift_scale",
        {
            "data_mask": mask,
            "nonzero_data": np.array([5, 2, 9, 7], "i1"),
            "scale": np.ones((2, 1), "f2"),
            "offset": np.array([[5], [9]], "i1"),
        },
        {"m": ("uint1", (2, 3)), "n": ("fp16", (4,))},
    )
    ops = [inner, *weight(of="constexpr_sparse_to_dense", shape=(2, 3), mask=Name("m"), nonzero_data=Name("n"))]
    structure = read(tmp_path, model, ops, x=(1,))
    assert (structure.parameters, structure.kernel_zeros) == (6, 2 + 2)
    assert dict(structure.weight_bytes) == {"sparse-int8": 1 + 4 + 4 + 2}


def test_attributes_shapes_and_scales_are_no_parameters(tmp_path: Path, model: Model) -> None:
    ops = [
        Op(
            "quantize", {"input": Name("x"), "scale": np.ones(4, "f4"), "output_dtype": "int8"}, {"q": ("int8", (1, 4))}
        ),
        Op("dequantize", {"input": Name("q"), "scale": np.ones(4, "f4")}, {"d": ("fp32", (1, 4))}),
        Op("reshape", {"x": Name("d"), "shape": np.array([4, 1], "i4")}, {"r": ("fp32", (4, 1))}),
        Op("leaky_relu", {"x": Name("r"), "alpha": np.float32(0.1)}, {"out": ("fp32", (4, 1))}),
    ]
    structure = read(tmp_path, model, ops, x=(1, 4))
    assert (structure.parameters, structure.weight_bytes) == (0, ())


def test_infinity_in_a_mask_is_no_fault(tmp_path: Path, model: Model) -> None:
    ops = [out("add", 2, 2, x=Name("x"), y=np.array([[0, -np.inf], [0, 0]], "f4"))]
    assert read(tmp_path, model, ops, x=(2, 2)).kernel_zeros == 3


# --- damaged ---


@pytest.mark.parametrize(
    ("ops", "said"),
    [
        ([out("add", 2, x=Name("x"), y=np.array([1, np.nan], "f4"))], "holds NaN"),
        (
            weight(
                of="constexpr_sparse_to_dense",
                shape=(2, 2),
                mask=Typed(np.array([[1, 0], [0, 1]]), "uint1"),
                nonzero_data=np.array([1, 2, 3], "f4"),
            ),
            "a mask keeps 2 elements and 3 are stored",
        ),
        (
            weight(
                of="constexpr_blockwise_shift_scale",
                shape=(3,),
                data=np.array([1, 2, 3], "i1"),
                scale=np.ones(1, "f4"),
                offset=np.zeros(2, "i1"),
            ),
            "blocks of [2] do not divide a weight of [3]",
        ),
        (
            weight(
                of="constexpr_lut_to_dense", shape=(2,), indices=np.array([0, 9], "u1"), lut=np.zeros((1, 4, 1), "f4")
            ),
            "a palette of 4 values is asked for its value 9",
        ),
        (
            weight(of="constexpr_cast", shape=(3,), source_val=np.ones(2, "f2"), output_dtype="fp32"),
            "the weight 'w' of shape [3] stores 2 elements",
        ),
        (weight(of="constexpr_cast", shape=(3,), source_val=Name("gone")), "'source_val' of constexpr_cast is stored"),
        (
            weight(
                of="constexpr_affine_dequantize",
                shape=(3,),
                quantized_data=np.ones(3, "u1"),
                zero_point=np.ones(2, "u1"),
                axis=np.int32(5),
            ),
            "quantized along axis 5",
        ),
    ],
    ids=["nan", "mask", "blocks", "palette", "shape", "nowhere", "axis"],
)
def test_a_weight_that_does_not_add_up_is_refused(tmp_path: Path, model: Model, ops: list[Op], said: str) -> None:
    with pytest.raises(UnreadableModel) as caught:
        read(tmp_path, model, ops, x=(1,))
    assert said in str(caught.value)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A package that was made for real, to be damaged."""
    import shutil

    return shutil.copytree(pictures().artifact(SHIPPED), tmp_path / "net.mlpackage")


def test_a_weight_file_that_was_cut_short_is_refused(copy: Path, model: Model) -> None:
    weights = next(copy.rglob("weight.bin"))
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(UnreadableModel, match=r"weight\.bin: an entry ends at byte .* it was cut short"):
        inspect(copy, model)


def test_whatever_byte_is_wrong_the_answer_is_a_structure_or_a_refusal(copy: Path, model: Model) -> None:
    file = next(copy.rglob("model.mlmodel"))
    content = file.read_bytes()
    generator = np.random.default_rng(0)
    refused = 0
    for place in generator.integers(0, len(content), 400):
        damaged = bytearray(content)
        damaged[place] ^= 1 << int(generator.integers(8))
        file.write_bytes(damaged)
        try:
            inspect(copy, model)
        except UnreadableModel:
            refused += 1
    assert 20 < refused < 400


# --- a package that was made for real ---


def test_the_work_and_the_size_are_those_of_the_network() -> None:
    structure = pictures().structure(case("iOS18"))
    assert (structure.parameters, structure.macs) == (PICTURES.parameters, PICTURES.macs)
    assert structure.operators == (("relu", 3), ("conv", 2), ("linear", 2), ("reshape", 1))
    assert structure.undelegated is None


LIGHT = """\
import sys
from pathlib import Path
from deployspec.formats.coreml import inspect
inspect(Path(sys.argv[1]), None)
print([each for each in ("torch", "coremltools", "tensorflow", "scipy") if each in sys.modules])
"""


def test_it_is_read_without_its_framework() -> None:
    arguments = [sys.executable, "-c", LIGHT, str(pictures().artifact(SHIPPED))]
    ran = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
