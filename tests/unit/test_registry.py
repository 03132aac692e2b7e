"""Plug-ins of other distributions are found and checked like our own, and two of one name are refused."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from deployspec import registry
from deployspec.registry import Family

if TYPE_CHECKING:
    from pathlib import Path

PLUGIN = """
from dataclasses import dataclass
from typing import ClassVar, Literal
from deployspec.ir.plan import TORCH_MODULE, Lowering, Runner, Toolchain

TOOLS = Toolchain(name="mine")

@dataclass(frozen=True, kw_only=True)
class Mine:
    name: ClassVar[str] = "mine"
    form: ClassVar[str] = "mine"
    mode: Literal["fast", "small"] = "fast"

    def lowerings(self):
        return (Lowering(name="float32", takes=TORCH_MODULE, gives="mine", function="mine:lower", toolchain=TOOLS,
                         tolerance=0.1),)

    def runner(self):
        return Runner(script="mine", toolchain=TOOLS)
"""

SPEC = """
deployspec = 1
[model]
name = "m"
source = "m.py:build"
[[model.inputs]]
name = "x"
shape = [1]
[budgets]
size = "< 1 MB"
[targets.t]
format = "mine"
mode = "{mode}"
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder on the import path that holds an installed distribution with one target."""
    folder = tmp_path / "site"
    install(folder, "first", "mine = mine:Mine")
    (folder / "mine.py").write_text(PLUGIN)
    (tmp_path / "m.py").write_text("")
    return folder


def install(site: Path, name: str, entry: str) -> None:
    info = site / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[deployspec.targets]\n{entry}\n")


def validate(site: Path, mode: str = "small") -> subprocess.CompletedProcess[str]:
    spec = site.parent / "spec.toml"
    spec.write_text(SPEC.format(mode=mode))
    return subprocess.run(
        [sys.executable, "-c", "from deployspec.cli import main; main()", "validate", spec],
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_target_of_another_distribution_is_found(site: Path) -> None:
    ran = validate(site)
    assert ran.returncode == 0, ran.stderr
    assert "valid, 1 target, 1 budget" in ran.stdout


def test_its_options_are_checked(site: Path) -> None:
    ran = validate(site, mode="smal")
    assert ran.returncode == 2
    assert "perhaps you meant 'small'" in ran.stderr


def test_two_of_one_name_are_refused(site: Path) -> None:
    install(site, "second", "mine = other:Mine")
    ran = validate(site)
    assert ran.returncode == 2
    assert "two plug-ins are called 'mine'" in ran.stderr


def test_a_built_in_name_cannot_be_taken(site: Path) -> None:
    install(site, "second", "tflite = other:Mine")
    ran = validate(site)
    assert ran.returncode == 2
    assert "two plug-ins are called 'tflite'" in ran.stderr


def test_what_nobody_provides() -> None:
    assert registry.find(Family.TARGETS, "nothing") is None
    with pytest.raises(KeyError):
        registry.load(Family.TARGETS, "nothing")


@pytest.mark.parametrize("family", Family)
def test_what_is_planned_is_not_there_yet(family: Family) -> None:
    assert set(registry.PLANNED[family]).isdisjoint(registry.names(family))


@pytest.mark.parametrize("name", registry.names(Family.TARGETS))
def test_a_target_is_called_what_it_is_registered_as(name: str) -> None:
    assert registry.load(Family.TARGETS, name).name == name
