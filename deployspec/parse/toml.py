"""Bytes to a TOML tree: UTF-8, finite numbers, bounded in size and depth. Nothing hostile gets past this file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final

import tomli

from deployspec.diagnostics import At, Diagnostic, KeyPath
from deployspec.errors import SpecFaults

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_BYTES: Final = 1 << 20
MAX_DEPTH: Final = 64

_NAN: Final = Decimal("nan")


@dataclass(frozen=True, kw_only=True)
class File:
    """A file that was read: its bytes, and the tree that they hold."""

    path: Path
    data: bytes
    tree: dict[str, Any]


def read(path: Path) -> File:
    """The file at `path`. Raises SpecFaults where it cannot be read or is not TOML 1.0."""
    data = read_bytes(path)
    return File(path=path, data=data, tree=read_tree(path, data))


def read_bytes(file: Path) -> bytes:
    """The file's bytes. Raises SpecFaults where it cannot be read, is no regular file or is over 1 MiB."""
    try:
        if file.exists() and not file.is_file():
            raise _fault(file, "unreadable", "this is not a regular file", "name a TOML file")
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _fault(
            file, "unreadable", f"cannot read the file: {reason}", "check its name and its permissions"
        ) from None
    if len(data) > MAX_BYTES:
        raise _fault(file, "too-large", "the file is over 1 MiB", "a spec holds promises; data belongs in files")
    return data


def read_tree(file: Path, data: bytes) -> dict[str, Any]:
    """The TOML tree of `data`, its decimals exact. Raises SpecFaults for whatever is not TOML 1.0."""
    text = _text(file, data)
    try:
        tree = tomli.loads(text, parse_float=_decimal)
    except tomli.TOMLDecodeError as error:
        raise _syntax(file, error) from None
    except RecursionError:
        raise _fault(file, "too-deep", f"tables or arrays are nested deeper than {MAX_DEPTH}", "flatten them") from None
    except ValueError:  # the interpreter's cap on the digits of an integer
        raise _fault(file, "bad-number", "an integer has thousands of digits", "write a plausible number") from None
    _refuse_extremes(file, tree)
    return tree


def _text(file: Path, data: bytes) -> str:
    if data.startswith(b"\xef\xbb\xbf"):
        raise _fault(file, "bad-syntax", "the file starts with a byte-order mark", "save it as UTF-8 without one", 1, 1)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        start = data.rfind(b"\n", 0, error.start) + 1
        column = len(data[start : error.start].decode(errors="replace")) + 1
        raise _fault(file, "bad-syntax", "the file is not valid UTF-8", "save it as UTF-8", line, column) from None


def _syntax(file: Path, error: tomli.TOMLDecodeError) -> SpecFaults:
    message = re.sub(r"\('(.*?)',?\)", lambda key: "'" + key[1].replace("', '", ".") + "'", error.msg)
    return _fault(file, "bad-syntax", f"not TOML: {message[:1].lower()}{message[1:]}", "", error.lineno, error.colno)


def _decimal(text: str) -> Decimal:
    """The exact number; one that no decimal can hold becomes NaN, which is refused with its place."""
    try:
        return Decimal(text.replace("_", ""))
    except InvalidOperation:
        return _NAN


def _refuse_extremes(file: Path, tree: dict[str, Any]) -> None:
    found: list[Diagnostic] = []
    for path, value in _walk(tree):
        if len(path) > MAX_DEPTH:
            raise _fault(file, "too-deep", f"tables or arrays are nested deeper than {MAX_DEPTH}", "flatten them")
        if isinstance(value, Decimal) and not (value.is_finite() and abs(value) < Decimal("1e300")):
            message = "nan, inf and numbers beyond 1e300 mean nothing in a spec"
            found.append(
                Diagnostic(
                    code="not-finite", message=message, file=file, path=path, at=At.VALUE, help="write a finite number"
                )
            )
    if found:
        raise SpecFaults(found)


def _walk(tree: dict[str, Any]) -> Iterator[tuple[KeyPath, Any]]:
    """Every node with its path, without recursion."""
    pending: list[tuple[KeyPath, Any]] = [((), tree)]
    while pending:
        path, value = pending.pop()
        yield path, value
        if isinstance(value, dict):
            pending.extend(((*path, key), each) for key, each in value.items())
        elif isinstance(value, list):
            pending.extend(((*path, index), each) for index, each in enumerate(value))


def _fault(
    file: Path, code: str, message: str, help: str, line: int | None = None, column: int | None = None
) -> SpecFaults:
    return SpecFaults([Diagnostic(code=code, message=message, file=file, help=help, line=line, column=column)])
