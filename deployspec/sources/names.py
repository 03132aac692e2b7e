"""The names that a Python file has at its top level, found by reading it: nothing is run."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_OWN_NAMES: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_NAMES_BY_TEXT: Final = frozenset({"globals", "exec"})


def top_level_names(file: Path) -> frozenset[str] | None:
    """What the file defines, assigns or imports for others to find.

    None where reading does not tell: it is not Python that can be read, imports `*`, has a `__getattr__` of its own or
    makes names while it runs.
    """
    tree = _parsed(file)
    if tree is None:
        return None
    names = {name for node in _outside_functions(tree) for name in _bound_by(node)}
    names |= {name for node in ast.walk(tree) if isinstance(node, ast.Global) for name in node.names}
    called = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return None if {"*", "__getattr__"} & names or called & _NAMES_BY_TEXT else frozenset(names)


def functions(file: Path) -> list[str]:
    """The functions and classes of the file's top level, in its order; those that begin with '_' are left out."""
    tree = _parsed(file)
    found = [node.name for node in tree.body if isinstance(node, _OWN_NAMES)] if tree else []
    return [name for name in dict.fromkeys(found) if not name.startswith("_")]


def _parsed(file: Path) -> ast.Module | None:
    try:
        return ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _outside_functions(tree: ast.Module) -> Iterator[ast.AST]:
    """Every node whose names are the module's: also those inside `if`, `try`, `with` and loops."""
    queue: list[ast.AST] = [tree]
    while queue:
        node = queue.pop()
        yield node
        if not isinstance(node, (*_OWN_NAMES, ast.Lambda)):
            queue += ast.iter_child_nodes(node)


def _bound_by(node: ast.AST) -> Iterator[str]:
    if isinstance(node, _OWN_NAMES):
        yield node.name
    elif isinstance(node, ast.Import | ast.ImportFrom):
        yield from (alias.asname or alias.name.partition(".")[0] for alias in node.names)
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
