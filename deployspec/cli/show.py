"""`deployspec show`: read a report without verifying it."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from deployspec.errors import UsageError

if TYPE_CHECKING:
    from deployspec.ir.report import Report
    from deployspec.report.summary import Standing

_EXAMPLES = """\b
Examples:
  deployspec show deployspec-report/report.dsse.json
  deployspec show report.dsse.json --format markdown >> "$GITHUB_STEP_SUMMARY"
  deployspec show report.dsse.json --format json | jq .verdicts
"""


@click.command(epilog=_EXAMPLES)
@click.argument("report", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "json"]),
    default="text",
    show_default=True,
    help="json prints the statement's predicate as it is.",
)
def command(report: Path, form: str) -> None:
    """Show REPORT, a report.dsse.json. Nothing of it is verified: `deployspec verify` does that."""
    from deployspec.report.summary import Standing
    from deployspec.verify import read_unverified

    envelope, content = read_unverified(read_report(report))
    standing = Standing(signers=envelope.keyids)
    click.echo(render(content, standing, form), nl=False)
    click.echo("this report was not verified: `deployspec verify` does that", err=True)


def read_report(path: Path) -> bytes:
    """The bytes of a report's file, or of the report in a folder that `check` wrote. Raises UsageError."""
    from deployspec.report.files import REPORT_NAME
    from deployspec.trust.strict import MAX_BYTES

    try:
        with (path / REPORT_NAME if path.is_dir() else path).open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"cannot read the report '{path}': {error.strerror}") from None


def render(report: Report, standing: Standing, form: str) -> str:
    """The report in one of the forms text, markdown and json."""
    if form == "json":
        from deployspec.report.views import predicate

        return predicate.render(report)
    if form == "markdown":
        from deployspec.report.views import markdown

        return markdown.render(report, standing)
    from deployspec.report.views import text

    width = shutil.get_terminal_size((100, 24)).columns
    return text.render(report, standing, width=width, colour=sys.stdout.isatty())
