"""Timestamps of a report's signatures: `report.dsse.json.1.tsr` beside the report is over its first signature."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deployspec.cli.output import write_whole
from deployspec.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from deployspec.trust.dsse import Envelope


def read_tokens(report: Path) -> dict[int, bytes]:
    """The tokens beside a report's file, by the number of their signature. Raises UsageError."""
    from deployspec.report.files import token_files

    return {number: _read(file) for number, file in token_files(report).items()}


def stamp(envelope: Envelope, tokens: dict[int, bytes], url: str) -> dict[int, bytes]:
    """A token for each signature: what is there already, and for the others one from the authority at `url`."""
    from deployspec.trust import timestamp

    numbered = enumerate(envelope.with_tokens(tokens).signatures, 1)
    return {
        number: each.token if timestamp.is_over(each.token, each.sig) else timestamp.request(each.sig, url)
        for number, each in numbered
    }


def write_tokens(report: Path, tokens: dict[int, bytes]) -> None:
    """Put each beside the report's file. Raises UsageError."""
    from deployspec.report.files import token_file

    for number, token in tokens.items():
        write_whole(token_file(report, number), token)


def _read(file: Path) -> bytes:
    from deployspec.trust.timestamp import MAX_BYTES

    try:
        with file.open("rb") as stream:
            return stream.read(MAX_BYTES)
    except OSError as error:
        raise UsageError(f"cannot read the timestamp '{file}': {error.strerror}") from None
