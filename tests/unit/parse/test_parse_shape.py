"""Type hints as the language: nothing is coerced, everything is told, the rest is read on."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest

from deployspec.ir.constraint import Constraint, Text
from deployspec.parse import shape
from deployspec.parse.faults import Faults


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True, kw_only=True)
class Inner:
    size: int = 1


@dataclass(frozen=True, kw_only=True)
class Outer:
    text: Text
    flag: bool = False
    whole: Annotated[int, Constraint(ge=0)] = 0
    real: float = 0.0
    exact: Literal["point"] | Decimal | None = None
    choice: Literal["a", "b"] = "a"
    colour: Colour = Colour.RED
    many: tuple[int, ...] = ()
    pair: tuple[float, float] | None = None
    day: date | None = None
    inner: Inner = field(default_factory=Inner)
    named: dict[str, Inner] = field(default_factory=dict)


def read(raw: dict[str, Any]) -> tuple[Outer | None, list[tuple[str, tuple[str | int, ...]]]]:
    faults = Faults(Path("spec.toml"))
    value = shape.read(Outer, raw, (), faults)
    return value, [(each.code, each.path) for each in faults.found]


def test_sound_values_are_read() -> None:
    raw = {
        "text": "t", "flag": True, "whole": 2, "real": Decimal("0.5"), "exact": Decimal("0.95"), "choice": "b",
        "colour": "red",
        "many": [1, 2], "pair": [1, Decimal("2.5")], "day": date(2026, 1, 1), "inner": {"size": 3}, "named": {"n": {}},
    }  # fmt: skip
    value, found = read(raw)
    assert found == []
    assert value == Outer(
        text="t", flag=True, whole=2, real=0.5, exact=Decimal("0.95"), choice="b", many=(1, 2), pair=(1.0, 2.5),
        day=date(2026, 1, 1), inner=Inner(size=3), named={"n": Inner()},
    )  # fmt: skip
    assert isinstance(value, Outer)
    assert type(value.real) is float


@pytest.mark.parametrize(
    ("key", "raw"),
    [
        ("text", 3), ("text", True), ("text", date(2026, 1, 1)), ("flag", 1), ("flag", "true"), ("whole", True),
        ("whole", Decimal("1.0")), ("whole", "1"), ("real", "0.5"), ("real", True), ("exact", True), ("choice", 1),
        ("colour", 1),
        ("many", 1), ("many", "ab"), ("day", "2026-01-01"), ("day", datetime(2026, 1, 1)), ("day", time(1)),  # noqa: DTZ001
        ("inner", []), ("inner", "x"), ("named", []),
    ],
)  # fmt: skip
def test_nothing_is_coerced(key: str, raw: object) -> None:
    _, found = read({"text": "t", key: raw})
    assert found == [("wrong-type", (key,))]


@pytest.mark.parametrize(
    ("key", "raw", "code", "path"),
    [
        ("text", "", "illegal-value", ("text",)),
        ("whole", -1, "illegal-value", ("whole",)),
        ("choice", "c", "illegal-value", ("choice",)),
        ("exact", "dot", "illegal-value", ("exact",)),
        ("colour", "blue", "illegal-value", ("colour",)),
        ("pair", [1], "wrong-length", ("pair",)),
        ("many", [1, "2", 3], "wrong-type", ("many", 1)),
        ("inner", {"siez": 1}, "unknown-key", ("inner", "siez")),
        ("named", {"n": {"size": "x"}}, "wrong-type", ("named", "n", "size")),
    ],
)
def test_a_fault_names_its_place(key: str, raw: object, code: str, path: tuple[str | int, ...]) -> None:
    _, found = read({"text": "t", key: raw})
    assert found == [(code, path)]


def test_every_fault_is_told_and_the_rest_is_read_on() -> None:
    value, found = read({"flag": 1, "choice": "c", "whole": 7, "extra": 0, "many": [1, "x"]})
    assert {code for code, _ in found} == {"wrong-type", "illegal-value", "unknown-key", "missing-key"}
    assert value is not None
    assert (value.whole, value.many, value.choice) == (7, (), "a")
