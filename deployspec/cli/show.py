"""`deployspec show`: read a report without verifying it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from deployspec.cli.output import write_whole
from deployspec.cli.page import render_page
from deployspec.cli.tokens import read_tokens
from deployspec.errors import NotAReport, UsageError

if TYPE_CHECKING:
    from deployspec.ir.report import Report
    from deployspec.report.summary import Standing
    from deployspec.trust.dsse import Envelope

_EXAMPLES = """\b
Examples:
  deployspec show deployspec-report/report.dsse.json
  deployspec show report.dsse.json --format markdown >> "$GITHUB_STEP_SUMMARY"
  deployspec show report.dsse.json --format json | jq .verdicts
  deployspec show report.dsse.json --format html --out report.html
  deployspec show report.dsse.json --format bundle --out report.sigstore.json
"""

View = Callable[["Report", "Standing"], str]
Export = Callable[["Report", "Envelope", bytes], str]


def _text(report: Report, standing: Standing) -> str:
    from deployspec.report.views import text

    width = shutil.get_terminal_size((120, 24)).columns
    return text.render(report, standing, width=width, colour=sys.stdout.isatty(), ascii_only=not _can_draw())


def _can_draw() -> bool:
    """Whether standard output takes the characters of which bars are made."""
    from deployspec.report.bars import UNICODE

    try:
        UNICODE.legend.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def _markdown(report: Report, standing: Standing) -> str:
    from deployspec.report.views import markdown

    return markdown.render(report, standing)


def _json(report: Report, _: Standing) -> str:
    from deployspec.report.views import predicate

    return predicate.render(report)


def _bundle(_: Report, envelope: Envelope, __: bytes) -> str:
    from deployspec.trust import bundle

    if not envelope.signatures:
        raise UsageError("the report is unsigned, and a bundle holds a signature: `deployspec sign` adds one")
    return bundle.render(envelope)


def _vsa(report: Report, _: Envelope, data: bytes) -> str:
    from deployspec.report.exports import vsa

    return vsa.render(report, data)


def _github(report: Report, _: Envelope, __: bytes) -> str:
    from deployspec.report.exports import github

    return github.render(report)


def _junit(report: Report, _: Envelope, data: bytes) -> str:
    from deployspec.report.exports import junit

    return junit.render(report, data)


def _cyclonedx(report: Report, _: Envelope, data: bytes) -> str:
    from deployspec.report.exports import cyclonedx

    return cyclonedx.render(report, data)


VIEWS: Final[dict[str, View]] = {"text": _text, "markdown": _markdown, "html": render_page, "json": _json}
"""For people, and the predicate as it is: what a report says."""

EXPORTS: Final[dict[str, Export]] = {
    "bundle": _bundle,
    "vsa": _vsa,
    "cyclonedx": _cyclonedx,
    "junit": _junit,
    "github": _github,
}
"""For other tools: from the report, its envelope and the bytes of its file."""


@click.command(epilog=_EXAMPLES)
@click.argument("report", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice([*VIEWS, *EXPORTS]),
    default="text",
    show_default=True,
    help="json: the statement's predicate as it is; bundle: a Sigstore bundle a line, one for each signature; "
    "vsa: an in-toto verification summary; cyclonedx: an ML-BOM; junit: XML; github: workflow commands.",
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file instead.")
def command(report: Path, form: str, out: Path | None) -> None:
    """Show REPORT, a report.dsse.json. Nothing of it is verified: `deployspec verify` does that."""
    from deployspec.report.summary import Standing

    envelope, content, data = opened(report)
    envelope = envelope.with_tokens(read_tokens(report_file(report)))
    if form in EXPORTS:
        shown = EXPORTS[form](content, envelope, data)
    else:
        shown = render(content, Standing(signers=envelope.keyids), form)
    if out is None:
        click.echo(shown, nl=False)
    else:
        write_whole(out, shown.encode())
    click.echo("this report was not verified: `deployspec verify` does that", err=True)


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


def render(report: Report, standing: Standing, form: str) -> str:
    """The report in one of the forms of `VIEWS`."""
    return VIEWS[form](report, standing)
