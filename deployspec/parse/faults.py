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

    def of(self, file: Path) -> Faults:
        """A view that notes faults of another file into the same list."""
        view = Faults(file)
        view.found = self.found
        return view

    def add(self, code: str, message: str, path: KeyPath = (), *, at: At = At.KEY, help: str = "") -> None:
        """Note one fault at `path`."""
        self.found.append(Diagnostic(code=code, message=message, file=self.file, path=path, at=at, help=help))

    def at_value(self, code: str, message: str, path: KeyPath, help: str = "") -> None:
        """Note one fault whose caret points at the value."""
        self.add(code, message, path, at=At.VALUE, help=help)

    def touch(self, *path: str) -> bool:
        """Whether a fault lies under `path`: what depends on it is not blamed for it again."""
        return any(each.path[: len(path)] == path and each.file == self.file for each in self.found)

    def raise_if_any(self) -> None:
        """Raise SpecFaults with every fault, each once."""
        if self.found:
            raise SpecFaults(tuple(dict.fromkeys(self.found)))
