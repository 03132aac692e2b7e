"""Which operators of a program the conformance suite covers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from mlprograms import Body, Name, Op, save

from deployspec.evaluators.mlprogram import conformance, load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BOX = {
    "roi": np.array([0, 0, 1, 1], "f4").reshape(1, 1, 4, 1, 1),
    "target_height": 2,
    "target_width": 2,
}


def cropping(folder: Path, opset: int) -> Path:
    crop = Op("crop_resize", {"x": Name("x"), **BOX}, {"crop": ("fp32", (1, 1, 1, 2, 2))})
    twice = Op("add", {"x": Name("crop"), "y": Name("crop")}, {"y": ("fp32", (1, 1, 1, 2, 2))})
    return save(folder / "m.mlpackage", Body([crop, twice], ["y"], {"x": ("fp32", (1, 1, 4, 4))}), opset=opset)


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The file of what matched, one that this test writes."""
    monkeypatch.setattr(conformance, "_FOUND", tmp_path / "conformance.json")
    conformance._matched.cache_clear()
    yield tmp_path / "conformance.json"
    conformance._matched.cache_clear()


@pytest.mark.parametrize(
    ("operators", "uncovered"),
    [
        ({"add": {"5": {"match": 1}}, "crop_resize": {"6": {"match": 1}}}, ()),
        ({"add": {"5": {"match": 1}}}, ("crop_resize",)),
        ({"add": {"8": {"match": 1}}, "crop_resize": {"7": {"match": 1}}}, ("crop_resize",)),
        ({"add": {"5": {"unsupported": 1, "skipped": 2}}, "crop_resize": {"5": {"match": 1}}}, ("add",)),
        ({}, ("add", "crop_resize")),
    ],
    ids=["matching", "without-a-case", "of-another-meaning", "without-a-match", "nothing-covered"],
)
def test_a_program_names_the_operators_that_no_matching_case_covers(
    operators: dict[str, object], uncovered: tuple[str, ...], found: Path, tmp_path: Path
) -> None:
    found.write_text(json.dumps({"operators": operators}))
    assert load(cropping(tmp_path, opset=5)).uncovered() == uncovered


def test_what_everyone_uses_is_covered(tmp_path: Path) -> None:
    assert load(cropping(tmp_path, opset=6)).uncovered() == ()
