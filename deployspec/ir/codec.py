"""Values of `ir` to JSON and back, strictly, from their type hints alone.

Fields are lowerCamelCase; `Decimal` is a decimal string and never a float; a union of dataclasses carries
its class in `"kind"`. Decoding refuses unknown and missing fields, wrong types and broken constraints, and says where.
No value is coerced: `3` is not `"3"`, `true` is not `1`. Of what people write by hand, a field that has a default may
be left out.
"""

from __future__ import annotations

import dataclasses
import json
import re
import types
import typing
from datetime import date
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Any, Final, TypeVar

T = TypeVar("T")

_MAX_DIGITS: Final = 60

DECIMAL: Final = re.compile(rf"-?\d{{1,{_MAX_DIGITS}}}(\.\d{{1,{_MAX_DIGITS}}})?", re.ASCII)
"""No exponent: `1E+999999999` is a short text and a number that fills the memory once it is written out."""

MAX_INTEGER: Final = 2**53 - 1
"""RFC 7493, 2.2: larger integers change in readers that keep numbers as doubles."""


WHOLE: Final = "the document"
"""The place that an error names where it is of no field."""


class CodecError(ValueError):
    """The JSON does not have the form of the type; the text starts with the place, e.g. `verdicts[2].unit`."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ByHand:
    """Base of records that people write: what has a default may be left out, and is when it is written."""


def encode(value: Any) -> Any:
    """`value` (a dataclass of `ir`, or what such a one holds) as JSON-able objects.

    Raises TypeError for a float and other foreign types, ValueError for a number that `decode` would refuse.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {camel(f.name): encode(getattr(value, f.name)) for f in _told(value)}
        return {"kind": kind_of(type(value))} | fields if is_variant(type(value)) else fields
    if isinstance(value, tuple | list):
        return [encode(each) for each in value]
    if isinstance(value, dict):
        return {key: encode(each) for key, each in value.items()}
    return _encode_scalar(value)


def _told(value: Any) -> list[dataclasses.Field[Any]]:
    """The fields that are written: all of them, but for what people would leave out."""
    fields = dataclasses.fields(value)
    return [f for f in fields if not (isinstance(value, ByHand) and getattr(value, f.name) == f.default)]


def _encode_scalar(value: Any) -> str | int | None:
    if isinstance(value, Enum):
        return typing.cast("str", value.value)
    if isinstance(value, Decimal):
        return _decimal_text(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, int) and abs(value) > MAX_INTEGER:
        raise ValueError(f"the integer {value} is beyond 2^53 - 1, which readers round differently")
    if value is None or isinstance(value, str | int):  # bool is an int
        return value
    raise TypeError(f"cannot encode {type(value).__name__}")


def decode(kind: type[T], value: Any, where: str = "") -> T:
    """`value` (parsed JSON) as an instance of dataclass `kind`. Raises CodecError."""
    return typing.cast("T", _decode(kind, value, where))


def read_untrusted(text: str | bytes) -> Any:
    """The JSON value that a worker or a runner wrote, with `?` for half of a surrogate pair, which no report can hold.

    Raises ValueError for what is no JSON.
    """
    try:
        return json.loads(json.dumps(json.loads(text), ensure_ascii=False).encode(errors="replace"))
    except RecursionError:
        raise ValueError("nested too deep") from None


def camel(name: str) -> str:
    """snake_case to lowerCamelCase."""
    head, *tail = name.split("_")
    return head + "".join(map(str.title, tail))


def kind_of(variant: type) -> str:
    """The tag of a class that stands in a union."""
    return camel(variant.__name__[0].lower() + variant.__name__[1:])


@cache
def is_variant(kind: type) -> bool:
    """Whether the class is a member of the union of statistics, and so carries its tag."""
    from deployspec.ir.evidence import Statistic

    return kind in typing.get_args(Statistic)


@cache
def optional(kind: type) -> frozenset[str]:
    """The fields of a dataclass that its JSON may leave out."""
    if not issubclass(kind, ByHand):
        return frozenset()
    return frozenset(camel(f.name) for f in dataclasses.fields(kind) if f.default is not dataclasses.MISSING)


def field_names(kind: type) -> set[str]:
    """The names in JSON of every field of a dataclass, and of the dataclasses that its hints hold."""
    found, pending, seen = set[str](), [kind], set[Any]()
    while pending:
        hint = pending.pop()
        pending += [each for each in typing.get_args(hint) if each not in seen]
        seen.add(hint)
        if dataclasses.is_dataclass(hint):
            found |= {camel(f.name) for f in dataclasses.fields(hint)}
            pending += [each for each in _hints(typing.cast("type", hint)).values() if each not in seen]
    return found


@cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind, include_extras=True)


def _decode(kind: Any, value: Any, where: str) -> Any:
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        return _decode_constrained(args, value, where)
    if origin in (typing.Union, types.UnionType):
        return _decode_union(args, value, where)
    if origin is tuple:
        return _decode_tuple(args, value, where)
    if origin is dict:
        _expect(isinstance(value, dict), where, "an object")
        return {key: _decode(args[1], each, f"{where}[{key!r}]") for key, each in value.items()}
    if dataclasses.is_dataclass(kind):
        return _decode_dataclass(typing.cast("type", kind), value, where)
    return _decode_scalar(kind, value, where)


def _decode_constrained(args: tuple[Any, ...], value: Any, where: str) -> Any:
    inner, *constraints = args
    decoded = _decode(inner, value, where)
    for each in constraints:
        if broken := each.breach(decoded):
            raise CodecError(f"{where or WHOLE}: {broken}")
    return decoded


def _decode_union(args: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and types.NoneType in args:
        return None
    variants = [arg for arg in args if arg is not types.NoneType]
    if len(variants) == 1:
        return _decode(variants[0], value, where)
    _expect(isinstance(value, dict), where, "an object")
    chosen = [variant for variant in variants if kind_of(variant) == value.get("kind")]
    _expect(bool(chosen), f"{where}.kind", "one of " + ", ".join(map(kind_of, variants)))
    return _decode(chosen[0], value, where)


def _decode_tuple(args: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    _expect(isinstance(value, list), where, "an array")
    inner = args[:1] * len(value) if args[-1] is Ellipsis else args
    _expect(len(inner) == len(value), where, f"{len(inner)} items")
    return tuple(_decode(arg, each, f"{where}[{i}]") for i, (arg, each) in enumerate(zip(inner, value, strict=True)))


def _decode_dataclass(kind: type, value: Any, where: str) -> Any:
    _expect(isinstance(value, dict), where, "an object")
    hints = _hints(kind)
    names = {camel(f.name): f.name for f in dataclasses.fields(kind)}
    expected = set(names) | ({"kind"} if is_variant(kind) else set())
    unknown, missing = sorted(set(value) - expected), sorted(expected - set(value) - optional(kind))
    _expect(not unknown, where, f"no field {unknown!r}")
    _expect(not missing, where, f"the field {missing!r}")
    given = {key: name for key, name in names.items() if key in value}
    return kind(**{name: _decode(hints[name], value[key], f"{where}.{key}".lstrip(".")) for key, name in given.items()})


def _decode_scalar(kind: Any, value: Any, where: str) -> Any:
    if kind is Decimal:
        _expect(isinstance(value, str) and DECIMAL.fullmatch(value) is not None, where, "a decimal string")
        return Decimal(value)
    if isinstance(kind, type) and issubclass(kind, Enum | date):
        _expect(isinstance(value, str), where, kind.__name__)
        return _named(kind, value, where)
    _expect(type(value) is kind, where, getattr(kind, "__name__", str(kind)))
    return value


def _named(kind: type[Enum | date], text: str, where: str) -> Enum | date:
    """A member of an enum by its value, or a day in its one form YYYY-MM-DD."""
    try:
        value = kind.fromisoformat(text) if issubclass(kind, date) else kind(text)
    except ValueError:
        form = "a day as YYYY-MM-DD" if issubclass(kind, date) else f"one of {', '.join(each.value for each in kind)}"
        raise CodecError(f"{where}: {text!r} is not {form}") from None
    _expect(not isinstance(value, date) or value.isoformat() == text, where, "a day as YYYY-MM-DD")
    return value


def _decimal_text(value: Decimal) -> str:
    text = format(value, "f") if value.is_finite() and abs(value.adjusted()) < _MAX_DIGITS else str(value)
    if not DECIMAL.fullmatch(text):
        raise ValueError(f"{value} is not finite, or has more than {_MAX_DIGITS} digits on one side of its point")
    return text


def _expect(holds: bool, where: str, what: str) -> None:
    if not holds:
        raise CodecError(f"{where or WHOLE}: expected {what}")
