"""What other people's code wrote is copied: nothing that it left running, or laid there, reaches the copy."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from deployspec.digests import sha256_path
from deployspec.errors import DigestMismatch
from deployspec.lanes.taking import take

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    (folder / "inner" / "empty").mkdir(parents=True)
    (folder / "inner" / "a.bin").write_bytes(b"a" * 3_000_000)
    return folder


def test_a_copy_has_the_digest_of_its_source_and_its_empty_folders(source: Path, tmp_path: Path) -> None:
    take(source, tmp_path / "target")
    assert sha256_path(tmp_path / "target") == sha256_path(source)
    assert (tmp_path / "target" / "inner" / "empty").is_dir()


def test_a_file_that_somebody_holds_open_is_another_one(source: Path, tmp_path: Path) -> None:
    with (source / "inner" / "a.bin").open("r+b") as held:
        take(source, tmp_path / "target")
        held.write(b"forged")
    assert (tmp_path / "target" / "inner" / "a.bin").read_bytes() == b"a" * 3_000_000


@pytest.mark.parametrize("place", ["link", "inner/link"])
def test_no_link_is_followed(place: str, source: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key.pem").write_text("key")
    (source / place).symlink_to(tmp_path / "secret")
    (source / "key").symlink_to(tmp_path / "secret" / "key.pem")
    take(source, tmp_path / "target")
    assert (tmp_path / "target" / place).is_symlink()
    assert (tmp_path / "target" / "key").is_symlink()
    with pytest.raises(DigestMismatch, match="it is a link"):
        sha256_path(tmp_path / "target")


def test_a_folder_that_is_a_link_is_not_taken(source: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(source)
    with pytest.raises(OSError, match="link"):
        take(tmp_path / "link", tmp_path / "target")


def test_what_is_no_file_is_refused_and_not_waited_for(source: Path, tmp_path: Path) -> None:
    os.mkfifo(source / "pipe")
    with pytest.raises(DigestMismatch, match="'pipe' is neither a file nor a folder"):
        take(source, tmp_path / "target")
