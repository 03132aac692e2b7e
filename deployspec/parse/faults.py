"""Collecting faults: parsing goes on with what is sound, so that one run tells everything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deployspec.diagnostics import At, Diagnostic, KeyPath
from deployspec.errors import SpecFaults

if TYPE_CHECKING:
    from pathlib import Path


class Faults:
    """The faults found so far, of the spec and of the policies that it extends."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.found: list[Diagnostic] = []
        self._stand_ins: set[KeyPath] = set()

    def of(self, file: Path) -> Faults:
        """A view that notes faults of another file into the same list."""
        view = Faults(file)
        view.found = self.found
        return view

    def add(self, code: str, message: str, path: KeyPath = (), *, at: At = At.KEY, help: str = "") -> None:
        """Note one fault at `path`, unless it follows from a value that was faulty before."""
        if path in self._stand_ins:
            return
        self.found.append(Diagnostic(code=code, message=message, file=self.file, path=path, at=at, help=help))

    def at_value(self, code: str, message: str, path: KeyPath, help: str = "") -> None:
        """Note one fault whose caret points at the value."""
        self.add(code, message, path, at=At.VALUE, help=help)

    def stand_in(self, path: KeyPath) -> None:
        """What is read at `path` from now on is a stand-in for a value whose fault was noted."""
        self._stand_ins.add(path)

    def touch(self, *path: str) -> bool:
        """Whether a fault lies under `path`: what depends on it is not blamed for it again."""
        faulty = [each.path for each in self.found if each.file == self.file]
        return any(each[: len(path)] == path for each in (*faulty, *self._stand_ins))

    def raise_if_any(self) -> None:
        """Raise SpecFaults with every fault, each once."""
        if self.found:
            raise SpecFaults(tuple(dict.fromkeys(self.found)))
