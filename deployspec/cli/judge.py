"""`deployspec judge`: verdicts on measurements that were made elsewhere, with nothing built."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from deployspec.cli.credentials import signing_key, trust_policy
from deployspec.cli.named import NamedPath
from deployspec.cli.options import (
    key_option,
    report_format_option,
    say_judged,
    say_kept,
    strict_option,
    targets_option,
    trust_option,
)

_EXAMPLES = """\b
Examples:
  deployspec judge deployspec.toml --evidence lab.dsse.json --trust trust.toml
  deployspec judge deployspec.toml --evidence quality.json --evidence latency.json --target android
  deployspec judge deployspec.toml --evidence lab.dsse.json --trust trust.toml --key release.pem --out build/report
\b
Exit codes, the first that applies:
  2  the spec, an evidence file or the command is wrong
  5  the model is not the one that the spec pins
  1  a budget fails
  3  not proven: inconclusive or not measured
  0  every budget passes
"""


@click.command(epilog=_EXAMPLES)
@click.argument("spec", type=NamedPath())
@click.option(
    "--evidence",
    required=True,
    multiple=True,
    type=NamedPath(dir_okay=False),
    metavar="FILE",
    help="An evidence document, or the envelope in which a lab signed it; may be repeated.",
)
@trust_option
@targets_option
@click.option(
    "--out",
    type=NamedPath(),
    default=Path("deployspec-judged"),
    show_default=True,
    help="Folder for report.dsse.json.",
)
@key_option
@strict_option
@report_format_option
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
    from deployspec.pipeline import judge_evidence
    from deployspec.requests import JudgeRequest

    request = JudgeRequest(
        evidence=evidence,
        out=out,
        trust=trust_policy(trust),
        targets=targets,
        key=signing_key(key),
        strict=strict,
        kept=say_kept,
    )
    judged = judge_evidence(spec, request)
    say_judged(judged, form)
    sys.exit(judged.exit_code)
