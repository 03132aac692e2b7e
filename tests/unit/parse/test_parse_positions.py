"""Key paths lead to the right line, column and length, however the TOML is written."""

from __future__ import annotations

import pytest

from deployspec.diagnostics import At, KeyPath
from deployspec.parse.positions import Positions

TEXT = '''top = 1
[model]
name = "digits"   # a comment
shape = ["batch", 1,
         [8, 8]]
inline = { a = 1, "b c" = { d = 2 } }

[[model.inputs]]
name = "first"
[[model.inputs]]
name = "second"
[model.inputs.more]
x = 1

[targets."über phone".budgets]
field.accuracy_drop = "< 3 pp"
'three' = """
text
"""
[[targets.a.passes]]
pass = "x"
'''


@pytest.mark.parametrize(
    ("path", "at", "place"),
    [
        (("top",), At.KEY, (1, 1, 3)),
        (("top",), At.VALUE, (1, 7, 1)),
        (("model",), At.KEY, (2, 2, 5)),
        (("model", "name"), At.VALUE, (3, 8, 8)),
        (("model", "shape", 1), At.VALUE, (4, 19, 1)),
        (("model", "shape", 2, 1), At.VALUE, (5, 14, 1)),
        (("model", "shape"), At.VALUE, (4, 9, 12)),
        (("model", "inline", "b c"), At.KEY, (6, 19, 5)),
        (("model", "inline", "b c", "d"), At.VALUE, (6, 33, 1)),
        (("model", "inputs", 0, "name"), At.VALUE, (9, 8, 7)),
        (("model", "inputs", 1, "name"), At.VALUE, (11, 8, 8)),
        (("model", "inputs", 1), At.KEY, (10, 3, 12)),
        (("model", "inputs", 1, "more", "x"), At.KEY, (13, 1, 1)),
        (("targets", "über phone"), At.KEY, (15, 10, 12)),
        (("targets", "über phone", "budgets", "field", "accuracy_drop"), At.KEY, (16, 7, 13)),
        (("targets", "über phone", "budgets", "three"), At.VALUE, (17, 11, 3)),
        (("targets", "a", "passes", 0, "pass"), At.VALUE, (21, 8, 3)),
    ],
)
def test_a_path_has_a_place(path: KeyPath, at: At, place: tuple[int, int, int]) -> None:
    found = Positions(TEXT).find(path, at)
    assert found is not None
    assert (found.line, found.column, found.length) == place


def test_what_the_text_lacks_is_shown_at_its_parent() -> None:
    positions = Positions(TEXT)
    assert positions.find(("model", "source"), At.KEY) == positions.find(("model",), At.KEY)
    assert positions.find(("nowhere",), At.KEY) is None


def test_line_ends_of_another_system_do_not_shift_columns() -> None:
    found = Positions('a = 1\r\nb = "ü" \r\n').find(("b",), At.VALUE)
    assert found is not None
    assert (found.line, found.column, found.length) == (2, 5, 3)
