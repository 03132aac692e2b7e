"""`deployspec schema`: the JSON schemas of what is written and read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import click

from deployspec.cli.named import NamedPath
from deployspec.cli.options import say_left_out
from deployspec.registry import Family

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def _spec() -> dict[str, Any]:
    from deployspec.parse.schema import json_schema

    say_left_out(*Family)
    return json_schema()


def _report() -> dict[str, Any]:
    from deployspec.report.schema import report_schema

    return report_schema()


def _evidence() -> dict[str, Any]:
    from deployspec.measure.imported.schema import evidence_schema

    return evidence_schema()


SCHEMAS: Final[dict[str, Callable[[], dict[str, Any]]]] = {
    "spec": _spec,
    "report": _report,
    "evidence": _evidence,
}


@click.command(
    epilog="""\b
Examples:
  deployspec schema --out schemas/deployspec-1.schema.json
  deployspec schema --of report
"""
)
@click.option(
    "--of",
    "subject",
    type=click.Choice(list(SCHEMAS)),
    default="spec",
    show_default=True,
    help="The spec language, the predicate of a report, or the document of measurements made elsewhere.",
)
@click.option("--out", type=NamedPath(dir_okay=False), help="Write to this file instead.")
def command(subject: str, out: Path | None) -> None:
    """Print a JSON schema: of the spec language, with the options of every plug-in that is installed, of reports, or of
    evidence.

    An editor that speaks JSON Schema (taplo, Even Better TOML) finds that of a spec through its first line:
    `#:schema PATH`.
    """
    text = json.dumps(SCHEMAS[subject](), indent=2, allow_nan=False) + "\n"
    if out is None:
        click.echo(text, nl=False)
    else:
        out.write_text(text)
