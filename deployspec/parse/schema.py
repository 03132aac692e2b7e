"""The JSON schema of the language, from the same hints and the same table of budgets that the parser reads.

It is for editors: it holds the shape of a spec. What needs meaning, `deployspec validate` says.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from deployspec import registry
from deployspec.ir.budget import BUDGETS, BudgetKind, Keys
from deployspec.ir.constraint import Constraint
from deployspec.ir.schema import any_of
from deployspec.parse import budgets, shape
from deployspec.parse.document import VERSION, Document, TargetTable
from deployspec.registry import Family
from deployspec.units import UNITS, Dimension

ID: Final = "https://deployspec.dev/schemas/deployspec-1.schema.json"

_SCALARS: Final[dict[type, str]] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    Decimal: "number",
    date: "string",
}


def json_schema() -> dict[str, Any]:
    """The schema of a spec file, for the plug-ins that are installed."""
    schema = _table(Document)
    schema["required"] = ["deployspec", "model", "targets"]
    schema["properties"] |= {
        "deployspec": {"const": VERSION, "description": "the language version"},
        "budgets": _ref("budgets"),
        "targets": {
            "type": "object",
            "minProperties": 1,
            "propertyNames": {"pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"},
            "additionalProperties": _ref("target"),
        },
    }
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": ID,
        "title": f"deployspec, language version {VERSION}",
        **schema,
        # Budgets may carry the names of a spec's own metrics; where it has none, a name that is not built in is a slip.
        "if": {"not": {"required": ["metrics"]}},
        "then": {
            "properties": {"budgets": _BUILT_IN_ONLY, "targets": _each({"properties": {"budgets": _BUILT_IN_ONLY}})}
        },
        "definitions": {"budgets": _budgets(), "target": _target(), "pass": _pass(), **_limits()},
    }


_BUILT_IN_ONLY: Final = {"propertyNames": {"enum": [*BUDGETS, budgets.FIELD]}}


def _each(schema: dict[str, Any]) -> dict[str, Any]:
    return {"additionalProperties": schema}


def _of(hint: Any) -> dict[str, Any]:
    """The schema of one hint."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    match origin:
        case typing.Annotated:
            return _constrained(args)
        case typing.Literal:
            return {"enum": list(args)}
        case typing.Union | types.UnionType:
            return any_of([_of(each) for each in args if each is not types.NoneType])
        case _ if origin is tuple:
            return _array(args)
        case _ if origin is dict:
            return {"type": "object"} | ({} if args[1] is Any else _each(_of(args[1])))
        case _ if dataclasses.is_dataclass(hint):
            return _table(typing.cast("type", hint))
        case _ if issubclass(hint, StrEnum):
            return {"enum": [each.value for each in hint]}
        case _:
            return {"type": _SCALARS[hint]}


def _constrained(args: tuple[Any, ...]) -> dict[str, Any]:
    inner, *constraints = args
    schema = _of(inner)
    length = "minItems" if schema["type"] == "array" else "minLength"
    for each in constraints:
        assert isinstance(each, Constraint)
        words = {length: each.min_length, "minimum": each.ge, "maximum": each.le, "pattern": each.pattern}
        words |= {"exclusiveMinimum": each.gt, "exclusiveMaximum": each.lt}
        schema |= {word: value for word, value in words.items() if value is not None}
    return schema


def _array(args: tuple[Any, ...]) -> dict[str, Any]:
    if args[-1] is Ellipsis:
        return {"type": "array", "items": _of(args[0])}
    return {"type": "array", "items": [_of(each) for each in args], "minItems": len(args), "maxItems": len(args)}


def _table(kind: type) -> dict[str, Any]:
    """A closed object, one property a field; what has no default is required."""
    required = [name for name, needed in shape.fields(kind).items() if needed]
    summary = (kind.__doc__ or "").strip().partition("\n")[0]
    return {
        "type": "object",
        **({"description": summary} if summary else {}),
        "properties": {name: _of(hint) for name, hint in shape.hints(kind).items()},
        **({"required": required} if required else {}),
        "additionalProperties": False,
    }


def _target() -> dict[str, Any]:
    """A target: its format decides which further options are legal."""
    common = _table(TargetTable)
    common["properties"] |= {
        "format": {"enum": list(registry.sound(Family.TARGETS))},
        "budgets": _ref("budgets"),
        "passes": {"type": "array", "items": _ref("pass")},
    }
    return _by_name(Family.TARGETS, "format", common)


def _pass() -> dict[str, Any]:
    """A pass: its name decides which options are legal."""
    named = {
        "type": "object",
        "properties": {"pass": {"enum": list(registry.sound(Family.PASSES))}},
        "required": ["pass"],
        "additionalProperties": False,
    }
    return _by_name(Family.PASSES, "pass", named)


def _by_name(family: Family, key: str, common: dict[str, Any]) -> dict[str, Any]:
    """`common`, and the options of whichever plug-in the property `key` names."""
    branches = []
    for name, plugin in registry.sound(family).items():
        options = _table(plugin)
        branches.append(
            {
                **common,
                "description": options.get("description", name),
                "properties": {**common["properties"], **options["properties"], key: {"const": name}},
                "required": [*common["required"], *options.get("required", [])],
            }
        )
    return any_of(branches)


def _budgets() -> dict[str, Any]:
    """The table of budgets; other names are those of a spec's own metrics."""
    figure, change = _limit_name(Dimension.NUMBER, ceiling=False), _limit_name(Dimension.RISE, ceiling=True)
    own = {"anyOf": [_ref(change), _ref(figure)]}
    rows = {name: _budget(kind) for name, kind in BUDGETS.items()}
    on_split = {name: rows[name] for name, kind in BUDGETS.items() if kind.needs_split}
    field = {"type": "object", "properties": on_split, "additionalProperties": own}
    return {"type": "object", "properties": {**rows, budgets.FIELD: field}, "additionalProperties": own}


def _budget(kind: BudgetKind) -> dict[str, Any]:
    if kind.dimension is Dimension.FLAG:
        return {"const": True, "description": kind.meaning}
    limit = _ref(_limit_name(kind.dimension, ceiling=kind.ceiling))
    per_class = [{"type": "object", **_each(limit)}] if kind.keys is Keys.CLASSES else []
    return {"description": kind.meaning, "anyOf": [limit, *per_class]}


def _limits() -> dict[str, Any]:
    """One limit, or two bands, of each dimension and direction."""
    return {
        _limit_name(dimension, ceiling=ceiling): _banded(
            {"type": "string", "pattern": _pattern(dimension, ceiling=ceiling)}
        )
        for dimension in Dimension
        for ceiling in (True, False)
        if dimension is not Dimension.FLAG
    }


def _limit_name(dimension: Dimension, *, ceiling: bool) -> str:
    return f"{dimension.name.lower()}_{'at_most' if ceiling else 'at_least'}"


def _banded(limit: dict[str, Any]) -> dict[str, Any]:
    both = {"good": limit, "limit": limit}
    bands = {"type": "object", "properties": both, "required": list(both), "additionalProperties": False}
    return {"anyOf": [limit, bands]}


def _pattern(dimension: Dimension, *, ceiling: bool) -> str:
    """What `units.parse_bound` reads."""
    named = "|".join(unit for unit in UNITS[dimension] if unit)
    units = f"({named}){'?' if '' in UNITS[dimension] else ''}" if named else ""
    return rf"^\s*{'<' if ceiling else '>'}=?\s*-?\d{{1,30}}(\.\d{{1,30}})?\s*{units}\s*$"


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/definitions/{name}"}
