"""`deployspec judge`: verdicts on measurements that were made elsewhere, with nothing built."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from deployspec.cli.credentials import signing_key, trust_policy
from deployspec.cli.output import make_way
from deployspec.cli.show import render

_EXAMPLES = """\b
Examples:
  deployspec judge deployspec.toml --evidence lab.dsse.json --trust trust.toml
  deployspec judge deployspec.toml --evidence quality.json --evidence latency.json --target android
  deployspec judge deployspec.toml --evidence lab.dsse.json --trust trust.toml --key release.pem --out build/report
\b
Exit codes, the first that applies:
  2  the spec, an evidence file or the command is wrong
  1  a budget fails
  3  not proven: inconclusive or not measured
  0  every budget passes
"""


@click.command(epilog=_EXAMPLES)
@click.argument("spec", type=click.Path(path_type=Path))
@click.option(
    "--evidence",
    required=True,
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="An evidence document, or the envelope in which a lab signed it; may be repeated.",
)
@click.option(
    "--trust",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A trust.toml. What a key of the role 'lab' signed counts as stated; all else is claimed.",
)
@click.option("--target", "targets", multiple=True, metavar="NAME", help="Only this target; may be repeated.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("deployspec-judged"),
    show_default=True,
    help="Folder for report.dsse.json.",
)
@click.option("--key", type=click.Path(path_type=Path), help="Private key (PEM, or hsm:…) that signs the report.")
@click.option("--strict", is_flag=True, help="Count a warning as a failure.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "json"]),
    default="text",
    show_default=True,
    help="How to write the report to standard output; json is the statement's predicate.",
)
def command(
    spec: Path,
    evidence: tuple[Path, ...],
    trust: Path | None,
    targets: tuple[str, ...],
    out: Path,
    key: Path | None,
    strict: bool,
    form: str,
) -> None:
    """Judge measurements that were made elsewhere, in a device farm or on a phone in a drawer. Nothing is built.

    Evidence that no trusted lab signed is claimed: it is shown and decides nothing, unless the spec says
    accept = "claimed" in [evidence]. The report vouches for the artifacts that the evidence names, by their digests.
    """
    from deployspec.pipeline import Hearing, judge_evidence
    from deployspec.report.summary import Standing

    hearing = Hearing(
        evidence=evidence,
        out=out,
        trust=trust_policy(trust),
        targets=targets,
        key=signing_key(key),
        strict=strict,
    )
    make_way(out)
    judged = judge_evidence(spec, hearing)
    standing = Standing(signers=judged.envelope.keyids, verified=True)
    click.echo(render(judged.report, standing, form), nl=False)
    click.echo(f"report: {judged.path}", err=form != "text")
    sys.exit(judged.exit_code)
