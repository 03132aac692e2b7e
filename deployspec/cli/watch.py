"""What a long command says while it runs: a live display on a terminal, plain lines elsewhere."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from deployspec.build import PlainProgress, RichProgress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deployspec.ir.spec import Target
    from deployspec.requests import Watch


class PlainWatch(PlainProgress):
    """One line for each event."""

    def timing(self, target: Target) -> None:
        """`time     TARGET`."""
        self._say("time", target.name)


class RichWatch(RichProgress):
    """A live line for what is under way."""

    def timing(self, target: Target) -> None:
        """A line with a clock."""
        self.show("timing", f"timing {target.name}")


@contextmanager
def watch(stream: TextIO) -> Iterator[Watch]:
    """The display that fits the stream, for as long as the block runs."""
    if not stream.isatty():
        yield PlainWatch(stream)
        return
    with RichWatch(stream) as progress:
        yield progress
