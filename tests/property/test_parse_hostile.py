"""Whatever the text, parsing ends soon in a Spec or in located faults, and what it accepts the schema accepts."""

from __future__ import annotations

import json
import shutil
from copy import deepcopy
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import tomli
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deployspec.errors import SpecFaults
from deployspec.parse import parse_spec, render
from deployspec.parse.schema import json_schema

FULL = Path(__file__).parents[1] / "golden" / "full"
TEXT = (FULL / "spec.toml").read_text()
TREE = tomli.loads(TEXT, parse_float=Decimal)
SCHEMA = jsonschema.Draft7Validator(json_schema())

quick = settings(max_examples=150, deadline=2000, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shutil.copytree(FULL, tmp_path_factory.mktemp("hostile") / "full")


def parses(folder: Path, data: bytes) -> bool:
    """Whether the spec is accepted. Faults must be there to see, and each way of writing them must hold."""
    spec = folder / "spec.toml"
    spec.write_bytes(data)
    try:
        parse_spec(spec)
    except SpecFaults as error:
        faults = error.faults
    else:
        return True
    assert render.render(faults).startswith("error[")
    assert json.dumps(render.as_objects(faults), allow_nan=False)
    assert render.as_github(faults).startswith("::error ")
    return False


@quick
@given(st.text())
def test_any_text_is_refused_with_its_faults(folder: Path, text: str) -> None:
    assert not parses(folder, text.encode(errors="surrogatepass"))


@quick
@given(st.binary())
def test_any_bytes_behind_a_version_are_refused_with_their_faults(folder: Path, data: bytes) -> None:
    assert not parses(folder, b"deployspec = 1\n" + data)


@quick
@given(st.integers(0, len(TEXT)), st.integers(0, 30), st.text(max_size=12) | st.sampled_from('[{"\n='))
def test_a_good_spec_with_a_hole_or_a_patch(folder: Path, start: int, length: int, patch: str) -> None:
    parses(folder, (TEXT[:start] + patch + TEXT[start + length :]).encode(errors="surrogatepass"))


def toml(value: Any) -> str:
    """A value as inline TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f") if "." in format(value, "f") else f"{value:f}.0"
    return json.dumps(value)


def paths(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [here, *(path for key, each in items for path in paths(each, (*here, key)))]


WORDS = [
    "", "*", "size", "int8", "tflite", "< 1 MB", ">= 90 %", "< 2 pp", "point", "device", "digits.py:b", "../x",
    "90 d", "\0",
]  # fmt: skip
GONE = object()
"""Not a value: the key is taken away."""

values = st.just(GONE) | st.recursive(
    st.sampled_from(WORDS) | st.text(st.characters(codec="utf-8"), max_size=5) | st.booleans() | st.integers(-2, 2000)
    | st.decimals(-2, 2, places=3) | st.dates() | st.datetimes() | st.times(),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from([*WORDS, "good", "limit", "pass"]), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@quick
@given(st.lists(st.tuples(st.sampled_from(paths(TREE)[1:]), values), min_size=0, max_size=3))
def test_a_good_spec_with_values_replaced(folder: Path, changes: list[tuple[tuple[Any, ...], Any]]) -> None:
    tree = deepcopy(TREE)
    for path, value in changes:
        node: Any = tree
        try:
            for key in path[:-1]:
                node = node[key]
            if value is GONE:
                del node[path[-1]]
            else:
                node[path[-1]] = value
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took the place away
    text = "".join(f"{json.dumps(key)} = {toml(value)}\n" for key, value in tree.items())
    if parses(folder, text.encode()):
        as_json = json.loads(json.dumps(tomli.loads(text), default=str))
        assert [error.message for error in SCHEMA.iter_errors(as_json)] == []


def test_the_good_spec_is_accepted_by_both(folder: Path) -> None:
    assert parses(folder, TEXT.encode())
    assert SCHEMA.is_valid(json.loads(json.dumps(tomli.loads(TEXT), default=str)))
