"""Type hints as the language: a value from TOML against a hint, strictly, with every fault at once.

No value is coerced: `3` is not `"3"`, `true` is not `1`; only an integer may stand where a fraction may.
What is faulty is left out (a required text or array becomes a stand-in) and the rest is read on, so that
faults of meaning are found in the same run.
(pydantic does the same and more; importing it costs more than all of `validate` may.)
"""

from __future__ import annotations

import dataclasses
import types
import typing
from datetime import date, datetime, time
from decimal import Decimal
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from deployspec.diagnostics import KeyPath, nearest
from deployspec.ir.constraint import Constraint, Text

if TYPE_CHECKING:
    from deployspec.parse.faults import Faults

T = TypeVar("T")


class _Absent:
    """What could not be read; a fault was noted."""


_ABSENT: Final = _Absent()

_MEANT: Final = {"float64": "float32"}
"""Where the closest spelling is not the closest meaning."""

_WORDS: Final[dict[type, str]] = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    Decimal: "a number",
    date: "a date",
    datetime: "a date with a time",
    time: "a time",
    list: "an array",
    dict: "a table",
}


def read(kind: type[T], raw: Any, path: KeyPath, faults: Faults) -> T | None:
    """`raw` as an instance of dataclass `kind`, or None where its faults (now in `faults`) leave nothing sound."""
    value = _read(kind, raw, path, faults)
    return None if value is _ABSENT else typing.cast("T", value)


@cache
def hints(kind: type) -> dict[str, Any]:
    """The resolved hints of a dataclass's fields, by name."""
    resolved = typing.get_type_hints(kind, include_extras=True)
    return {each.name: resolved[each.name] for each in dataclasses.fields(kind)}


@cache
def fields(kind: type) -> dict[str, bool]:
    """The names of a dataclass's fields, each with whether it must be given."""
    none = dataclasses.MISSING
    return {each.name: each.default is none and each.default_factory is none for each in dataclasses.fields(kind)}


def describe(raw: Any) -> str:
    """What a TOML value is, in words."""
    return _WORDS[type(raw)]


def _read(hint: Any, raw: Any, path: KeyPath, faults: Faults) -> Any:
    """`raw` as `hint` wants it, or `_ABSENT` with a fault."""
    match typing.get_origin(hint):
        case typing.Annotated:
            return _read_constrained(hint, raw, path, faults)
        case typing.Literal:
            return _read_choice(typing.get_args(hint), raw, path, faults)
        case typing.Union | types.UnionType:
            return _read_union(hint, raw, path, faults)
        case _ if hint is Any:
            return raw
        case _ if not _fits(hint, raw):
            return _wrong_type(hint, raw, path, faults)
        case _:
            return _read_fitting(hint, raw, path, faults)


def _read_fitting(hint: Any, raw: Any, path: KeyPath, faults: Faults) -> Any:
    """`raw`, which is of the right TOML type; what is inside may not be."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        return _read_array(args, raw, path, faults)
    if origin is dict:
        return _present({key: _read(args[1], each, (*path, key), faults) for key, each in raw.items()})
    if dataclasses.is_dataclass(hint):
        return _read_table(typing.cast("type", hint), raw, path, faults)
    if issubclass(hint, StrEnum):
        choice = _read_choice(tuple(each.value for each in hint), raw, path, faults)
        return choice if choice is _ABSENT else hint(choice)
    return hint(raw) if hint in (float, Decimal) else raw


def _read_table(kind: type, raw: dict[str, Any], path: KeyPath, faults: Faults) -> Any:
    known = fields(kind)
    required = [key for key, needed in known.items() if needed]
    for key in [key for key in raw if key not in known]:
        faults.add("unknown-key", f"unknown key '{key}'", (*path, key), help=nearest(key, known) or _list(known))
    for key in [key for key in required if key not in raw]:
        faults.add("missing-key", f"'{key}' is missing", path, help=f"add {key} = …")
    found = {key: _read(hint, raw[key], (*path, key), faults) for key, hint in hints(kind).items() if key in raw}
    sound = _present(found)
    for key in [key for key in required if key not in sound]:
        stand_in = _stand_in(hints(kind)[key])
        if stand_in is _ABSENT:
            return _ABSENT
        faults.stand_in((*path, key))
        sound[key] = stand_in
    return kind(**sound)


def _read_array(items: tuple[Any, ...], raw: list[Any], path: KeyPath, faults: Faults) -> Any:
    variable = items[-1] is Ellipsis
    if not variable and len(raw) != len(items):
        faults.at_value("wrong-length", f"expected {len(items)} items, found {len(raw)}", path)
        return _ABSENT
    inner = items[:1] * len(raw) if variable else items
    values = [_read(hint, each, (*path, i), faults) for i, (hint, each) in enumerate(zip(inner, raw, strict=True))]
    return _ABSENT if _ABSENT in values else tuple(values)


def _stand_in(hint: Any) -> Any:
    """What takes the place of a required value that is faulty, where there is something harmless."""
    if hint == Text:
        return "?"
    inner = typing.get_args(hint)[0] if typing.get_origin(hint) is typing.Annotated else hint
    return () if typing.get_origin(inner) is tuple else _ABSENT


def _read_union(hint: Any, raw: Any, path: KeyPath, faults: Faults) -> Any:
    alternatives = [each for each in typing.get_args(hint) if each is not types.NoneType]
    fitting = next((each for each in alternatives if _fits(each, raw)), None)
    if fitting is None:
        return _wrong_type(hint, raw, path, faults)
    return _read(fitting, raw, path, faults)


def _read_choice(choices: tuple[str, ...], raw: Any, path: KeyPath, faults: Faults) -> Any:
    if raw in choices and isinstance(raw, str):
        return raw
    if not isinstance(raw, str):
        return _wrong_type(Literal[choices], raw, path, faults)
    faults.at_value(
        "illegal-value", f"'{raw}' is not one of {_list(choices)}", path, nearest(_MEANT.get(raw, raw), choices)
    )
    return _ABSENT


def _read_constrained(hint: Any, raw: Any, path: KeyPath, faults: Faults) -> Any:
    inner, *constraints = typing.get_args(hint)
    value = _read(inner, raw, path, faults)
    broken = [each.breach(value) for each in constraints if isinstance(each, Constraint) and value is not _ABSENT]
    for message in filter(None, broken):
        faults.at_value("illegal-value", message, path)
    return _ABSENT if any(broken) else value


def _fits(hint: Any, raw: Any) -> bool:
    """Whether `raw` is of the TOML type that `hint` asks for; what is inside is looked at later."""
    return hint is Any or type(raw) in _toml_types(hint)


@cache
def _toml_types(hint: Any) -> tuple[type, ...]:
    origin = typing.get_origin(hint)
    if origin is typing.Annotated:
        return _toml_types(typing.get_args(hint)[0])
    if origin is typing.Literal or (isinstance(hint, type) and issubclass(hint, StrEnum)):
        return (str,)
    if origin in (typing.Union, types.UnionType):
        return tuple(found for each in typing.get_args(hint) for found in _toml_types(each))
    if dataclasses.is_dataclass(hint) or origin is dict:
        return (dict,)
    if origin is tuple:
        return (list,)
    return {float: (int, Decimal), Decimal: (int, Decimal), types.NoneType: ()}.get(hint, (hint,))


def _wrong_type(hint: Any, raw: Any, path: KeyPath, faults: Faults) -> Any:
    wanted = " or ".join(
        dict.fromkeys(_WORDS[each] for each in reversed(_toml_types(hint)) if each is not int or hint is int)
    )
    faults.at_value("wrong-type", f"expected {wanted}, found {describe(raw)}", path)
    return _ABSENT


def _present(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not _ABSENT}


def _list(words: typing.Iterable[str]) -> str:
    return ", ".join(words)
