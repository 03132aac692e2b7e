"""The JSON schema of a dataclass of `ir`: exactly what `deployspec.ir.codec` decodes, from the same type hints.

Three things a schema cannot say, and the codec holds: that 1.0 is no whole number, which days a month has, and that
-0 is not below 0.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Any, Final

from deployspec.ir import codec
from deployspec.ir.constraint import Constraint

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

_SCALARS: Final[dict[type, dict[str, Any]]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer", "minimum": -codec.MAX_INTEGER, "maximum": codec.MAX_INTEGER},
    Decimal: {"type": "string", "pattern": f"^{codec.DECIMAL.pattern}$".replace(r"\d", "[0-9]")},
    date: {"type": "string", "format": "date", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"},
}
_UNSIGNED: Final = f"{codec.DECIMAL.pattern}$".replace(r"\d", "[0-9]").removeprefix("-?")
"""Of a decimal text's value the schema says no more than its sign, and whether it may be 0."""

_WORDS: Final = {
    "ge": "minimum",
    "le": "maximum",
    "gt": "exclusiveMinimum",
    "lt": "exclusiveMaximum",
    "pattern": "pattern",
}


def json_schema(kind: type, *, id: str, title: str) -> dict[str, Any]:
    """The schema of `kind`, with a definition for every dataclass that it holds."""
    definitions: dict[type, dict[str, Any]] = {}
    _define(kind, definitions)
    whole = definitions.pop(kind)
    named = {each.__name__: schema for each, schema in definitions.items()}
    assert len(named) == len(definitions), "two dataclasses of one name"
    return {"$schema": DIALECT, "$id": id, "title": title, **whole, "$defs": dict(sorted(named.items()))}


def _define(kind: type, into: dict[type, dict[str, Any]]) -> None:
    if kind in into:
        return
    into[kind] = {}  # holds the place, where a dataclass holds itself
    hints = typing.get_type_hints(kind, include_extras=True)
    fields = {codec.camel(f.name): _of(hints[f.name], into) for f in dataclasses.fields(kind)}
    tag = {"kind": {"const": codec.kind_of(kind)}} if codec.is_variant(kind) else {}
    into[kind] = {
        "description": (kind.__doc__ or "").strip().partition("\n")[0],
        "type": "object",
        "properties": tag | fields,
        "required": [name for name in tag | fields if name not in codec.optional(kind)],
        "additionalProperties": False,
    }


def _of(hint: Any, into: dict[type, dict[str, Any]]) -> dict[str, Any]:
    """The schema of one hint; its dataclasses are defined on the way."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return _constrained(_of(args[0], into), args[1:])
    if origin in (typing.Union, types.UnionType):
        return any_of([_of(each, into) for each in args])
    if origin is tuple:
        return _array([_of(each, into) for each in args if each is not Ellipsis], variable=args[-1] is Ellipsis)
    if origin is dict:
        return {"type": "object", "additionalProperties": _of(args[1], into)}
    if dataclasses.is_dataclass(hint):
        _define(typing.cast("type", hint), into)
        return {"$ref": f"#/$defs/{typing.cast('type', hint).__name__}"}
    return _scalar(hint)


def _scalar(hint: Any) -> dict[str, Any]:
    if hint is types.NoneType:
        return {"type": "null"}
    if issubclass(hint, Enum):
        return {"enum": [each.value for each in hint]}
    return dict(_SCALARS[hint])


def any_of(schemas: list[dict[str, Any]]) -> dict[str, Any]:
    """One of several; of one that schema itself."""
    return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}


def _array(items: list[dict[str, Any]], *, variable: bool) -> dict[str, Any]:
    if variable:
        return {"type": "array", "items": items[0]}
    return {"type": "array", "prefixItems": items, "items": False, "minItems": len(items)}


def _constrained(schema: dict[str, Any], constraints: tuple[Any, ...]) -> dict[str, Any]:
    length = "minItems" if schema.get("type") == "array" else "minLength"
    for each in constraints:
        assert isinstance(each, Constraint)
        if schema.get("pattern") == _SCALARS[Decimal]["pattern"]:
            schema["pattern"] = _decimal(each)
            continue
        words = {word: getattr(each, name) for name, word in _WORDS.items()} | {length: each.min_length}
        schema |= {word: value for word, value in words.items() if value is not None}
    return schema


def _decimal(constraint: Constraint) -> str:
    """The pattern of a decimal text that lies at or above 0."""
    assert constraint in (Constraint(ge=0), Constraint(gt=0)), "no pattern says more"
    return f"^{_UNSIGNED}" if constraint.gt is None else f"^(?=.*[1-9]){_UNSIGNED}"
