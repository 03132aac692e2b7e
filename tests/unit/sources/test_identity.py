"""What a run starts from, by digest: a callable is every project file that it imports, read and never run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from projects import SPEC, Project, write_project

from deployspec.errors import SourceFault
from deployspec.parse import parse_spec
from deployspec.sources.identity import imported_distributions, imported_files, installed, origins

if TYPE_CHECKING:
    from pathlib import Path


def write(root: Path, **files: str) -> None:
    """Files by their path, with `__` for a slash and `INIT` for `__init__`."""
    for name, text in files.items():
        path = root / (name.replace("__", "/").replace("INIT", "__init__") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def found(root: Path, entry: str = "main.py") -> list[str]:
    return [path.relative_to(root).as_posix() for path in imported_files(root / entry, root)]


@pytest.mark.parametrize(
    "line",
    ["import a", "import a as b", "from a import thing", "def f():\n    import a", "if False:\n    from a import *",
     "try:\n    import a\nexcept ImportError:\n    a = None", "class C:\n    def f(self):\n        import a"],
)  # fmt: skip
def test_an_import_is_found_wherever_it_stands(tmp_path: Path, line: str) -> None:
    write(tmp_path, main=line, a="", b="")
    assert found(tmp_path) == ["a.py", "main.py"]


def test_what_an_import_imports_belongs_to_it(tmp_path: Path) -> None:
    write(tmp_path, main="import a", a="import b", b="import c", c="", unrelated="")
    assert found(tmp_path) == ["a.py", "b.py", "c.py", "main.py"]


def test_modules_that_import_each_other_are_found_once(tmp_path: Path) -> None:
    write(tmp_path, main="import a", a="import b", b="import a, main")
    assert found(tmp_path) == ["a.py", "b.py", "main.py"]


def test_a_module_in_a_package_brings_the_packages(tmp_path: Path) -> None:
    write(tmp_path, main="import p.q.m", p__INIT="", p__q__INIT="import extra", p__q__m="", p__other="", extra="")
    assert found(tmp_path) == ["extra.py", "main.py", "p/__init__.py", "p/q/__init__.py", "p/q/m.py"]


def test_names_of_a_package_may_be_modules_or_not(tmp_path: Path) -> None:
    write(tmp_path, main="from p import m, VALUE", p__INIT="VALUE = 1", p__m="", p__n="")
    assert found(tmp_path) == ["main.py", "p/__init__.py", "p/m.py"]


def test_relative_imports_start_from_their_own_folder(tmp_path: Path) -> None:
    write(
        tmp_path, main="import p.q.m", p__INIT="", p__q__INIT="", p__q__m="from . import near\nfrom ..far import x",
        p__q__near="from .deep import y", p__q__deep="", p__far="", near="", far="",
    )  # fmt: skip
    assert found(tmp_path) == [
        "main.py", "p/__init__.py", "p/far.py", "p/q/__init__.py", "p/q/deep.py", "p/q/m.py", "p/q/near.py"
    ]  # fmt: skip


def test_a_project_that_is_installed_in_place_is_found_where_python_finds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, models__main="from own_layers.deep import x\nimport own_helper", src__own_layers__INIT="",
          src__own_layers__deep="import own_helper", src__own_helper="")  # fmt: skip
    assert found(tmp_path, "models/main.py") == ["models/main.py"]
    monkeypatch.syspath_prepend(tmp_path / "src")
    assert found(tmp_path, "models/main.py") == [
        "models/main.py", "src/own_helper.py", "src/own_layers/__init__.py", "src/own_layers/deep.py"
    ]  # fmt: skip


def test_an_environment_inside_the_project_is_no_part_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packages = tmp_path / ".venv" / "site-packages"
    write(tmp_path, main="import foreign")
    write(packages, foreign="")
    monkeypatch.syspath_prepend(packages)
    assert found(tmp_path) == [".venv/site-packages/foreign.py", "main.py"]
    monkeypatch.setattr("sysconfig.get_path", lambda _: str(packages))
    assert found(tmp_path) == ["main.py"]


def test_a_file_that_hides_a_standard_module_counts(tmp_path: Path) -> None:
    write(tmp_path, main="import queue, json", queue="")
    assert found(tmp_path) == ["main.py", "queue.py"]


def test_the_distributions_that_the_code_imports_are_named_with_their_versions(tmp_path: Path) -> None:
    write(
        tmp_path, main="import os, numpy.linalg, sklearn\nimport near, not_installed", near="from safetensors import x"
    )
    named = dict(imported_distributions([tmp_path / "main.py", tmp_path / "near.py", tmp_path / "w.safetensors"]))
    assert list(named) == ["numpy", "safetensors", "scikit-learn"]
    assert named["numpy"] == np.__version__


def test_another_version_of_what_the_code_imports_is_another_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = parse_spec(write_project(tmp_path).spec)
    before = origins(spec)["model"]
    monkeypatch.setattr("importlib.metadata.version", lambda _: "999.0")
    after = origins(spec)["model"]
    assert (before.files, before.entry) == (after.files, after.entry)
    assert before.sha256 != after.sha256


def test_distributions_and_files_outside_the_project_are_left_out(tmp_path: Path) -> None:
    root = tmp_path / "project"
    write(root, main="import numpy, torch, os.path, outside")
    write(tmp_path, outside="")
    (root / "outside.py").symlink_to(tmp_path / "outside.py")
    assert found(root) == ["main.py"]


def test_a_folder_without_init_is_a_package_too(tmp_path: Path) -> None:
    write(tmp_path, main="from p.m import x", p__m="")
    assert found(tmp_path) == ["main.py", "p/m.py"]


def test_a_relative_import_beyond_the_file_system_ends_nowhere(tmp_path: Path) -> None:
    write(tmp_path, main=f"from {'.' * 50}a import b")
    assert found(tmp_path) == ["main.py"]


@pytest.mark.parametrize("text", ["def broken(:", "x = 1\0"])
def test_a_file_that_is_no_python_is_a_fault_of_the_source(tmp_path: Path, text: str) -> None:
    write(tmp_path, main="import a", a=text)
    with pytest.raises(SourceFault, match=r"a\.py is not Python that can be read"):
        found(tmp_path)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = write_project(tmp_path / "project", SPEC.replace('source = "net.py:build"', 'source = "net.py:build"'))
    made.write("net.py", "def build():\n    from helper import width\n    return width\n")
    made.write("helper.py", "width = 4\n")
    return made


def digest(project: Project, name: str) -> str:
    return origins(parse_spec(project.spec))[name].sha256


def test_a_changed_helper_changes_the_model_and_nothing_else(project: Project) -> None:
    model, data = digest(project, "model"), digest(project, "data:test")
    project.write("helper.py", "width = 5\n")
    assert digest(project, "model") != model
    assert digest(project, "data:test") == data


def test_a_file_that_nobody_imports_changes_nothing(project: Project) -> None:
    before = digest(project, "model")
    project.write("unrelated.py", "x = 1\n")
    assert digest(project, "model") == before


def test_another_callable_of_the_same_file_is_another_model(project: Project) -> None:
    project.write("net.py", "def build(): ...\ndef other(): ...\n")
    before = digest(project, "model")
    project.edit(("net.py:build", "net.py:other"))
    assert digest(project, "model") != before


def test_the_digest_does_not_depend_on_where_the_project_lies(project: Project, tmp_path: Path) -> None:
    before = digest(project, "model"), digest(project, "data:test")
    project.folder.rename(tmp_path / "elsewhere")
    moved = Project(tmp_path / "elsewhere")
    assert (digest(moved, "model"), digest(moved, "data:test")) == before


def test_data_is_identified_by_its_bytes(project: Project) -> None:
    before = digest(project, "data:test")
    project.save("test.npz", x=np.zeros((60, 4), np.float32), y=np.arange(60) % 3)
    assert digest(project, "data:test") != before


def test_weights_that_are_missing_are_a_fault_of_the_source(project: Project) -> None:
    project.edit(('source = "net.py:build"', 'source = "net.py:build"\nweights = "net.safetensors"'))
    project.write("net.safetensors", "")
    spec = parse_spec(project.spec)
    (project.folder / "net.safetensors").unlink()
    with pytest.raises(SourceFault, match=r"net\.safetensors does not exist"):
        origins(spec)


def test_of_two_names_for_a_distribution_the_installed_one_counts() -> None:
    assert installed("no-such-thing|numpy") == ("numpy", np.__version__)
    assert installed("no-such-thing|nor-this") == ("no-such-thing", None)
