"""`deployspec check`: the whole flow, from a spec to a signed report."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from deployspec.cli.credentials import signing_key, trust_policy
from deployspec.cli.named import NamedPath
from deployspec.cli.options import (
    DURATION,
    SIZE,
    key_option,
    report_format_option,
    say_judged,
    say_kept,
    strict_option,
    targets_option,
    trust_option,
)
from deployspec.cli.page import require_page, write_page
from deployspec.cli.watch import watch

if TYPE_CHECKING:
    from collections.abc import Iterator


@click.command(
    epilog="""\b
Examples:
  deployspec check specs/digits.toml
  deployspec check specs/digits.toml --target android --key release.pem --out build/report
  deployspec check specs/digits.toml --reuse-latency '1 h'
"""
)
@click.argument("spec", type=NamedPath())
@targets_option
@click.option(
    "--out",
    type=NamedPath(),
    default=Path("deployspec-report"),
    show_default=True,
    help="Folder for report.dsse.json and artifacts/.",
)
@key_option
@click.option(
    "--reuse-latency",
    "reuse_latency_s",
    type=DURATION,
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
    type=SIZE,
    help="Memory that each step may take, e.g. '8 GB'; one that wants more fails.  [default: the machine's]",
)
@click.option(
    "--evidence",
    multiple=True,
    type=NamedPath(dir_okay=False),
    metavar="FILE",
    help="Measurements of these artifacts that were made elsewhere; may be repeated. The better evidence decides.",
)
@trust_option
@strict_option
@report_format_option
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
    with _kept_when_interrupted(), watch(sys.stderr) as progress:
        checked = check(spec, request, progress)
    standing = say_judged(checked, form)
    if html:
        page = out / PAGE_NAME
        write_page(checked.report, standing, page)
        click.echo(f"page: {page}", err=form != "text")
    sys.exit(checked.exit_code)


@contextmanager
def _kept_when_interrupted() -> Iterator[None]:
    """Ctrl-C within says what is not lost."""
    try:
        yield
    except KeyboardInterrupt:
        raise click.Abort("the steps that are finished are kept in the store") from None
