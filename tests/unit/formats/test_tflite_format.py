"""The reader of .tflite on files written here table by table: what each figure must be can be counted by hand."""

from __future__ import annotations

import random
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from tflite_files import File, dense, entry

from deployspec.errors import UnreadableModel
from deployspec.formats.tflite import inspect
from deployspec.formats.tflite_file import read
from deployspec.ir.model import Input, Model, Output
from deployspec.ir.structure import End, Structure
from deployspec.runners import tflite as runner

if TYPE_CHECKING:
    from pathlib import Path

MODEL = Model(name="net", source="net.py:net", inputs=(Input(name="x", shape=(1,)),), outputs=(Output(name="y"),))


def inspected(file: File | bytes, tmp_path: Path) -> Structure:
    path = tmp_path / "net.tflite"
    path.write_bytes(file if isinstance(file, bytes) else file.bytes())
    return inspect(path, MODEL)


def quantization(zero_points: list[int], axis: int = 0) -> Any:
    made = schema.QuantizationParametersT()
    made.scale, made.zeroPoint = np.full(len(zero_points), 0.5, np.float32), np.array(zero_points, np.int64)
    made.quantizedDimension = axis
    return made


def test_ends_have_the_names_of_the_signature_in_the_order_of_the_graph(tmp_path: Path) -> None:
    file = File()
    late, early = file.tensor((1, 2), shapeSignature=np.array([-1, 2], np.int32)), file.tensor(None, kind="INT64")
    both = file.tensor((1, 2))
    file.operator("ADD", [late, late], both, schema.AddOptionsT())
    file.sign({"z": late, "a": early}, {"second": both})
    file.graph.outputs = [both, both]
    file.model.signatureDefs[0].outputs.append(entry("third", both))
    found = inspected(file, tmp_path)
    assert found.inputs == (End(name="z", shape=(-1, 2), dtype="float32"), End(name="a", shape=(), dtype="int64"))
    assert [each.name for each in found.outputs] == ["second", "third"]


def test_without_a_signature_the_tensors_own_names_are_told(tmp_path: Path) -> None:
    file = dense(np.ones((3, 2), np.float32))
    file.model.signatureDefs = []
    assert [each.name for each in inspected(file, tmp_path).inputs] == ["t0"]


@pytest.mark.parametrize(("signed", "names"), [(True, ("x", "y")), (False, ("t0", "t2"))])
def test_it_runs_by_the_names_that_are_told(tmp_path: Path, signed: bool, names: tuple[str, str]) -> None:
    file = dense(np.array([[1, 2], [3, 4], [5, 6]], np.float32))
    file.model.signatureDefs = file.model.signatureDefs if signed else []
    found = inspected(file, tmp_path)
    assert (found.inputs[0].name, found.outputs[0].name) == names
    run = runner.load(str(tmp_path / "net.tflite"), {"inputs": [names[0]], "outputs": [names[1]]})
    assert run([np.array([[10, 1]], np.float32)])[0].tolist() == [[12, 34, 56]]


def test_parameters_are_weights_and_not_the_integers_that_steer(tmp_path: Path) -> None:
    file = dense(np.array([[1, 0, -0.0], [2, 3, 0]], np.float32))
    file.tensor((2,), np.array([4, 5], np.int32))  # a shape, say
    file.tensor((3,), np.ones(3, np.float32))  # a bias
    found = inspected(file, tmp_path)
    assert (found.parameters, found.kernel_elements, found.kernel_zeros) == (9, 6, 3)
    assert found.weight_bytes == (("float32", 36),)
    assert found.operators == (("FULLY_CONNECTED", 1),)


def test_a_buffer_that_two_tensors_show_counts_once(tmp_path: Path) -> None:
    file = dense(np.ones((3, 2), np.float32))
    twin = file.tensor((3, 2))
    file.graph.tensors[twin].buffer = file.graph.tensors[1].buffer
    assert inspected(file, tmp_path).parameters == 6


def test_the_zero_of_a_quantized_kernel_is_its_zero_point(tmp_path: Path) -> None:
    weights = np.array([[7, 0, 7], [-3, -3, 0]], np.int8)
    found = inspected(dense(weights, quantization=quantization([7, -3])), tmp_path)
    assert (found.parameters, found.kernel_zeros) == (6, 4)
    assert found.weight_bytes == (("int8", 6),)
    whole = inspected(dense(weights, quantization=quantization([0])), tmp_path)
    assert whole.kernel_zeros == 2


def test_four_bits_are_two_weights_to_a_byte(tmp_path: Path) -> None:
    packed = np.array([0x0F, 0x80, 0x00], np.uint8).view(np.int8)  # -1 0 | 0 -8 | 0 and a nibble beyond the end
    file = File()
    file.tensor((1, 5), packed, kind="INT4", quantization=quantization([0]))
    found = inspected(file, tmp_path)
    assert (found.parameters, found.kernel_zeros, found.weight_bytes) == (5, 3, (("int4", 3),))


def test_scales_of_blocks_are_no_parameters(tmp_path: Path) -> None:
    file = File()
    scales = file.tensor((2, 1), np.ones((2, 1), np.float32))
    blocks = schema.BlockwiseQuantizationT()
    blocks.scales, blocks.zeroPoints, blocks.blockSize = scales, -1, 2
    by_blocks = schema.QuantizationParametersT()
    by_blocks.details, by_blocks.detailsType = blocks, schema.QuantizationDetails.BlockwiseQuantization
    file.tensor((2, 2), np.array([1, 0, 3, 4], np.int8), quantization=by_blocks)
    file.graph.tensors.insert(0, file.graph.tensors.pop())  # a place of 0 would mean none
    blocks.scales = 1
    found = inspected(file, tmp_path)
    assert (found.parameters, found.kernel_zeros) == (4, 1)


def test_halves_behind_a_dequantize_are_counted_as_they_are_stored(tmp_path: Path) -> None:
    file = File()
    stored = file.tensor((3, 2), np.array([[1, -0.0], [2, 0], [3, 4]], np.float16))
    x, w, y = file.tensor((1, 2)), file.tensor((3, 2)), file.tensor((1, 3))
    file.operator("DEQUANTIZE", [stored], w)
    file.operator("FULLY_CONNECTED", [x, w, -1], y, schema.FullyConnectedOptionsT())
    file.sign({"x": x}, {"y": y})
    found = inspected(file, tmp_path)
    assert (found.weight_bytes, found.kernel_zeros, found.macs) == ((("float16", 12),), 2, 6)


def test_a_sparse_kernel_counts_what_it_leaves_out_as_zeros(tmp_path: Path) -> None:
    file = File()
    file.tensor((2, 4), np.array([1, 2, 0], np.float32), sparsity=schema.SparsityParametersT())
    found = inspected(file, tmp_path)
    assert (found.parameters, found.kernel_zeros, found.weight_bytes) == (8, 6, (("sparse", 12),))


MATRICES = {
    # operator: shapes of its inputs (None: left out), of its output, options, multiply-accumulates
    "CONV_2D": ([(1, 9, 9, 4), (8, 3, 3, 4), (8,)], (1, 7, 7, 8), None, 7 * 7 * 8 * 3 * 3 * 4),
    "DEPTHWISE_CONV_2D": ([(1, 9, 9, 4), (1, 3, 3, 8), (8,)], (1, 7, 7, 8), None, 7 * 7 * 8 * 3 * 3),
    "CONV_3D": ([(1, 5, 5, 5, 2), (3, 3, 3, 2, 6)], (1, 3, 3, 3, 6), None, 27 * 6 * 27 * 2),
    "TRANSPOSE_CONV": ([(4,), (8, 2, 2, 4), (1, 5, 5, 4)], (1, 10, 10, 8), None, 5 * 5 * 4 * 8 * 2 * 2),
    "CONV_3D_TRANSPOSE": ([(5,), (2, 2, 2, 8, 4), (1, 5, 5, 5, 4)], (1, 10, 10, 10, 8), None, 125 * 4 * 8 * 8),
    "FULLY_CONNECTED": ([(1, 12), (5, 12), None], (1, 5), None, 60),
    "BATCH_MATMUL": ([(1, 3, 6, 7), (1, 3, 7, 2)], (1, 3, 6, 2), False, 3 * 6 * 2 * 7),
    "BATCH_MATMUL transposed": ([(1, 3, 7, 6), (1, 3, 7, 2)], (1, 3, 6, 2), True, 3 * 6 * 2 * 7),
    "MAX_POOL_2D": ([(1, 8, 8, 4)], (1, 4, 4, 4), None, 0),
}


@pytest.mark.parametrize("case", MATRICES)
def test_multiply_accumulates_follow_the_layout_of_each_operator(case: str, tmp_path: Path) -> None:
    inputs, output, adjoint, wanted = MATRICES[case]
    file, options = File(), None
    places = [-1 if shape is None else file.tensor(shape) for shape in inputs]
    if adjoint is not None:
        options = schema.BatchMatMulOptionsT()
        options.adjX = adjoint
    file.operator(case.partition(" ")[0], places, file.tensor(output), options)
    assert inspected(file, tmp_path).macs == wanted


def test_an_lstm_meets_each_of_its_matrices_at_each_step(tmp_path: Path) -> None:
    file = File()
    gates = [file.tensor((16, 6)) for _ in range(4)] + [file.tensor((16, 16)) for _ in range(4)]
    states = [file.tensor((1, 16), isVariable=True) for _ in range(2)]
    biases = [file.tensor((16,)) for _ in range(4)]
    inputs = [file.tensor((1, 12, 6)), *gates, -1, -1, -1, *biases, -1, -1, *states]
    file.operator("UNIDIRECTIONAL_SEQUENCE_LSTM", inputs, file.tensor((1, 12, 16)))
    assert inspected(file, tmp_path).macs == 12 * 4 * 16 * (6 + 16)


def test_a_custom_operator_is_a_finding_and_makes_the_work_unknown(tmp_path: Path) -> None:
    file = dense(np.ones((3, 2), np.float32))
    file.operator("CUSTOM", [0], file.tensor((1, 2)), custom="FlexErf")
    file.operator("CUSTOM", [0], file.tensor((1, 2)), custom="MyOwn")
    found = inspected(file, tmp_path)
    assert dict(found.operators) == {"FULLY_CONNECTED": 1, "FlexErf": 1, "MyOwn": 1}
    assert found.macs is None
    assert "FlexErf" in found.macs_reason
    flex, own = found.findings
    assert flex == "the operator FlexErf is TensorFlow's own: the app must ship the Flex delegate, many megabytes"
    assert own == "the operator MyOwn is a custom one: it runs only where the app registers it"


def test_sizes_known_at_run_time_only_make_the_work_unknown_but_not_the_batch(tmp_path: Path) -> None:
    def convolved(signature: list[int]) -> Structure:
        file = File()
        x = file.tensor((1, 1, 9, 4), shapeSignature=np.array(signature, np.int32))
        file.operator("CONV_2D", [x, file.tensor((8, 1, 3, 4))], file.tensor((1, 1, 7, 8)))
        return inspected(file, tmp_path)

    assert convolved([-1, 1, 9, 4]).macs == 7 * 8 * 3 * 4
    assert "CONV_2D" in convolved([1, -1, 9, 4]).macs_reason


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    content = dense(np.ones((3, 2), np.float32)).bytes()
    path = tmp_path / "cut.tflite"
    for length in range(0, len(content), 7):
        path.write_bytes(content[:length])
        with pytest.raises(UnreadableModel, match=r"is no .*\.?tflite"):
            read(path)


def test_damaged_bytes_are_refused_or_read_and_nothing_else_happens(tmp_path: Path) -> None:
    content, refused = dense(np.ones((3, 2), np.float32)).bytes(), 0
    for seed in range(400):
        chance = random.Random(seed)
        damaged = bytearray(content)
        for _ in range(4):
            damaged[chance.randrange(8, len(damaged))] = chance.choice([0, 1, 127, 128, 255])
        try:
            inspected(bytes(damaged), tmp_path)
        except UnreadableModel:
            refused += 1
    assert refused > 100


def test_one_table_shown_a_million_times_is_refused_at_once(tmp_path: Path) -> None:
    """Every subgraph of the file is the same: of few bytes, and endless to read."""
    file = File()
    for _ in range(3000):
        file.tensor((1, 1))
    content = bytearray(file.bytes())
    root = struct.unpack_from("<I", content)[0]
    vtable = root - struct.unpack_from("<i", content, root)[0]
    field = root + struct.unpack_from("<H", content, vtable + 4 + 2 * 2)[0]  # the third field: subgraphs
    vector = field + struct.unpack_from("<I", content, field)[0]
    graph = vector + 4 + struct.unpack_from("<I", content, vector + 4)[0]
    count = 100_000
    begin = (len(content) + 3) // 4 * 4
    content = content.ljust(begin, b"\0")
    moved = begin + 4 + 4 * count  # offsets go forward only: the graph's table goes behind the vector
    shift = moved - graph
    size = begin - graph
    struct.pack_into("<I", content, field, begin - field)
    content += struct.pack("<I", count) + b"".join(struct.pack("<I", moved - (begin + 4 + 4 * i)) for i in range(count))
    content += content[graph : graph + size]
    struct.pack_into("<i", content, moved, struct.unpack_from("<i", content, graph)[0] + shift)
    with pytest.raises(UnreadableModel, match="says more than a file of its size can hold"):
        inspected(bytes(content), tmp_path)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda file: setattr(file.graph.tensors[1], "shape", np.array([30, 2], np.int32)), "stores 24 bytes where"),
        (lambda file: setattr(file.graph.operators[0], "opcodeIndex", 7), "refers to the 7th of 1"),
        (lambda file: setattr(file.graph.operators[0], "inputs", np.array([0, 9], np.int32)), "refers to the 9th of 3"),
        (lambda file: setattr(file.graph.tensors[1], "buffer", 5), "refers to the 5th of 2"),
        (lambda file: setattr(file.graph.tensors[1], "shape", np.array([-3, 2], np.int32)), "a size is negative"),
        (lambda file: setattr(file.model, "subgraphs", []), "holds no graph"),
        (lambda file: setattr(file.graph.operators[0], "inputs", np.array([0], np.int32)), "lacks operands"),
    ],
)
def test_what_contradicts_itself_is_refused(spoil: Any, told: str, tmp_path: Path) -> None:
    file = dense(np.ones((3, 2), np.float32))
    spoil(file)
    with pytest.raises(UnreadableModel, match=told):
        inspected(file, tmp_path)


@pytest.mark.parametrize(("zero_points", "axis"), [([1, 2, 3], 2), ([1, 2, 3], -3), ([1, 2, 3], 1), ([1, 2], 0)])
def test_zero_points_that_do_not_lie_along_an_axis_are_refused(
    zero_points: list[int], axis: int, tmp_path: Path
) -> None:
    file = dense(np.ones((3, 2), np.int8), quantization=quantization(zero_points, axis))
    with pytest.raises(UnreadableModel, match=rf"has {len(zero_points)} zero points along its axis {axis}: "):
        inspected(file, tmp_path)


def test_another_kind_of_file_is_named_as_such(tmp_path: Path) -> None:
    with pytest.raises(UnreadableModel, match=r"is no \.tflite: it does not begin like one"):
        inspected(b"PK\x03\x04" + bytes(60), tmp_path)
