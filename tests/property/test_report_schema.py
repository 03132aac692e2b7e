"""The published schema of a report's predicate and the strict reading of it say the same."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sample_reports import WAIVER, failing, passing, unmeasured

from deployspec.errors import TrustError
from deployspec.ir import codec
from deployspec.ir.report import Report
from deployspec.report.schema import report_schema
from deployspec.trust import strict

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA = Path(__file__).parents[2] / "schemas" / "report-1.schema.json"
VALIDATOR = jsonschema.Draft202012Validator(
    report_schema(), format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
)
PREDICATE: dict[str, Any] = codec.encode(unmeasured((WAIVER,)))


def test_the_committed_schema_is_the_generated_one() -> None:
    assert json.loads(SCHEMA.read_text()) == report_schema(), (
        "run: deployspec schema --of report --out schemas/report-1.schema.json"
    )


def test_it_is_a_schema_and_reports_hold_it() -> None:
    jsonschema.Draft202012Validator.check_schema(report_schema())
    for report in (passing(), failing(), unmeasured()):
        VALIDATOR.validate(codec.encode(report))


def test_the_command_prints_it() -> None:
    command = [sys.executable, "-m", "deployspec", "schema", "--of", "report"]
    assert json.loads(subprocess.run(command, capture_output=True, check=True).stdout) == report_schema()


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The path of everything inside a JSON value, and of the value itself."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


def replaced(value: Any, path: tuple[str | int, ...], new: Any) -> Any:
    """The JSON value with another one at `path`; with `...` without it."""
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    if len(path) == 1 and new is ...:
        del copy[path[0]]
    else:
        copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


def decodes(value: Any) -> bool:
    """Whether the value is read, from the bytes of its JSON on."""
    try:
        codec.decode(Report, strict.loads(json.dumps(value).encode(), "it"))
    except (TrustError, codec.CodecError):
        return False
    return True


leaves = st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=("Cs", "Cc")))
near_misses = st.sampled_from(
    ["1", "-1.50", "1.", ".5", "1e3", "٣", "2026-02-29", "2026-03-31", "2026-3-1", "passed", "host"]
)
oddities = st.sampled_from([2**53 - 1, 2**53, -(2**53), [], {}, [["a", "b"]], ["a"], {"name": "x", "sha256": "0"}])
values = (
    st.just(...) | near_misses | oddities | leaves | st.lists(leaves, max_size=3) | st.dictionaries(st.text(), leaves)
)


@settings(deadline=None)
@given(st.sampled_from(list(places(PREDICATE))), values)
@example(("waivers", 0, "expires"), "2026-02-29")
@example(("verdicts", 0, "n"), True)
@example(("verdicts", 0, "estimate"), "1" * 61)
@example(("tools", 0), ["deployspec"])
@example(("measurements", 0, "statistic", "kind"), "share")
def test_what_the_schema_allows_is_read_and_nothing_else(path: tuple[str | int, ...], value: Any) -> None:
    if path or value is not ...:
        changed = replaced(PREDICATE, path, value)
        assert VALIDATOR.is_valid(changed) is decodes(changed)


@settings(deadline=None)
@given(st.sampled_from([path for path in places(PREDICATE) if path]), st.text(min_size=1), leaves)
def test_nothing_can_be_added(path: tuple[str | int, ...], name: str, value: Any) -> None:
    here = PREDICATE
    for key in path:
        here = here[key]
    if isinstance(here, dict) and name not in here:
        changed = replaced(PREDICATE, path, here | {name: value})
        assert VALIDATOR.is_valid(changed) is decodes(changed)
        assert path[-1] == "least" or not decodes(changed)
