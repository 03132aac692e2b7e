"""Options that several commands have alike, and how those that judge end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from deployspec.cli.views import render

if TYPE_CHECKING:
    from deployspec.report.summary import Standing
    from deployspec.requests import Checked

targets_option = click.option(
    "--target", "targets", multiple=True, metavar="NAME", help="Only this target; may be repeated."
)
key_option = click.option(
    "--key", type=click.Path(path_type=Path), help="Private key (PEM, or hsm:…) that signs the report."
)
trust_option = click.option(
    "--trust",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A trust.toml. Evidence that a key of the role 'lab' signed counts as stated; all else is claimed.",
)
strict_option = click.option("--strict", is_flag=True, help="Count a warning as a failure.")
format_option = click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "json"]),
    default="text",
    show_default=True,
    help="How to write the report to standard output; json is the statement's predicate.",
)


def say_kept(report: Path) -> None:
    """Say where a signed report that was in the way is now."""
    click.echo(f"the signed report that was there is kept as {report}", err=True)


def say_judged(judged: Checked, form: str) -> Standing:
    """Write the report in the form that was asked for, and where it lies; who vouches for it."""
    from deployspec.report.summary import Standing

    standing = Standing(signers=judged.envelope.keyids, verified=True)
    click.echo(render(judged.report, standing, form), nl=False)
    click.echo(f"report: {judged.path}", err=form != "text")
    return standing
