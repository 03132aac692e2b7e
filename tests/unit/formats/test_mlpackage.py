"""Reading .mlpackages: what is in them, and what a damaged or hostile one is told."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from mlprograms import Body, InBlob, Name, Op, Typed, blob_of, save, save_model

from deployspec.errors import ExitCode
from deployspec.formats.mlpackage import DType, TensorType, UnreadableModel, open_package, proto, tensor_type

if TYPE_CHECKING:
    from pathlib import Path

X = {"x": ("fp32", (4,))}
ADD = Op("add", {"x": Name("x"), "y": np.ones(4, "f4")}, {"out": ("fp32", (4,))})


def constant_of(package: Path) -> Any:
    """The `y` of the program's first operator."""
    opened = open_package(package)
    function = opened.program.functions["main"]
    operation = function.block_specializations[function.opset].operations[0]
    return opened.decode(operation.inputs["y"].arguments[0].value)


def with_constant(folder: Path, value: Any, blob: bytes = b"") -> Path:
    return save(folder, Body([Op("add", {"x": Name("x"), "y": value}, {"out": ("fp32", (4,))})], ["out"], X), blob=blob)


def in_blob(folder: Path, dtype: str, shape: tuple[int, ...], blob: bytes) -> Path:
    return with_constant(folder, InBlob(64, dtype, shape), blob)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.array([[1.5, -2]], "f4"), [[1.5, -2]]),
        (np.array([0.5, 3], "f2"), [0.5, 3]),
        (np.array([True, False]), [True, False]),
        (np.array([-3, 7], "i1"), [-3, 7]),
        (np.array([65535], "u2"), [65535]),
        (Typed([-8, 7, -1], "int4"), [-8, 7, -1]),
        (Typed([1, 0, 1, 1, 0, 0, 0, 1, 1], "uint1"), [1, 0, 1, 1, 0, 0, 0, 1, 1]),
        (Typed([5, 2, 7], "uint3"), [5, 2, 7]),
        (Typed([63, 0, 33], "uint6"), [63, 0, 33]),
    ],
)
def test_inline_constants_of_every_width_are_decoded(tmp_path: Path, value: Any, expected: Any) -> None:
    assert constant_of(with_constant(tmp_path, value)).tolist() == expected


def test_a_scalar_stays_a_scalar(tmp_path: Path) -> None:
    assert constant_of(with_constant(tmp_path, np.float32(2.5))).shape == ()


@pytest.mark.parametrize(
    ("dtype", "packed", "padding", "expected"),
    [
        ("fp32", np.array([1, -2], "<f4").tobytes(), 0, [1, -2]),
        ("fp16", np.array([1, -2], "<f2").tobytes(), 0, [1, -2]),
        ("int8", b"\xff\x02", 0, [-1, 2]),
        ("int4", b"\x8f\x07", 4, [-1, -8, 7]),
        ("uint6", bytes([0b01_000001, 0b0000_0010, 0b1111_1100]), 0, [1, 9, 0, 63]),
        ("uint1", b"\x05", 5, [1, 0, 1]),
    ],
)
def test_weights_are_read_from_the_blob(
    tmp_path: Path, dtype: str, packed: bytes, padding: int, expected: list[int]
) -> None:
    blob = blob_of(dtype, packed, padding)
    assert constant_of(in_blob(tmp_path, dtype, (len(expected),), blob)).tolist() == expected


def test_the_padding_field_of_whole_bytes_is_ignored_since_old_files_leave_it_uninitialised(tmp_path: Path) -> None:
    assert constant_of(in_blob(tmp_path, "int8", (1,), blob_of("int8", b"\x07", 0xABCDEF))).tolist() == [7]


@pytest.mark.parametrize(
    ("blob", "why"),
    [
        (b"", "the package lacks it"),
        (b"\0" * 10, "too few for a weight file"),
        (struct.pack("<II", 1, 1).ljust(128, b"\0"), "version 2 are read, this one says 1"),
        (blob_of("fp32", b"\0" * 16)[:100], "cut short"),
        (blob_of("fp32", b"\0" * 16)[:-1], "it was cut short"),
        (blob_of("fp16", b"\0" * 16), "the program says fp32"),
        (blob_of("fp32", b"\0" * 12), r"shape \[4\] holds 3 elements"),
        (blob_of("fp32", b"\0" * 15), "no whole number of fp32"),
        (struct.pack("<II", 1, 2).ljust(192, b"\0"), "there is no entry at byte 64"),
        (blob_of("fp32", b"\0" * 16)[:68] + b"\x63" + blob_of("fp32", b"\0" * 16)[69:], "unknown element type 99"),
    ],
)
def test_a_damaged_weight_file_is_told_apart(tmp_path: Path, blob: bytes, why: str) -> None:
    with pytest.raises(UnreadableModel, match=why):
        constant_of(in_blob(tmp_path, "fp32", (4,), blob))


def test_a_huge_size_in_the_metadata_reads_nothing_beyond_the_file(tmp_path: Path) -> None:
    metadata = struct.pack("<IIQQQ", 0xDEADBEEF, 2, 2**64 - 1, 2**64 - 1, 0).ljust(64, b"\0")
    blob = struct.pack("<II", 1, 2).ljust(64, b"\0") + metadata
    with pytest.raises(UnreadableModel, match="cut short"):
        constant_of(in_blob(tmp_path, "fp32", (4,), blob))


@pytest.mark.parametrize("offset", [0, 63, 2**40])
def test_an_offset_outside_the_weight_file_is_refused(tmp_path: Path, offset: int) -> None:
    package = with_constant(tmp_path, InBlob(offset, "fp32", (4,)), blob_of("fp32", b"\0" * 16))
    with pytest.raises(UnreadableModel, match=f"no entry can lie at byte {offset}"):
        constant_of(package)


@pytest.mark.parametrize("name", ["@model_path/../../../../etc/passwd", "@model_path/weights/link"])
def test_a_weight_file_outside_the_package_is_refused(tmp_path: Path, name: str) -> None:
    package = in_blob(tmp_path / "p", "fp32", (4,), blob_of("fp32", b"\0" * 16))
    (package / "Data/com.apple.CoreML/weights/link").symlink_to("/etc/passwd")
    with pytest.raises(UnreadableModel, match="leads out of the package"):
        open_package(package).blob(name)


def test_a_manifest_that_leads_out_of_the_package_is_refused(tmp_path: Path) -> None:
    (tmp_path / "outside.mlmodel").write_bytes(b"x")
    package = save(tmp_path / "p", Body([ADD], ["out"], X))
    manifest = {"itemInfoEntries": {"A": {"path": "../../outside.mlmodel"}}, "rootModelIdentifier": "A"}
    (package / "Manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(UnreadableModel, match="leads out of the package"):
        open_package(package)


@pytest.mark.parametrize(
    ("manifest", "why"),
    [(None, "no Manifest.json"), ("{", "names no root model"), ("[]", "names no root model"), ("{}", "KeyError")],
)
def test_a_package_without_a_root_model_says_so(tmp_path: Path, manifest: str | None, why: str) -> None:
    if manifest is not None:
        (tmp_path / "Manifest.json").write_text(manifest)
    with pytest.raises(UnreadableModel, match=why):
        open_package(tmp_path)


def test_a_truncated_model_is_told_to_be_copied_again(tmp_path: Path) -> None:
    package = save(tmp_path, Body([ADD], ["out"], X))
    model = package / "Data/com.apple.CoreML/model.mlmodel"
    model.write_bytes(model.read_bytes()[:-20])
    with pytest.raises(UnreadableModel, match=r"cut short"):
        open_package(package)


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("neuralNetwork", "legacy neural network.*convert_to='mlprogram'"),
        ("neuralNetworkClassifier", "legacy neural network"),
        ("pipeline", "pipeline of several models.*one by one"),
        ("serializedModel", "encrypted"),
        ("treeEnsembleRegressor", "kind treeEnsembleRegressor, not an ML Program"),
    ],
)
def test_another_kind_of_model_is_named_with_what_to_do(tmp_path: Path, kind: str, why: str) -> None:
    model = proto().Model_pb2.Model(specificationVersion=4)
    getattr(model, kind).SetInParent()
    with pytest.raises(UnreadableModel, match=why):
        _ = open_package(save_model(tmp_path, model)).program


@pytest.mark.parametrize(
    ("folder", "why"), [("metadata", "a compiled model"), ("encryptionInfo", "an encrypted, comp")]
)
def test_a_compiled_model_asks_for_its_package(tmp_path: Path, folder: str, why: str) -> None:
    (tmp_path / "m.mlmodelc" / folder).mkdir(parents=True)
    with pytest.raises(UnreadableModel, match=f"{why}.*give the .mlpackage"):
        open_package(tmp_path / "m.mlmodelc")


def test_a_specification_of_tomorrow_is_refused(tmp_path: Path) -> None:
    package = save(tmp_path, Body([ADD], ["out"], X), opset=23)
    with pytest.raises(UnreadableModel, match="specification version 24 is not known"):
        _ = open_package(package).program


def test_a_missing_file_says_why(tmp_path: Path) -> None:
    with pytest.raises(UnreadableModel, match="No such file") as raised:
        open_package(tmp_path / "none.mlmodel")
    assert raised.value.exit_code is ExitCode.FAULTY


def test_a_constant_whose_elements_do_not_fill_its_shape_is_refused(tmp_path: Path) -> None:
    package = open_package(save(tmp_path, Body([ADD], ["out"], X)))
    operation = package.program.functions["main"].block_specializations["CoreML8"].operations[0]
    value = operation.inputs["y"].arguments[0].value
    value.type.tensorType.dimensions[0].constant.size = 2**62
    with pytest.raises(UnreadableModel, match="holds 4 elements"):
        package.decode(value)


def test_types_of_states_and_unknown_sizes() -> None:
    value_type = proto().MIL_pb2.ValueType()
    wrapped = value_type.stateType.wrappedType.tensorType
    wrapped.dataType, wrapped.rank = proto().MIL_pb2.DataType.Value("FLOAT16"), 2
    wrapped.dimensions.add().constant.size = 3
    wrapped.dimensions.add().unknown.variadic = False
    assert tensor_type(value_type) == TensorType(DType.FP16, (3, None))


def test_an_eight_bit_float_is_not_read() -> None:
    value_type = proto().MIL_pb2.ValueType()
    value_type.tensorType.dataType = proto().MIL_pb2.DataType.Value("FLOAT8E5M2")
    with pytest.raises(UnreadableModel, match="FLOAT8E5M2 is in no released operator set"):
        tensor_type(value_type)


def test_reading_a_package_imports_nothing_heavy_and_leaves_no_trace(tmp_path: Path) -> None:
    package = save(tmp_path, Body([ADD], ["out"], X))
    code = f"""
import sys
from pathlib import Path
from deployspec.formats.mlpackage import open_package
open_package(Path({str(package)!r})).program
heavy = {{"coremltools", "torch", "tensorflow", "sklearn"}} & {{each.partition(".")[0] for each in sys.modules}}
sys.exit(f"imported {{heavy}}" if heavy else 0)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
