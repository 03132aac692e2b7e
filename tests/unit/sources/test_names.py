"""Names of a Python file: found without running it, and no name is denied that running it would make."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deployspec.sources.names import functions, top_level_names

if TYPE_CHECKING:
    from pathlib import Path

CODE = """\
raise OSError("it was run")
import torch.nn as nn, os.path
from zoo import resnet as build
if os:
    def small(): ...
else:
    class Large: ...
try:
    tiny = lambda inside: (here := inside)
except ValueError:
    a, (b, *c) = 1, (2, 3)
def outer(argument):
    global made
    made = local = 1
    def inner(): ...
class Net:
    attribute = 1
def _hidden(): ...
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "model.py").write_text(CODE)
    return tmp_path / "model.py"


def test_everything_that_the_module_binds_is_a_name_of_its_own(file: Path) -> None:
    bound = {"nn", "os", "build", "small", "Large", "tiny", "a", "b", "c", "outer", "made", "Net", "_hidden"}
    assert top_level_names(file) == bound


def test_functions_and_classes_are_listed_in_their_order(file: Path) -> None:
    assert functions(file) == ["outer", "Net"]


@pytest.mark.parametrize(
    "line", ["from zoo import *", "def __getattr__(name): ...", "globals()['build'] = 1", "exec('build = 1')", "def ("]
)
def test_where_reading_does_not_tell_nothing_is_denied(file: Path, line: str) -> None:
    file.write_text(CODE + line)
    assert top_level_names(file) is None


def test_a_long_expression_is_read_too(file: Path) -> None:
    file.write_text("x = " + " + ".join(["1"] * 900))
    assert top_level_names(file) == {"x"}
