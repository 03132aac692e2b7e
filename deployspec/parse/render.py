"""Diagnostics as text with a caret, as GitHub annotations, and as JSON. Loaded only when there is something to show."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from deployspec.parse.positions import Place, Positions
from deployspec.parse.toml import MAX_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from deployspec.diagnostics import Diagnostic

WINDOW: Final = 160
"""A longer source line is shown around its caret only."""

LONGEST: Final = 400
"""The characters of a message that are shown."""


@dataclass(frozen=True, kw_only=True)
class Located:
    """A diagnostic and its place, None for one that speaks of the whole file; `source` is its line."""

    diagnostic: Diagnostic
    place: Place | None
    source: str = ""

    @property
    def name(self) -> str:
        """The file as a reader would name it: relative to the working folder where it lies inside."""
        file = self.diagnostic.file
        here = Path.cwd()
        inside = file.is_absolute() and file.is_relative_to(here)
        return (file.relative_to(here) if inside else file).as_posix()


def locate(diagnostics: Iterable[Diagnostic]) -> tuple[Located, ...]:
    """The diagnostics with their places, in the order of the text, file by file."""
    by_file: dict[Path, list[Diagnostic]] = {}
    for each in diagnostics:
        by_file.setdefault(each.file, []).append(each)
    return tuple(found for file, group in by_file.items() for found in _locate_in(file, group))


def _locate_in(file: Path, group: list[Diagnostic]) -> list[Located]:
    text = _read(file)
    lines = text.split("\n")
    positions = Positions(text) if any(each.path for each in group) else None
    found = []
    for each in group:
        place = Place(line=each.line, column=each.column or 1, length=1) if each.line else None
        if place is None and positions is not None:
            place = positions.find(each.path, each.at)
        source = lines[place.line - 1].removesuffix("\r") if place and place.line <= len(lines) else ""
        found.append(Located(diagnostic=each, place=place, source=source))
    return sorted(found, key=lambda each: (each.place.line, each.place.column) if each.place else (0, 0))


def _read(file: Path) -> str:
    """The text again, as far as a spec may reach; empty where it cannot be read (the fault says why)."""
    try:
        if not file.is_file():  # opening a pipe would wait for its writer
            return ""
        with file.open("rb") as stream:
            return stream.read(MAX_BYTES).decode(errors="replace")
    except (OSError, ValueError):
        return ""


def render(diagnostics: Sequence[Diagnostic]) -> str:
    """Each diagnostic with its file, line, column, source line and caret; blank lines between."""
    return "\n".join(map(_text, locate(diagnostics)))


def _text(located: Located) -> str:
    each, place = located.diagnostic, located.place
    title = f"{each.severity.value}[{each.code}]: {_printable(each.message)}\n"
    if place is None:
        help = f"  = help: {_printable(each.help)}\n" if each.help else ""
        return f"{title} --> {located.name}\n{help}"
    number = str(place.line)
    margin = " " * len(number)
    source, offset = _window(located.source, place.column)
    caret = "^" * min(place.length, max(1, len(source) - offset))
    pointer = f"{' ' * offset}{caret} {_printable(each.help)}".rstrip()
    return (
        f"{title}{margin}--> {located.name}:{place.line}:{place.column}\n"
        f"{margin} |\n"
        f"{number} | {_printable(source)}".rstrip()
        + "\n"
        f"{margin} | {pointer}\n"
    )


def _window(source: str, column: int) -> tuple[str, int]:
    """The part of a line that is shown, and where in it the column lies."""
    start = 0 if len(source) <= WINDOW else max(0, column - 1 - WINDOW // 2)
    return source[start : start + WINDOW], column - 1 - start


def _printable(text: str) -> str:
    """Control characters could rewrite the reader's terminal: each is shown as a mark, a tab as a blank.

    What quotes a text without end is cut.
    """
    text = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
    return "".join(
        char if char.isprintable() else " " if char == "\t" else "\N{REPLACEMENT CHARACTER}" for char in text
    )


def as_github(diagnostics: Sequence[Diagnostic]) -> str:
    """One workflow command a diagnostic, so that a pull request shows it at its line."""
    return "".join(map(_annotation, locate(diagnostics)))


def _annotation(located: Located) -> str:
    each, place = located.diagnostic, located.place
    level = {"error": "error", "note": "notice"}[each.severity.value]
    facts = {"file": located.name, "title": each.code}
    if place is not None:
        facts |= {"line": str(place.line), "col": str(place.column), "endColumn": str(place.column + place.length)}
    message = _printable(each.message) + (f"; {_printable(each.help)}" if each.help else "")
    return f"::{level} {','.join(f'{key}={_property(text)}' for key, text in facts.items())}::{_command(message)}\n"


def _command(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _command(text).replace(":", "%3A").replace(",", "%2C")


def as_objects(diagnostics: Sequence[Diagnostic]) -> list[dict[str, Any]]:
    """JSON-able objects; `line`, `column` and `length` are null for what speaks of the whole file."""
    return [
        {
            "code": each.diagnostic.code,
            "severity": each.diagnostic.severity.value,
            "message": each.diagnostic.message,
            "help": each.diagnostic.help,
            "file": each.name,
            "path": list(each.diagnostic.path),
            "line": each.place.line if each.place else None,
            "column": each.place.column if each.place else None,
            "length": each.place.length if each.place else None,
        }
        for each in locate(diagnostics)
    ]
