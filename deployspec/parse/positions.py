"""Key paths to places in the text, read from tree-sitter's TOML tree; imported only when there is something to show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import tomli
import tree_sitter_toml
from tree_sitter import Language, Node, Parser

from deployspec.diagnostics import At, KeyPath

if TYPE_CHECKING:
    from collections.abc import Iterator

_KEYS: Final = ("bare_key", "quoted_key", "dotted_key")
_TABLES: Final = ("table", "table_array_element")


@dataclass(frozen=True, kw_only=True)
class Place:
    """Line and column count from 1, in characters; `length` reaches to the end of the line at most."""

    line: int
    column: int
    length: int


class Positions:
    """Where each key and value of one TOML text stands."""

    def __init__(self, text: str) -> None:
        self._source = text.encode()
        self._lines = self._source.split(b"\n")
        self._keys: dict[KeyPath, Node] = {}
        self._values: dict[KeyPath, Node] = {}
        self._lengths: dict[KeyPath, int] = {}
        self._read_document(Parser(Language(tree_sitter_toml.language())).parse(self._source).root_node)

    def find(self, path: KeyPath, at: At) -> Place | None:
        """The place of the key (or value) at `path`; of its nearest parent where the text lacks it."""
        first, second = (self._values, self._keys) if at is At.VALUE else (self._keys, self._values)
        while path:
            node = first.get(path) or second.get(path)
            if node is not None:
                return self._place(node)
            path = path[:-1]
        return None

    def _place(self, node: Node) -> Place:
        row, start = node.start_point.row, node.start_point.column
        line = self._lines[row].removesuffix(b"\r")
        end = node.end_point.column if node.end_point.row == row else len(line)
        column = len(line[:start].decode(errors="replace")) + 1
        return Place(line=row + 1, column=column, length=max(1, len(line[start:end].decode(errors="replace"))))

    def _read_document(self, root: Node) -> None:
        for child in root.named_children:
            if child.type == "pair":
                self._read_pair(child, ())
            elif child.type in _TABLES:
                self._read_table(child)

    def _read_table(self, table: Node) -> None:
        key, *pairs = [each for each in table.named_children if each.type != "comment"]
        path = self._descend((), [*self._parts(key)], key)
        if table.type == "table_array_element":
            index = self._lengths.get(path, 0)
            self._lengths[path] = index + 1
            path = (*path, index)
            self._keys.setdefault(path, key)
        for pair in pairs:
            self._read_pair(pair, path)

    def _descend(self, path: KeyPath, parts: list[tuple[str, Node]], whole: Node) -> KeyPath:
        """The path under `path` that a header's parts lead to; through an array, its newest table."""
        for i, (part, node) in enumerate(parts):
            path = (*path, part)
            self._keys.setdefault(path, whole if i == len(parts) - 1 else node)
            if path in self._lengths and i < len(parts) - 1:
                path = (*path, self._lengths[path] - 1)
        return path

    def _read_pair(self, pair: Node, path: KeyPath) -> None:
        if pair.type != "pair" or len(pair.named_children) < 2:
            return
        key, value = pair.named_children[0], pair.named_children[1]
        for part, node in self._parts(key):
            path = (*path, part)
            self._keys.setdefault(path, node)
        self._read_value(value, path)

    def _read_value(self, value: Node, path: KeyPath) -> None:
        self._values.setdefault(path, value)
        if value.type == "inline_table":
            for pair in value.named_children:
                self._read_pair(pair, path)
        elif value.type == "array":
            items = [each for each in value.named_children if each.type != "comment"]
            for index, item in enumerate(items):
                self._read_value(item, (*path, index))

    def _parts(self, key: Node) -> Iterator[tuple[str, Node]]:
        if key.type == "dotted_key":
            for child in key.named_children:
                yield from self._parts(child)
        elif key.type in _KEYS:
            yield self._text(key), key

    def _text(self, key: Node) -> str:
        text = self._source[key.start_byte : key.end_byte].decode()
        if key.type == "bare_key":
            return text
        try:
            return next(iter(tomli.loads(f"{text} = 0")))
        except tomli.TOMLDecodeError:
            return text
