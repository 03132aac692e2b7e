"""What is in a .pte, read from its bytes: counts that follow from the network, and damaged files refused."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from executorch_project import TARGETS, Built, built

from deployspec.errors import UnreadableModel
from deployspec.formats.executorch import inspect
from deployspec.parse import parse_spec

if TYPE_CHECKING:
    from pathlib import Path

    from deployspec.ir.model import Model

MATRICES = 20 * 8 + 8 * 3 * 9 + 8 * 9 + 8 * 4 * 4 + 584 * 64 + 64 * 3 + 64 * 1
BIASES = 8 + 8 + 4 + 64 + 3 + 1
MACS = 6 * 6 * 8 * 3 * 9 + 6 * 6 * 8 * 9 + 6 * 6 * 8 * 4 * 4 + 584 * 64 + 64 * 3 + 64
"""Convolution, depthwise convolution, transposed convolution, linear layers; looking up words multiplies nothing."""


@pytest.fixture(scope="module")
def project() -> Built:
    return built()


@pytest.fixture(scope="module")
def model(project: Built) -> Model:
    return parse_spec(project.folder / "spec.toml").model


@pytest.mark.parametrize("target", TARGETS)
def test_its_ends_are_named_and_typed(project: Built, target: str) -> None:
    structure = project.structure(target)
    batch = -1 if target == "batched" else 1
    assert [(end.name, end.shape, end.dtype) for end in (*structure.inputs, *structure.outputs)] == [
        ("tokens", (batch, 5), "int64"),
        ("image", (batch, 3, 8, 8), "float32"),
        ("topic", (batch, 3), "float32"),
        ("age", (batch, 1), "float32"),
    ]


@pytest.mark.parametrize("target", TARGETS)
def test_its_weights_and_its_work_are_those_of_the_network(project: Built, target: str) -> None:
    structure = project.structure(target)
    assert structure.kernel_elements == MATRICES
    assert structure.parameters == MATRICES + BIASES
    assert structure.macs == MACS
    assert 0 <= structure.kernel_zeros < MATRICES / 20


def test_the_bytes_of_its_weights_are_told_by_type(project: Built) -> None:
    assert dict(project.structure("float32").weight_bytes) == {"float32": 4 * (MATRICES + BIASES)}
    quantized = dict(project.structure("int8").weight_bytes)
    assert quantized == {"int8": MATRICES - 20 * 8, "int32": 4 * BIASES, "float32": 4 * 20 * 8}


@pytest.mark.parametrize("target", TARGETS)
def test_what_xnnpack_does_not_take_is_counted_and_found(project: Built, target: str) -> None:
    structure = project.structure(target)
    undelegated = dict(structure.undelegated or ())
    assert undelegated["aten::atan.out"] == 1
    assert undelegated["aten::embedding.out"] == 1
    assert not [name for name in undelegated if "conv" in name or "addmm" in name]
    assert [line for line in structure.findings if "aten::atan.out (1)" in line]
    assert dict(structure.operators)["XNNFullyConnected"] == 3


def test_a_truncated_program_is_refused(project: Built, model: Model, tmp_path: Path) -> None:
    content = project.artifact("float32").read_bytes()
    for length in (0, 7, 40, 500, 4000, len(content) // 2, len(content) - 1):
        (tmp_path / "cut.pte").write_bytes(content[:length])
        with pytest.raises(UnreadableModel, match=r"^cut\.pte: .*cut short"):
            inspect(tmp_path / "cut.pte", model)


def test_a_damaged_program_is_read_or_refused_and_nothing_else(project: Built, model: Model, tmp_path: Path) -> None:
    content, generator, refused = project.artifact("int8").read_bytes(), np.random.default_rng(0), 0
    for position in generator.integers(40, 9000, 400):
        damaged = bytearray(content)
        value = generator.choice([b"\xff\xff\xff\x7f", b"\x01\x00\x00\x00", generator.bytes(4)])
        damaged[position : position + len(value)] = value
        (tmp_path / "damaged.pte").write_bytes(damaged)
        try:
            inspect(tmp_path / "damaged.pte", model)
        except UnreadableModel:
            refused += 1
    assert 20 < refused < 400


def test_a_constant_that_lies_elsewhere_is_refused(project: Built, model: Model, tmp_path: Path) -> None:
    content = project.artifact("float32").read_bytes()
    first = content.index(b"XH00")
    key = next(part for part in content[first:].split(b"\0") if len(part) == 64)
    (tmp_path / "other.pte").write_bytes(content[:first] + content[first:].replace(key, b"0" * 64))
    with pytest.raises(UnreadableModel, match="outside of the file"):
        inspect(tmp_path / "other.pte", model)


def test_no_framework_is_imported(project: Built) -> None:
    """Nor are the packages of executorch: its folder alone is looked up."""
    code = (
        "import sys; from pathlib import Path; from deployspec.formats.executorch import inspect;"
        "from deployspec.parse import parse_spec; inspect(Path(sys.argv[1]), parse_spec(Path(sys.argv[2])).model);"
        "print(*{name.partition('.')[0] for name in sys.modules} & {'torch', 'executorch', 'flatbuffers'})"
    )
    files = [str(project.artifact("float32")), str(project.folder / "spec.toml")]
    ran = subprocess.run([sys.executable, "-c", code, *files], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == []
