"""`deployspec check`: the whole flow, from a spec to a signed report."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from deployspec.cli.credentials import signing_key, trust_policy
from deployspec.cli.options import (
    format_option,
    key_option,
    say_judged,
    say_kept,
    strict_option,
    targets_option,
    trust_option,
)
from deployspec.cli.page import require_page, write_page
from deployspec.cli.watch import watch
from deployspec.units import QuantityError, parse_duration_s, parse_size_bytes


def _bytes(_: click.Context, __: click.Parameter, value: str | None) -> int | None:
    """A size such as `8 GB`."""
    try:
        return None if value is None else parse_size_bytes(value)
    except QuantityError as error:
        raise click.BadParameter(str(error)) from None


def _seconds(_: click.Context, __: click.Parameter, value: str | None) -> int | None:
    """A duration such as `30 min`."""
    try:
        return None if value is None else parse_duration_s(value)
    except QuantityError as error:
        raise click.BadParameter(str(error)) from None


@click.command(
    epilog="""\b
Examples:
  deployspec check specs/digits.toml
  deployspec check specs/digits.toml --target android --key release.pem --out build/report
  deployspec check specs/digits.toml --reuse-latency '1 h'
"""
)
@click.argument("spec", type=click.Path(path_type=Path))
@targets_option
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("deployspec-report"),
    show_default=True,
    help="Folder for report.dsse.json and artifacts/.",
)
@key_option
@click.option(
    "--reuse-latency",
    "reuse_latency_s",
    callback=_seconds,
    metavar="MAX_AGE",
    help="Use timings of the same artifacts that are at most this old; the report says so.",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=os.cpu_count() or 1,
    show_default="all cores",
    help="Steps that run at once. Nothing runs beside a timing.",
)
@click.option(
    "--memory-limit",
    "memory_limit_bytes",
    callback=_bytes,
    metavar="SIZE",
    help="Memory that each step may take, e.g. '8 GB'; one that wants more fails.  [default: the machine's]",
)
@click.option(
    "--evidence",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Measurements of these artifacts that were made elsewhere; may be repeated. The better evidence decides.",
)
@trust_option
@strict_option
@format_option
@click.option("--html", is_flag=True, help="Also write report.html, one page to read, to print and to send around.")
def command(
    spec: Path,
    targets: tuple[str, ...],
    out: Path,
    key: Path | None,
    reuse_latency_s: int | None,
    jobs: int,
    memory_limit_bytes: int | None,
    evidence: tuple[Path, ...],
    trust: Path | None,
    strict: bool,
    form: str,
    html: bool,
) -> None:
    """Build, measure and judge every target, and sign the report.

    Steps that the store (.deployspec beside the spec, or DEPLOYSPEC_STORE) already holds are not run again; latency is
    always measured afresh. Without --key the report is written unsigned, and says so everywhere.
    """
    from deployspec.build import default_store
    from deployspec.pipeline import check
    from deployspec.report.files import PAGE_NAME
    from deployspec.requests import CheckRequest

    if html:
        require_page()
    request = CheckRequest(
        store=default_store(spec),
        out=out,
        targets=targets,
        key=signing_key(key),
        reuse_latency_s=reuse_latency_s,
        jobs=jobs,
        memory_limit_bytes=memory_limit_bytes,
        strict=strict,
        hidden=(key.resolve(),) if key and key.exists() else (),  # hardware keeps its own
        evidence=evidence,
        trust=trust_policy(trust),
        kept=say_kept,
    )
    with watch(sys.stderr) as told:
        checked = check(spec, request, told)
    standing = say_judged(checked, form)
    if html:
        page = out / PAGE_NAME
        write_page(checked.report, standing, page)
        click.echo(f"page: {page}", err=form != "text")
    sys.exit(checked.exit_code)
