"""Reads a FlatBuffer by the text of its schema, a field at a time, every offset held against the bytes.

Nothing is built but what is asked for, and vectors of numbers are views of the file, so that a hostile one costs
little and can read nothing but itself. See flatbuffers.dev, "Internals", for the layout.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from deployspec.errors import UnreadableModel

if TYPE_CHECKING:
    from collections.abc import Mapping

_NUMBERS: Final = {
    **dict.fromkeys(("bool",), "?"),
    **dict.fromkeys(("byte", "int8"), "b"),
    **dict.fromkeys(("ubyte", "uint8"), "B"),
    **dict.fromkeys(("short", "int16"), "h"),
    **dict.fromkeys(("ushort", "uint16"), "H"),
    **dict.fromkeys(("int", "int32"), "i"),
    **dict.fromkeys(("uint", "uint32"), "I"),
    **dict.fromkeys(("long", "int64"), "q"),
    **dict.fromkeys(("ulong", "uint64"), "Q"),
    **dict.fromkeys(("float", "float32"), "f"),
    **dict.fromkeys(("double", "float64"), "d"),
}
"""The language's scalar types, as `struct` calls them."""

_COMMENT: Final = re.compile(r"//[^\n]*")
_DECLARED: Final = re.compile(r"\b(table|enum|union)\s+(\w+)\s*(?::\s*(\w+)\s*)?\{([^}]*)\}")
_FIELD: Final = re.compile(r"(\w+)\s*:\s*(\[?)(\w+)\]?[^;]*;")
_ROOT: Final = re.compile(r"\broot_type\s+(\w+)\s*;")
_IDENTIFIER: Final = re.compile(r'\bfile_identifier\s+"(.{4})"\s*;')


@dataclass(frozen=True)
class Field:
    """Where a table's field lies in its vtable, and what it holds."""

    slot: int
    type: str
    many: bool


@dataclass(frozen=True, kw_only=True)
class Schema:
    """Tables by name; an enum's base and names by value; a union's members, each a name and its table, from 1 on.

    A field that a file leaves out is 0, "", or None: other defaults are not read.
    """

    tables: Mapping[str, Mapping[str, Field]]
    enums: Mapping[str, tuple[str, Mapping[int, str]]]
    unions: Mapping[str, tuple[tuple[str, str], ...]]
    root: str
    identifier: bytes


def parse_schema(text: str) -> Schema:
    """The schema of an .fbs text, with those that it includes written into it."""
    text = _COMMENT.sub("", text)
    bodies: dict[str, list[tuple[str, str, str]]] = {"table": [], "enum": [], "union": []}
    for kind, name, base, body in _DECLARED.findall(text):
        bodies[kind].append((name, base, body))
    unions = {name: _members(body) for name, _, body in bodies["union"]}
    return Schema(
        tables={name: _fields(body, unions) for name, _, body in bodies["table"]},
        enums={name: (base, _values(body)) for name, base, body in bodies["enum"]},
        unions=unions,
        root=_ROOT.findall(text)[-1],
        identifier=_IDENTIFIER.findall(text)[-1].encode(),
    )


def _fields(body: str, unions: Mapping[str, Any]) -> dict[str, Field]:
    """Slots count fields in their order; a union has two, the first of which says which member it holds."""
    found, slot = {}, 0
    for name, many, type in _FIELD.findall(body):
        found[name] = Field(slot, type, bool(many))
        slot += 2 if type in unions else 1
    return found


def _values(body: str) -> dict[int, str]:
    values: dict[int, str] = {}
    for item in _items(body):
        name, _, number = (part.strip() for part in item.partition("="))
        values[int(number) if number else max(values, default=-1) + 1] = name
    return values


def _members(body: str) -> tuple[tuple[str, str], ...]:
    pairs = [item.partition(":") for item in _items(body)]
    return tuple((name.strip(), (table or name).strip()) for name, _, table in pairs)


def _items(body: str) -> list[str]:
    return [item.strip() for item in body.split(",") if item.strip()]


class Table:
    """A table in a file: `table["field"]` is a number, an enum's name, a str, a Table or None.

    Many numbers are an array, many others a list; a union is its member's name with its Table, or None. Raises
    UnreadableModel where an offset leads out of the file, KeyError for a field that the schema does not have.
    """

    def __init__(self, data: memoryview, schema: Schema, name: str, position: int) -> None:
        self._data, self._schema, self._name, self._position = data, schema, name, position
        self._vtable = position - self._read("i", position)
        self._vtable_size = self._read("H", self._vtable)

    def __getitem__(self, name: str) -> Any:
        field = self._schema.tables[self._name][name]
        if field.type in self._schema.unions:
            return self._union(field)
        place = self._place(field.slot)
        if field.many:
            return self._many(field.type, place)
        return self._one(field.type, place)

    def _read(self, code: str, position: int) -> Any:
        size = struct.calcsize(code)
        if not 0 <= position <= len(self._data) - size:
            raise UnreadableModel(f"{self._name}: an offset leads out of the file: damaged, or cut short")
        return struct.unpack_from(f"<{code}", self._data, position)[0]

    def _place(self, slot: int) -> int | None:
        """Where the field of `slot` lies; None where the file leaves it out."""
        entry = 4 + 2 * slot
        offset = self._read("H", self._vtable + entry) if entry + 2 <= self._vtable_size else 0
        return self._position + offset if offset else None

    def _one(self, type: str, place: int | None) -> Any:
        if type in self._schema.enums:
            base, names = self._schema.enums[type]
            value = 0 if place is None else self._read(_NUMBERS[base], place)
            return names.get(value, str(value))
        if type in _NUMBERS:
            return 0 if place is None else self._read(_NUMBERS[type], place)
        if type == "string":
            return "" if place is None else self._text(self._follow(place))
        return None if place is None else self._table(type, self._follow(place))

    def _many(self, type: str, place: int | None) -> Any:
        code = _NUMBERS.get(type, "I")
        start, length = (0, 0) if place is None else self._vector(self._follow(place), code)
        if type in _NUMBERS:
            return np.frombuffer(self._data, f"<{code}", length, start)
        places = range(start, start + 4 * length, 4)
        read = self._text if type == "string" else lambda at: self._table(type, at)
        return [read(self._follow(each)) for each in places]

    def _union(self, field: Field) -> tuple[str, Table] | None:
        chosen, place = self._place(field.slot), self._place(field.slot + 1)
        number = 0 if chosen is None else self._read("B", chosen)
        if place is None or not number:
            return None
        members = self._schema.unions[field.type]
        if number > len(members):
            raise UnreadableModel(f"{self._name}: member {number} of {field.type} is of a later version of the format")
        name, table = members[number - 1]
        return name, self._table(table, self._follow(place))

    def _follow(self, place: int) -> int:
        return place + int(self._read("I", place))

    def _vector(self, position: int, code: str) -> tuple[int, int]:
        """Where the elements begin, and how many there are."""
        length = self._read("I", position)
        if length * struct.calcsize(code) > len(self._data) - position - 4:
            raise UnreadableModel(f"{self._name}: a vector is longer than the file: damaged, or cut short")
        return position + 4, length

    def _text(self, position: int) -> str:
        start, length = self._vector(position, "B")
        return bytes(self._data[start : start + length]).decode(errors="replace")

    def _table(self, name: str, position: int) -> Table:
        return Table(self._data, self._schema, name, position)


def open_root(data: memoryview, schema: Schema) -> Table:
    """The root table of `data`. Raises UnreadableModel where it does not carry the schema's identifier."""
    if bytes(data[4:8]) != schema.identifier:
        raise UnreadableModel(f"no {schema.root} of the kind {schema.identifier.decode()}, or one of another version")
    return Table(data, schema, schema.root, struct.unpack_from("<I", data)[0])
