"""Paths stay inside the project and lead to regular files and folders."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from deployspec.parse import paths
from deployspec.parse.faults import Faults

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "specs").mkdir(parents=True)
    (folder / "data").mkdir()
    (folder / "data" / "test.npz").touch()
    return folder


def check(project: Path, text: str) -> str:
    """The fault's message, empty where the path is accepted."""
    faults = Faults(project / "specs" / "spec.toml")
    found = paths.check_path(text, project / "specs", project.resolve(), ("data", "test"), faults)
    assert (found is None) == bool(faults.found)
    return faults.found[0].message if faults.found else ""


@pytest.mark.parametrize("text", ["test.npz", "../data/test.npz", "../data", "../data/../specs/new.npz", "ü b.npz"])
def test_inside_the_project(project: Path, text: str) -> None:
    assert check(project, text) == ""


@pytest.mark.parametrize("text", ["/etc/passwd", "C:\\x.npz", "C:x.npz", "\\\\host\\share"])
def test_absolute_paths(project: Path, text: str) -> None:
    assert "is an absolute path" in check(project, text)


@pytest.mark.parametrize("text", ["../../x.npz", "../../project-b/x.npz", "a/../../../x"])
def test_paths_that_lead_out(project: Path, text: str) -> None:
    assert "leads out of the project" in check(project, text)


@pytest.mark.parametrize("text", ["a\0b", "a\nb", " ", "x" * 5000])
def test_what_no_system_can_open(project: Path, text: str) -> None:
    assert check(project, text)


def test_links_may_lead_inside_and_not_out(project: Path) -> None:
    (project / "specs" / "in.npz").symlink_to(project / "data" / "test.npz")
    (project / "specs" / "out.npz").symlink_to("/etc/passwd")
    (project / "specs" / "folder").symlink_to("/etc")
    assert check(project, "in.npz") == ""
    assert "'out.npz' is a link that leads out of the project" in check(project, "out.npz")
    assert "'folder/passwd' leads out of the project" in check(project, "folder/passwd")


def test_a_path_that_leads_out_is_told_as_written_with_the_project_and_why_it_is_the_project(project: Path) -> None:
    told = "'../../x.npz' leads out of the project, the folder 'project' "
    own = "(the spec's own, as no .git or pyproject.toml lies above it)"
    assert check(project, "../../x.npz") == told + own
    for marker in ("pyproject.toml", ".git"):
        (project / marker).touch()
        assert check(project, "../../x.npz") == told + f"(which holds {marker})"


def test_a_loop_of_links(project: Path) -> None:
    (project / "specs" / "loop").symlink_to(project / "specs" / "loop")
    assert "loop of links" in check(project, "loop")


def test_special_files(project: Path) -> None:
    os.mkfifo(project / "specs" / "pipe")
    assert check(project, "pipe") == "'pipe' is neither a regular file nor a folder"


def test_the_project_is_the_git_work_tree_that_holds_the_spec(project: Path) -> None:
    spec = project / "specs" / "spec.toml"
    assert paths.project_root(spec) == (project / "specs").resolve()
    (project / ".git").touch()
    assert paths.project_root(spec) == project.resolve()


def test_a_callable_is_not_part_of_the_path() -> None:
    assert paths.file_part("a/b.py:build") == "a/b.py"
    assert paths.file_part("a/b.npz") == "a/b.npz"
    assert paths.file_part("C:\\b.npz") == "C:\\b.npz"


def test_an_unpacked_archive_of_a_python_project_is_a_project(tmp_path: Path) -> None:
    (tmp_path / "specs").mkdir()
    spec = tmp_path / "specs" / "spec.toml"
    assert paths.project_root(spec) == spec.parent
    (tmp_path / "pyproject.toml").touch()
    assert paths.project_root(spec) == tmp_path


def test_a_work_tree_outranks_a_python_project_inside_it(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "pyproject.toml").touch()
    assert paths.project_root(tmp_path / "model" / "spec.toml") == tmp_path
