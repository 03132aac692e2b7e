"""`deployspec diff`: what changed from one report, or spec, to another."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from deployspec.cli.named import NamedPath
from deployspec.cli.options import format_option
from deployspec.cli.report_files import opened
from deployspec.errors import ExitCode

if TYPE_CHECKING:
    from pathlib import Path

    from deployspec.ir.report import Report
    from deployspec.ir.spec import Spec
    from deployspec.report.diff import Change


@click.command(
    epilog="""\b
Examples:
  deployspec diff released/report.dsse.json deployspec-report/report.dsse.json
  deployspec diff released.toml specs/digits.toml
  deployspec diff released/ deployspec-report/ --format markdown >> "$GITHUB_STEP_SUMMARY"

\b
Exit codes: 0 no regression, 1 a regression, 2 one of them cannot be read.
"""
)
@click.argument("old", type=NamedPath())
@click.argument("new", type=NamedPath())
@click.option("--strict", is_flag=True, help="Count a figure that got worse by more than noise as a regression.")
@format_option("text", "markdown", "json", help="markdown is for a pull request, json for programs.")
def command(old: Path, new: Path, *, strict: bool, form: str) -> None:
    """Show what changed from OLD to NEW: reports (report.dsse.json, or the folder of one) or specs (.toml).

    Loosened budgets, rules of proof and waivers, worse verdicts and weaker evidence are regressions. Each figure is
    shown with its interval and whether the change exceeds noise. Neither report is verified: use `deployspec verify`.
    """
    from deployspec.report.views import changes as views

    changes = _changes(_read(old), _read(new))
    render = {"text": views.text, "markdown": views.markdown, "json": views.to_json}[form]
    click.echo(render(changes, strict=strict), nl=False)
    worse = any(each.regresses(strict=strict) for each in changes)
    sys.exit(ExitCode.FAILED if worse else ExitCode.OK)


def _read(path: Path) -> Spec | Report:
    if path.suffix == ".toml":
        from deployspec.parse import parse_spec

        return parse_spec(path)
    return opened(path)[1]


def _changes(old: Spec | Report, new: Spec | Report) -> tuple[Change, ...]:
    from deployspec.ir.report import Report
    from deployspec.report.diff import diff_promises, diff_reports

    if isinstance(old, Report) and isinstance(new, Report):
        return diff_reports(old, new)
    return diff_promises(old, new)
