"""The output folder: an earlier report never passes for a new one, and nothing that is not ours is replaced."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sample_reports import passing

from deployspec.digests import sha256_file, sha256_path
from deployspec.errors import DigestMismatch, UsageError
from deployspec.ir.report import Digest
from deployspec.report.files import set_aside, token_file, token_files, write_report
from deployspec.report.statement import subjects

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
    (out / "report.html").write_text("its page")
    set_aside(out)
    assert not (out / "report.dsse.json").exists()
    assert not (out / "report.html").exists()
    assert (out / "report.previous.dsse.json").read_bytes() == b"earlier"
    write_report(out, b"new", [])
    assert (out / "report.dsse.json").read_bytes() == b"new"
    assert not (out / "artifacts").exists()  # nothing was built, so that nothing ships


def test_a_signed_report_is_never_replaced_and_its_place_is_told(tmp_path: Path) -> None:
    first, second, third = (tmp_path / f"report.previous{number}.dsse.json" for number in ("", ".2", ".3"))
    report = tmp_path / "report.dsse.json"
    for number, kept in enumerate((first, second), 1):
        report.write_text(f'{{"payload": "{number}", "signatures": [{{}}]}}')
        token_file(report, 1).write_text(str(number))
        assert set_aside(tmp_path) == kept
    for content in ('{"signatures": []}', '{"signatures": [], "payload": ""}'):
        report.write_text(content)
        assert set_aside(tmp_path) is None
    assert [f'"{number}"' in place.read_text() for number, place in enumerate((first, second), 1)] == [True, True]
    assert [token_files(place)[1].read_text() for place in (first, second)] == ["1", "2"]
    assert third.read_text() == content
    assert set_aside(tmp_path) is None  # there is none any more


def test_timestamps_go_with_the_report_that_they_are_of(tmp_path: Path) -> None:
    for name in ("report.dsse.json", "report.previous.dsse.json"):
        (tmp_path / name).write_bytes(b"{}")
        token_file(tmp_path / name, 1).write_text(name)
    token_file(tmp_path / "report.previous.dsse.json", 2).write_text("older")
    mine = tmp_path / "report.dsse.json.copy.tsr"
    mine.write_text("no number")
    set_aside(tmp_path)
    assert token_files(tmp_path / "report.dsse.json") == {}
    ((number, moved),) = token_files(tmp_path / "report.previous.dsse.json").items()
    assert (number, moved.name, moved.read_text()) == (1, "report.previous.dsse.json.1.tsr", "report.dsse.json")
    assert mine.exists()


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


def test_beside_a_folder_lies_its_manifest(tmp_path: Path) -> None:
    package = tmp_path / "digits.mlpackage"
    (package / "Data").mkdir(parents=True)
    (package / "Manifest.json").write_text("{}")
    (package / "Data" / "weight.bin").write_bytes(b"weights")
    artifact = Digest(name=package.name, sha256=sha256_path(package))
    target = replace(passing().targets[0], artifact=artifact, folder=True)
    write_report(tmp_path / "out", b"{}", [(target, package)])
    beside = tmp_path / "out" / "artifacts" / target.name / "digits.mlpackage.sha256"
    (subject,) = subjects(replace(passing(), targets=(target,)))
    assert (subject.name, subject.sha256) == (f"{target.name}/{beside.name}", sha256_file(beside))
    command = ["sha256sum", "--check", "--strict", "--quiet", "../digits.mlpackage.sha256"]
    assert subprocess.run(command, cwd=beside.with_suffix(""), check=False).returncode == 0
    (beside.with_suffix("") / "Manifest.json").write_text("[]")
    assert subprocess.run(command, cwd=beside.with_suffix(""), check=False, capture_output=True).returncode == 1
