"""Collecting faults: parsing goes on with what is sound, so that one run tells everything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from deployspec.diagnostics import At, Diagnostic, KeyPath
from deployspec.errors import SpecFaults

if TYPE_CHECKING:
    from pathlib import Path

MAX_FAULTS: Final = 1000
"""Nobody reads more; a hostile text would keep the search for nearest spellings busy for hours."""


class Faults:
    """The faults found so far, of the spec and of the policies that it extends."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.found: list[Diagnostic] = []
        self._touched: set[KeyPath] = set()
        self._stand_ins: set[KeyPath] = set()

    def of(self, file: Path) -> Faults:
        """A view that notes faults of another file into the same list."""
        view = Faults(file)
        view.found = self.found
        return view

    def add(self, code: str, message: str, path: KeyPath = (), *, at: At = At.KEY, help: str = "") -> None:
        """Note one fault at `path`, unless it follows from a value that was faulty before.

        Raises SpecFaults when there are more than anyone would read.
        """
        if path in self._stand_ins:
            return
        self.found.append(Diagnostic(code=code, message=message, file=self.file, path=path, at=at, help=help))
        self._touch(path)
        if len(self.found) >= MAX_FAULTS:
            more = f"there are {MAX_FAULTS:,} faults, and the rest was not looked at"
            self.found.append(Diagnostic(code="too-many-faults", message=more, file=self.file, help="fix these first"))
            self.raise_if_any()

    def at_value(self, code: str, message: str, path: KeyPath, help: str = "") -> None:
        """Note one fault whose caret points at the value."""
        self.add(code, message, path, at=At.VALUE, help=help)

    def stand_in(self, path: KeyPath) -> None:
        """What is read at `path` from now on is a stand-in for a value whose fault was noted."""
        self._stand_ins.add(path)
        self._touch(path)

    def touch(self, *path: str | int) -> bool:
        """Whether a fault of this file lies under `path`: what depends on it is not blamed for it again."""
        return path in self._touched

    def _touch(self, path: KeyPath) -> None:
        self._touched.update(path[:end] for end in range(1, len(path) + 1))

    def raise_if_any(self) -> None:
        """Raise SpecFaults with every fault, each once."""
        if self.found:
            raise SpecFaults(tuple(dict.fromkeys(self.found)))
