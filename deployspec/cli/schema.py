"""`deployspec schema`: the JSON schema that editors validate a spec with."""

from __future__ import annotations

import json
from pathlib import Path

import click

from deployspec.parse.schema import json_schema


@click.command(
    epilog="""\b
Examples:
  deployspec schema
  deployspec schema --out schemas/deployspec-1.schema.json
"""
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file instead.")
def command(out: Path | None) -> None:
    """Print the JSON schema of the spec language, with the options of every plug-in that is installed.

    An editor that speaks JSON Schema (taplo, Even Better TOML) finds it through the first line of a spec:
    `#:schema PATH`.
    """
    text = json.dumps(json_schema(), indent=2, allow_nan=False) + "\n"
    if out is None:
        click.echo(text, nl=False)
    else:
        out.write_text(text)
