"""What LiteRT tells of how it divides a file's operators between XNNPACK and its own kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from tflite_files import File, dense, left_over

from deployspec.runners.tflite_delegate import load

if TYPE_CHECKING:
    from pathlib import Path


def told(file: File, tmp_path: Path) -> dict[str, Any]:
    path = tmp_path / "net.tflite"
    path.write_bytes(file.bytes())
    facts: dict[str, Any] = load(str(path), {}).facts
    return facts


def test_of_what_xnnpack_takes_whole_nothing_is_left(tmp_path: Path) -> None:
    assert told(dense(np.ones((3, 2), np.float32)), tmp_path) == {"undelegated": {}, "findings": []}


def test_what_it_leaves_is_counted_and_named(tmp_path: Path) -> None:
    found = told(left_over(), tmp_path)
    assert found["undelegated"] == {"FLOOR_MOD": 1}
    assert found["findings"] == ["operators that XNNPACK leaves to slower kernels: FLOOR_MOD (1)"]


def test_a_file_that_does_not_load_has_no_count_but_a_reason(tmp_path: Path) -> None:
    file = dense(np.ones((3, 2), np.float32))
    file.operator("CUSTOM", [0], file.tensor((1, 2)), custom="MyOwn")
    found = told(file, tmp_path)
    assert found["undelegated"] is None
    (refused,) = found["findings"]
    assert refused.startswith("LiteRT does not load the file: ")
