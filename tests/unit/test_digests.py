"""Digests: what identifies a file or a folder, and what is refused an identity."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from deployspec import digests
from deployspec.errors import DigestMismatch


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A folder artifact whose names sort differently as text and as bytes, with a hidden file and an empty folder."""
    folder = tmp_path / "model.mlpackage"
    for name, content in {"Data/weights.bin": "w", "Data.json": "{}", "Data/a b": "", ".hidden": "h", "é": "e"}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    (folder / "empty").mkdir()
    return folder


def test_sha256sum_accepts_the_manifest(package: Path) -> None:
    manifest = digests.manifest(package)
    names = [line.split(b"  ", 1)[1] for line in manifest.splitlines()]
    assert names == sorted(names)
    assert len(names) == 5
    subprocess.run(["sha256sum", "--check", "--strict", "-"], cwd=package, input=manifest, check=True)


def test_a_folder_is_named_by_its_manifest_and_a_file_by_its_bytes(package: Path) -> None:
    assert digests.sha256_path(package) == hashlib.sha256(digests.manifest(package)).hexdigest()
    assert digests.sha256_artifact(package, folder=True) == digests.sha256_path(package)
    file = package / "Data.json"
    expected = hashlib.sha256(b"{}").hexdigest()
    assert (
        digests.sha256_path(file)
        == digests.sha256_artifact(file, folder=False)
        == digests.sha256_file(file)
        == expected
    )


def test_every_change_changes_the_digest(package: Path) -> None:
    seen = {digests.sha256_path(package)}
    (package / "Data.json").write_text("[]")
    seen.add(digests.sha256_path(package))
    (package / "Data.json").rename(package / "data.json")
    seen.add(digests.sha256_path(package))
    (package / "new").write_bytes(b"")
    seen.add(digests.sha256_path(package))
    assert len(seen) == 4


@pytest.mark.parametrize("name", ["a\nb", "a\\b", "a\tb", "a\rb", b"\xff".decode(errors="surrogateescape")])
def test_names_that_a_manifest_cannot_hold_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("x")
    with pytest.raises(DigestMismatch, match="rename it"):
        digests.manifest(tmp_path)


def test_names_that_differ_by_case_only_are_refused(tmp_path: Path) -> None:
    (tmp_path / "weights").write_text("x")
    (tmp_path / "Weights").write_text("x")
    with pytest.raises(DigestMismatch, match="differ by case only"):
        digests.manifest(tmp_path)


def test_links_are_refused(package: Path) -> None:
    (package / "link").symlink_to("Data.json")
    with pytest.raises(DigestMismatch, match="'link' cannot be read: it is a link"):
        digests.manifest(package)
    with pytest.raises(DigestMismatch, match="is a link"):
        digests.sha256_artifact(package / "link", folder=False)


def test_a_link_to_a_folder_is_refused(package: Path, tmp_path: Path) -> None:
    (tmp_path / "other").symlink_to(package)
    with pytest.raises(DigestMismatch, match="'other' is not a folder"):
        digests.sha256_artifact(tmp_path / "other", folder=True)
    (package / "up").symlink_to("..")
    with pytest.raises(DigestMismatch, match="is a link"):
        digests.manifest(package)


def test_special_files_are_refused_and_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DigestMismatch, match="special file"):
        digests.sha256_artifact(tmp_path / "pipe", folder=False)
    with pytest.raises(DigestMismatch, match="special file"):
        digests.manifest(tmp_path)
    with pytest.raises(DigestMismatch, match="special file"):
        digests.sha256_artifact(Path("/dev/null"), folder=False)


def test_a_missing_artifact_is_said(tmp_path: Path) -> None:
    with pytest.raises(DigestMismatch, match="'absent' cannot be read: No such file"):
        digests.sha256_artifact(tmp_path / "absent", folder=False)


def test_a_file_is_no_folder_and_a_folder_no_file(package: Path) -> None:
    with pytest.raises(DigestMismatch, match=r"'Data\.json' is not a folder"):
        digests.sha256_artifact(package / "Data.json", folder=True)
    with pytest.raises(DigestMismatch, match=r"'model\.mlpackage' is a folder or a special file"):
        digests.sha256_artifact(package, folder=False)


def test_the_manifest_beside_a_folder_must_be_its_own(package: Path) -> None:
    beside = package.with_name("model.mlpackage.sha256")
    beside.write_bytes(digests.manifest(package))
    assert digests.sha256_artifact(package, folder=True) == digests.sha256_file(beside)
    beside.write_bytes(beside.read_bytes() + b"\n")
    with pytest.raises(DigestMismatch, match=r"'model\.mlpackage\.sha256' is not the manifest of"):
        digests.sha256_artifact(package, folder=True)
    beside.unlink()
    beside.symlink_to(package / "Data.json")
    with pytest.raises(DigestMismatch, match="is a link"):
        digests.sha256_artifact(package, folder=True)


def test_json_digest_does_not_depend_on_the_order_of_keys() -> None:
    assert digests.sha256_json({"a": 1, "b": [2]}) == digests.sha256_json({"b": [2], "a": 1})
    assert digests.sha256_json({"a": 1}) != digests.sha256_json({"a": "1"})


def test_size_is_the_sum_of_the_regular_files(package: Path) -> None:
    assert digests.size_bytes(package) == 5
    assert digests.size_bytes(package / "Data.json") == 2
