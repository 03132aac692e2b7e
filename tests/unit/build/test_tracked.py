"""A store that came with a repository is refused: somebody may have committed figures with it."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from deployspec.build.tracked import refuse_tracked
from deployspec.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import World


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)


def test_a_store_in_a_repository_is_used_until_it_is_part_of_it(world: World) -> None:
    above, root = world.store.root.parent, world.store.root
    git(above, "init")
    world.build(world.write("a"))
    world.build(world.write("a"))
    git(above, "add", "--force", str(root))
    with pytest.raises(StoreError, match=r"came with the repository, which tracks '.*': its figures would be"):
        world.build(world.write("a"))
    git(above, "rm", "-r", "--cached", str(root))
    assert world.build(world.write("a"))["a"].cached


def test_what_a_repository_is_set_up_with_is_not_run(world: World) -> None:
    world.build(world.write("a"))
    above = world.store.root.parent
    git(above, "init")
    (above / "run").write_text(f"#!/bin/sh\ntouch '{above}/marker'\n")
    (above / "run").chmod(0o755)
    git(above, "config", "core.fsmonitor", str(above / "run"))
    world.build(world.write("a"))
    assert not (above / "marker").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a folder away")
def test_a_repository_of_somebody_else_is_asked_too(world: World) -> None:
    above, root = world.store.root.parent, world.store.root
    world.build(world.write("a"))
    git(above, "init")
    git(above, "add", "--force", str(root))
    for folder in (above, above / ".git", root):
        os.chown(folder, 12345, 12345)
    with pytest.raises(StoreError, match="came with the repository"):
        refuse_tracked(root)


def test_a_repository_is_found_around_where_a_link_leads(
    world: World, tmp_path_factory: pytest.TempPathFactory
) -> None:
    world.build(world.write("a"))
    above, root = world.store.root.parent, world.store.root
    git(above, "init")
    git(above, "add", "--force", str(root))
    link = tmp_path_factory.mktemp("elsewhere") / "store"
    link.symlink_to(root)
    with pytest.raises(StoreError, match="came with the repository"):
        refuse_tracked(link)
