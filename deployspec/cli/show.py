"""`deployspec show`: read a report without verifying it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import click

from deployspec.cli.named import NamedPath
from deployspec.cli.options import format_option
from deployspec.cli.output import write_whole
from deployspec.cli.report_files import opened, report_file
from deployspec.cli.tokens import read_tokens
from deployspec.cli.views import VIEWS, render
from deployspec.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from deployspec.ir.report import Report
    from deployspec.trust.dsse import Envelope

_EXAMPLES = """\b
Examples:
  deployspec show deployspec-report/report.dsse.json
  deployspec show report.dsse.json --format markdown >> "$GITHUB_STEP_SUMMARY"
  deployspec show report.dsse.json --format json | jq .verdicts
  deployspec show report.dsse.json --format html --out report.html
  deployspec show report.dsse.json --format bundle --out report.sigstore.json
"""

Export = Callable[["Report", "Envelope", bytes], str]


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


EXPORTS: Final[dict[str, Export]] = {
    "bundle": _bundle,
    "vsa": _vsa,
    "cyclonedx": _cyclonedx,
    "junit": _junit,
    "github": _github,
}
"""For other tools: from the report, its envelope and the bytes of its file."""


@click.command(epilog=_EXAMPLES)
@click.argument("report", type=NamedPath())
@format_option(
    *VIEWS,
    *EXPORTS,
    help="json: the statement's predicate as it is; bundle: a Sigstore bundle a line, one for each signature; "
    "vsa: an in-toto verification summary; cyclonedx: an ML-BOM; junit: XML; github: workflow commands.",
)
@click.option("--out", type=NamedPath(dir_okay=False), help="Write to this file instead.")
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
