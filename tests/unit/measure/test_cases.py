"""The few inputs on which an artifact must be stable: all legal, and all the edges that there are."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployspec.ir.artifact import Job
from deployspec.ir.model import Input, Model
from deployspec.measure.cases import NAMES, prepare_cases

if TYPE_CHECKING:
    from pathlib import Path

WIDE = st.floats(-(2.0**126), 2.0**126, width=32)
REST = [
    "zeros", "the middle of the range", "denormals", "both ends of the range in turn",
    "both ends of the range at random", "values from the whole range", "a sample",
]  # fmt: skip


def cases(folder: Path, *inputs: Input, **splits: list[np.ndarray]) -> tuple[dict[str, list[np.ndarray]], list[str]]:
    """Each case by its name, and the remarks."""
    out = folder / "out"
    out.mkdir()
    for split, arrays in splits.items():
        (folder / split).mkdir()
        for i, array in enumerate(arrays):
            np.save(folder / split / f"{i}.npy", array)
    model = Model(name="m", source="m.py:f", inputs=inputs)
    job = Job(inputs={split: folder / split for split in splits}, out=out, options={}, model=model)
    facts = prepare_cases(job)
    names = json.loads((out / NAMES).read_text())
    columns = [np.load(out / f"{i}.npy") for i in range(len(inputs))]
    assert [column.dtype for column in columns] == [each.dtype for each in inputs]
    assert {len(column) for column in columns} == {len(names)} == {facts["samples"]}
    return dict(zip(names, map(list, zip(*columns, strict=True)), strict=True)), facts["remarks"]


def x(**more: Any) -> Input:
    return Input(**({"name": "x", "shape": ("batch", 2, 3), "range": (-1.0, 1.0)} | more))


def test_every_edge_of_a_declared_range_is_there(tmp_path: Path) -> None:
    found, remarks = cases(tmp_path, x(range=(-1.0, 3.0)))
    assert list(found) == ["x all -1", "x all 3", *REST]
    assert remarks == []
    assert (found["x all -1"][0] == -1).all()
    assert (found["x all 3"][0] == 3).all()
    assert not found["zeros"][0].any()
    assert (found["the middle of the range"][0] == 1).all()
    assert found["both ends of the range in turn"][0].ravel().tolist() == [-1, 3, -1, 3, -1, 3]
    assert set(found["both ends of the range at random"][0].ravel()) == {-1, 3}
    assert np.ptp(found["values from the whole range"][0]) > 0.5


def test_denormals_are_below_the_smallest_normal_number_and_not_zero(tmp_path: Path) -> None:
    found, _ = cases(tmp_path, x(), x(name="half", dtype="float16"), x(name="below", range=(-2.0, 0.0)))
    for values in found["denormals"]:
        tiny = np.finfo(values.dtype).tiny
        assert ((np.abs(values) > 0) & (np.abs(values) < tiny)).all()
        assert len(set(values.ravel().tolist())) == 2
    assert (found["denormals"][2] < 0).all(), "the positive ones are not legal"


def test_what_is_not_legal_is_not_tried(tmp_path: Path) -> None:
    found, _ = cases(tmp_path, x(range=(0.5, 1.0)))
    assert "zeros" not in found
    assert min(values[0].min() for values in found.values()) >= 0.5


def test_a_case_that_equals_an_earlier_one_is_tried_once(tmp_path: Path) -> None:
    found, _ = cases(tmp_path, x())
    assert "the middle of the range" not in found, "it is zeros"


def test_corners_of_several_inputs_are_all_their_combinations(tmp_path: Path) -> None:
    found, _ = cases(tmp_path, x(), x(name="z", range=(0.0, 5.0)))
    ends = [(values[0].flat[0], values[1].flat[0]) for values in list(found.values())[:4]]
    assert ends == list(itertools.product((-1, 1), (0, 5)))
    assert list(found)[1] == "x all -1, z all 5"


def test_corners_of_many_inputs_are_some_of_their_combinations(tmp_path: Path) -> None:
    found, _ = cases(tmp_path, *(x(name=f"i{i}", range=(0.0, 1.0 + i)) for i in range(6)))
    corners = [name for name in found if name.startswith("i0 all")]
    assert len(corners) == 2 + 6
    assert "i0 all 0, i1 all 0, i2 all 3, i3 all 0, i4 all 0, i5 all 0" in corners


def test_integers_go_to_their_legal_extremes(tmp_path: Path) -> None:
    declared = [x(name="token", dtype="int64", range=(0.5, 99.5)), x(name="byte", dtype="uint8", range=(-9.0, 999.0))]
    found, _ = cases(tmp_path, *declared)
    tokens, bytes_ = (np.stack([values[i] for values in found.values()]) for i in range(2))
    assert (tokens.min(), tokens.max()) == (1, 99)
    assert (bytes_.min(), bytes_.max()) == (0, 255)


def test_the_largest_integers_do_not_wrap_around(tmp_path: Path) -> None:
    found, _ = cases(tmp_path, x(dtype="int64", range=(0.0, 1e30)), calibration=[np.ones((1, 2, 3), np.int64)])
    assert min(values[0].min() for values in found.values()) == 0
    assert max(values[0].max() for values in found.values()) > 2**62


def test_what_the_dtype_cannot_hold_is_not_tried(tmp_path: Path) -> None:
    found, _ = cases(tmp_path, x(dtype="float16", range=(-1e6, 1e6)), calibration=[np.ones((1, 2, 3), np.float16)])
    assert all(np.isfinite(values[0]).all() for values in found.values())
    assert max(values[0].max() for values in found.values()) == np.finfo(np.float16).max


@pytest.mark.parametrize(("splits", "whose"), [(("calibration", "test"), "calibration"), (("test",), "test")])
def test_without_a_declared_range_that_of_a_split_is_taken_and_said(
    tmp_path: Path, splits: tuple[str, ...], whose: str
) -> None:
    rows = {"calibration": np.float32([[[-7, 2, 0]] * 2]), "test": np.float32([[[-3, 4, 0]] * 2])}
    found, remarks = cases(tmp_path, x(range=None), **{split: [rows[split]] for split in splits})
    low, high = (-7, 2) if whose == "calibration" else (-3, 4)
    assert list(found)[:2] == [f"x all {low}", f"x all {high}"]
    assert remarks == [f"input 'x' declares no range: that of the {whose} split was taken, {low} to {high}"]


def test_without_any_split_the_probes_range_is_taken_and_said(tmp_path: Path) -> None:
    _, (remark,) = cases(tmp_path, x(range=None))
    assert "that of the inputs that the contract draws was taken" in remark


def test_flags_need_no_range(tmp_path: Path) -> None:
    found, remarks = cases(tmp_path, x(dtype="bool", range=None))
    assert remarks == []
    assert found["x all 0"][0].any() is np.False_
    assert found["x all 1"][0].all()


def test_the_sample_is_the_contracts_first(tmp_path: Path) -> None:
    rows = np.linspace(-1, 1, 12, dtype=np.float32).reshape(2, 2, 3)
    found, _ = cases(tmp_path, x(), calibration=[rows])
    np.testing.assert_array_equal(found["a sample"][0], rows[0])


@settings(deadline=None)
@given(ends=st.tuples(WIDE, WIDE).filter(lambda ends: ends[0] < ends[1]))
def test_no_case_leaves_the_range(tmp_path_factory: pytest.TempPathFactory, ends: tuple[float, float]) -> None:
    found, _ = cases(tmp_path_factory.mktemp("cases"), x(range=ends))
    low, high = np.float32(ends[0]), np.float32(ends[1])
    assert all(((low <= values[0]) & (values[0] <= high)).all() for values in found.values())
