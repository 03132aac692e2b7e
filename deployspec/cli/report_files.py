"""Reports that are named on the command line: the file, or the folder that `check` wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deployspec.errors import NotAReport, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from deployspec.ir.report import Report
    from deployspec.trust.dsse import Envelope


def report_file(path: Path) -> Path:
    """The report's file: `path` itself, or the one in a folder that `check` wrote."""
    from deployspec.report.files import REPORT_NAME

    return path / REPORT_NAME if path.is_dir() else path


def artifacts_beside(report: Path) -> Path | None:
    """The folder of artifacts that `check` wrote beside a report, where it is there."""
    from deployspec.report.files import ARTIFACTS_FOLDER

    beside = report_file(report).parent / ARTIFACTS_FOLDER
    return beside if beside.is_dir() else None


def read_report(path: Path) -> bytes:
    """The bytes of a report's file, or of the report in a folder that `check` wrote. Raises UsageError."""
    from deployspec.trust.strict import MAX_BYTES

    file = report_file(path)
    if path.is_dir() and not file.exists():
        raise UsageError(f"'{path}' holds no {file.name}{_earlier(file)}")
    try:
        with file.open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"cannot read the report '{path}': {error.strerror}{_earlier(file)}") from None


def _earlier(file: Path) -> str:
    """Which reports lie where `file` does not: a check sets earlier ones aside, and may end without its own."""
    from deployspec.report.files import REPORT_NAME, previous

    kept = previous(file.parent) if file.name == REPORT_NAME and not file.exists() else ()
    return f"; of earlier checks there is {', '.join(map(str, kept))}" if kept else ""


def opened(path: Path) -> tuple[Envelope, Report, bytes]:
    """A report to read, not verified: its envelope, what it says, and the bytes of its file.

    Raises UsageError for what is none, and TrustError for one that contradicts itself.
    """
    from deployspec.verify import read_unverified

    data = read_report(path)
    try:
        return *read_unverified(data), data
    except NotAReport as error:
        raise UsageError(f"'{path}' is not a report: name a report.dsse.json ({error})") from None
