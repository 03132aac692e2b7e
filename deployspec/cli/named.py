"""Paths on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    import os


class NamedPath(click.Path):
    """A path as a `pathlib.Path`. An empty one is refused: it comes from a variable that is not set."""

    def __init__(self, **checks: Any) -> None:
        super().__init__(path_type=Path, **checks)

    def convert(
        self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> str | bytes | os.PathLike[str]:
        """The path. Raises BadParameter."""
        if not str(value):
            self.fail("it is empty: is the variable that should hold it set?", param, ctx)
        return super().convert(value, param, ctx)
