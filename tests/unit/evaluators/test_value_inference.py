"""Operator by operator against a second implementation: coremltools' own numpy, with which it folds constants."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from nets import convert, settled

from deployspec.evaluators.mlprogram import Mode, load
from deployspec.formats.mlpackage import proto

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

MODEL = "Data/com.apple.CoreML/model.mlmodel"

COMPARED = {
    "cnn": 5,
    "mobilenet-v2": 11,
    "mobilenet-v3": 35,
    "unet": 6,
    "encoder": 28,
    "sdpa-encoder": 25,
    "bilstm": 4,
    "gru": 5,
}
"""How many operators of each net coremltools can compute; it has no numpy for convolutions, pools and recurrence."""


@pytest.mark.parametrize("family", COMPARED)
def test_every_operator_gives_what_coremltools_computes_for_it(coremltools: Any, tmp_path: Path, family: str) -> None:
    net, example = settled(family)
    precision = {"compute_precision": coremltools.precision.FLOAT32}
    package = convert(coremltools, net, example, tmp_path / "m.mlpackage", **precision)
    program = typed(package)
    show_everything(package)
    values = load(package, mode=Mode.DECLARED)(x=example.numpy())
    know(program, values | {"x": example.numpy()})

    compared = list(inferred(program))
    assert len(compared) == COMPARED[family]
    for op, expected in compared:
        for output, value in zip(op.outputs, expected, strict=True):
            assert agree(values[output.name], np.asarray(value)), f"{op.op_type} '{op.name}'"


def typed(package: Path) -> Any:
    """The `main` function of a package in coremltools' own representation."""
    from coremltools.converters.mil.frontend.milproto.load import load as read

    spec = proto().Model_pb2.Model.FromString((package / MODEL).read_bytes())
    return read(spec, spec.specificationVersion, str((package / MODEL).parent / "weights")).functions["main"]


def show_everything(package: Path) -> None:
    """Make every computed value an output of the package."""
    spec = proto().Model_pb2.Model.FromString((package / MODEL).read_bytes())
    function = spec.mlProgram.functions["main"]
    block = function.block_specializations[function.opset]
    names = [output.name for op in block.operations if op.type != "const" for output in op.outputs]
    block.outputs[:] = names
    (package / MODEL).write_bytes(spec.SerializeToString())


def know(program: Any, values: dict[str, np.ndarray]) -> None:
    """Tell coremltools the value of each variable; its flags become Python's, which numpy takes as `keepdims`."""
    for op in program.operations:
        for each in op.outputs:
            if each.name in values:
                each._sym_val = SimpleNamespace(val=values[each.name])
            elif isinstance(each.val, np.bool_):
                each._sym_val = SimpleNamespace(val=bool(each.val))
    for each in program.inputs.values():
        each._sym_val = SimpleNamespace(val=values[each.name])


def inferred(program: Any) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """The operators that coremltools computes, each with the values that it gives."""
    for op in program.operations:
        if op.op_type == "const":
            continue
        try:
            found = op.value_inference()
        except NotImplementedError:
            continue
        found = found if isinstance(found, tuple | list) else (found,)
        if all(each is not None for each in found):
            yield op, tuple(found)


def agree(value: np.ndarray, expected: np.ndarray) -> bool:
    """Equal; numbers with a point to within the rounding of float32."""
    if value.shape != expected.shape or value.dtype.kind != expected.dtype.kind:
        return False
    if value.dtype.kind != "f":
        return bool(np.array_equal(value, expected))
    return bool(np.abs(value - expected).max() <= 1e-5 * np.abs(expected).max())
