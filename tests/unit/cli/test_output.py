"""What commands write appears whole under its name, or not at all."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from deployspec.cli.output import write_whole
from deployspec.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_new_file_gets_the_mode_that_the_user_wants(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_whole(tmp_path / "new", b"content")
    finally:
        os.umask(before)
    assert (tmp_path / "new").read_bytes() == b"content"
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640


def test_an_old_file_keeps_its_mode_and_its_links(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"a longer content")
    (tmp_path / "old").chmod(0o600)
    (tmp_path / "link").symlink_to("old")
    write_whole(tmp_path / "link", b"content")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "old").read_bytes() == b"content"
    assert stat.S_IMODE((tmp_path / "old").stat().st_mode) == 0o600


def test_a_link_to_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(UsageError, match="symbolic links"):
        write_whole(tmp_path / "loop", b"content")
    assert [path.name for path in tmp_path.iterdir()] == ["loop"]


def test_a_pipe_is_written_to() -> None:
    program = (
        "from pathlib import Path; from deployspec.cli.output import write_whole as w; w(Path('/dev/stdout'), b'x')"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout == b"x"


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file or directory"):
        write_whole(tmp_path / "absent" / "file", b"content")
    with pytest.raises(UsageError, match="Is a directory"):
        write_whole(tmp_path, b"content")
    assert list(tmp_path.iterdir()) == []
