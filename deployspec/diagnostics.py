"""A fault in a text that a user wrote: what is wrong, where, and the nearest thing that is right.

A diagnostic names its place by the path of keys that leads there, which needs no positions.
Lines and columns are looked up by `deployspec.parse.positions`, only when there is something to show.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

KeyPath = tuple[str | int, ...]


class At(StrEnum):
    """Which part of a key/value pair the caret points at."""

    KEY = "key"
    VALUE = "value"


class Severity(StrEnum):
    """Whether a diagnostic stops the run."""

    ERROR = "error"
    NOTE = "note"


@dataclass(frozen=True, kw_only=True)
class Diagnostic:
    """One fault (or note) in one file.

    `path` is the chain of TOML keys and array indices, e.g. `("targets", "ios", "format")`.
    `line` and `column` (1-based) are set only by faults that have no key path: broken syntax.
    `help` finishes the caret line: the nearest legal spelling, or what to do.
    """

    code: str
    message: str
    file: Path
    path: KeyPath = ()
    at: At = At.KEY
    help: str = ""
    severity: Severity = Severity.ERROR
    line: int | None = None
    column: int | None = None


def nearest(word: str, legal: Iterable[str]) -> str:
    """The legal spelling closest to `word`, whatever its case, as a ready phrase, or the empty string."""
    import difflib  # only a faulty spec pays for it

    # The comparison is slow: a thousand words are enough to choose from.
    by_folded = {each.casefold(): each for each in list(legal)[:1000]}
    folded = word[:100].casefold()
    matches = difflib.get_close_matches(folded, by_folded, n=5, cutoff=0.6)
    # Of equals, the one with swapped letters: p59 is p95 rather than p99.
    best = max(matches, key=lambda match: sorted(match) == sorted(folded), default="")
    return f"perhaps you meant '{by_folded[best]}'" if best else ""
