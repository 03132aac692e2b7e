"""The output folder: an earlier report never passes for a new one, and nothing that is not ours is replaced."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sample_reports import passing

from deployspec.digests import sha256_file
from deployspec.errors import DigestMismatch, UsageError
from deployspec.ir.report import Digest
from deployspec.report.files import set_aside, write_report

if TYPE_CHECKING:
    from pathlib import Path

    from deployspec.ir.report import TargetReport


@pytest.fixture
def built(tmp_path: Path) -> tuple[TargetReport, Path]:
    artifact = tmp_path / "model.tflite"
    artifact.write_bytes(b"weights")
    target = replace(passing().targets[0], artifact=Digest(name=artifact.name, sha256=sha256_file(artifact)))
    return target, artifact


def test_a_report_lies_beside_copies_of_what_it_names(tmp_path: Path, built: tuple[TargetReport, Path]) -> None:
    out = tmp_path / "out"
    assert write_report(out, b"{}", [built]) == out / "report.dsse.json"
    assert (out / "artifacts" / built[0].name / "model.tflite").read_bytes() == b"weights"
    assert {path.name for path in out.iterdir()} == {"report.dsse.json", "artifacts"}


def test_a_new_check_takes_the_place_of_an_earlier_one(tmp_path: Path, built: tuple[TargetReport, Path]) -> None:
    out = tmp_path / "out"
    write_report(out, b"earlier", [built])
    set_aside(out)
    assert not (out / "report.dsse.json").exists()
    assert (out / "report.previous.dsse.json").read_bytes() == b"earlier"
    write_report(out, b"new", [])
    assert (out / "report.dsse.json").read_bytes() == b"new"
    assert [path.name for path in (out / "artifacts").iterdir()] == [".deployspec"]


def test_a_folder_that_no_check_made_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "artifacts").mkdir()
    (tmp_path / "artifacts" / "mine.bin").write_bytes(b"precious")
    with pytest.raises(UsageError, match=r"artifacts was not made by deployspec .* choose another folder with --out"):
        set_aside(tmp_path)
    assert (tmp_path / "artifacts" / "mine.bin").read_bytes() == b"precious"


def test_an_artifact_that_changed_is_not_published(tmp_path: Path, built: tuple[TargetReport, Path]) -> None:
    built[1].write_bytes(b"other weights")
    with pytest.raises(DigestMismatch, match="changed between judging and copying"):
        write_report(tmp_path / "out", b"{}", [built])
    assert list((tmp_path / "out").iterdir()) == []
