"""`deployspec verify`: from a signed report to a conclusion that needs nobody's word."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from deployspec.cli.credentials import timestamp_authorities, trust_policy
from deployspec.cli.named import NamedPath
from deployspec.cli.options import format_option
from deployspec.cli.output import write_whole
from deployspec.cli.report_files import artifacts_beside, read_report, report_file
from deployspec.cli.tokens import read_tokens
from deployspec.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from deployspec.trust.keys import VerifyingKey
    from deployspec.verify import Verification

_EXAMPLES = """\b
Examples:
  deployspec verify deployspec-report/report.dsse.json --public-key release.pub.pem
  deployspec verify report.dsse.json --trust trust.toml --artifacts dist/
  deployspec verify report.dsse.json --trust trust.toml --tsa-cert tsa.pem
  deployspec verify report.dsse.json --public-key release.pub.pem --public-key lab.pub.pem \\
      --expect-spec "$(sha256sum < specs/digits.toml | cut -d' ' -f1)"
\b
Exit codes:
  5 if any check fails; else the report's result: 0 released, 1 a budget failed, 3 not proven.
"""


def _digest(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    """A digest as 64 hex digits, in lower case."""
    if value is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", value):
        raise click.BadParameter(f"{value!r} is not a SHA-256 digest: write 64 hex digits")
    return value and value.lower()


def _data(context: click.Context, option: click.Parameter, values: tuple[str, ...]) -> dict[str, frozenset[str]]:
    """Digests by split."""
    return _named(context, option, values, "SPLIT=SHA256, as test=3a7c…")


def _policies(context: click.Context, option: click.Parameter, values: tuple[str, ...]) -> dict[str, frozenset[str]]:
    """Digests by policy."""
    return _named(context, option, values, "NAME=SHA256, as policy.toml=3a7c…")


def _named(
    context: click.Context, option: click.Parameter, values: tuple[str, ...], form: str
) -> dict[str, frozenset[str]]:
    """Digests by name, which may have an equals sign in it."""
    found: dict[str, frozenset[str]] = {}
    for value in values:
        name, sign, digest = value.rpartition("=")
        if not name or not sign:
            raise click.BadParameter(f"{value!r}: write {form}")
        found[name] = found.get(name, frozenset()) | {_digest(context, option, digest) or ""}
    return found


def _moment(_context: click.Context, _option: click.Parameter, value: str | None) -> datetime:
    """A time in the form that reports hold; without one, now."""
    from deployspec.ir.report import read_time

    try:
        return read_time(value) if value is not None else datetime.now(UTC)
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a time: write it as 2026-01-31T12:00:00Z") from None


@click.command(epilog=_EXAMPLES)
@click.argument("report", type=NamedPath())
@click.option(
    "--public-key",
    "public_keys",
    multiple=True,
    type=NamedPath(),
    help="A PEM file with a key that must have signed. May be given again: then every one must have.",
)
@click.option(
    "--trust",
    type=NamedPath(),
    help="A trust.toml: keys with roles and validity, and how many must have signed. Takes --public-key's place.",
)
@click.option(
    "--artifacts",
    type=NamedPath(),
    help="The folder with <target>/<file>. Default: artifacts/ beside the report, when it exists.",
)
@click.option(
    "--expect-spec", callback=_digest, metavar="SHA256", help="The digest of the spec that must have been checked."
)
@click.option(
    "--expect-policy",
    "expect_policies",
    multiple=True,
    callback=_policies,
    metavar="NAME=SHA256",
    help="The digest of a policy that the spec extends, by the name that the report gives it; again for each.",
)
@click.option(
    "--expect-model",
    callback=_digest,
    metavar="SHA256",
    help="The digest of the model's weights, or else of its source.",
)
@click.option(
    "--expect-data",
    multiple=True,
    callback=_data,
    metavar="SPLIT=SHA256",
    help="The digest of a split's file, e.g. test=…; again for each file of a split that has several.",
)
@click.option(
    "--tsa-cert",
    "authorities",
    type=NamedPath(),
    help="PEM of timestamp authorities: every signature must carry a token of theirs (report.dsse.json.1.tsr), and its "
    "key is judged at that moment.",
)
@click.option("--allow-unsigned", is_flag=True, help="Accept a report whose signature is missing or not checked.")
@click.option(
    "--at",
    callback=_moment,
    metavar="TIME",
    help="Judge keys, freshness and waivers at this time (2026-01-31T12:00:00Z), not now.",
)
@click.option(
    "--payload",
    type=NamedPath(dir_okay=False),
    help="Write the in-toto statement here, exactly the bytes that were verified; nothing if any check fails.",
)
@format_option("text", "json")
@click.pass_context
def command(
    context: click.Context,
    report: Path,
    public_keys: tuple[Path, ...],
    trust: Path | None,
    artifacts: Path | None,
    expect_spec: str | None,
    expect_policies: dict[str, frozenset[str]],
    expect_model: str | None,
    expect_data: dict[str, frozenset[str]],
    authorities: Path | None,
    allow_unsigned: bool,
    at: datetime,
    payload: Path | None,
    form: str,
) -> None:
    """Verify REPORT: its signatures, its artifacts, and every verdict, derived again from the recorded statistics."""
    from deployspec.verify import Demands, verify

    if trust is not None and public_keys:
        raise UsageError("--trust and --public-key cannot be combined: name the keys in the trust policy")
    demands = Demands(
        at=at,
        keys=_load(public_keys),
        trust=trust_policy(trust),
        authorities=timestamp_authorities(authorities),
        tokens=read_tokens(report_file(report)) if authorities else {},
        allow_unsigned=allow_unsigned,
        artifacts=_artifacts_folder(report, artifacts),
        spec_sha256=expect_spec,
        policy_sha256=expect_policies,
        model_sha256=expect_model,
        data_sha256=expect_data,
    )
    outcome = verify(read_report(report), demands)
    if payload is not None and outcome.payload is not None:
        write_whole(payload, outcome.payload)
    click.echo(_json(outcome) if form == "json" else _text(outcome))
    context.exit(outcome.exit_code)


def _load(paths: tuple[Path, ...]) -> tuple[VerifyingKey, ...]:
    from deployspec.trust.keys import load_verifying_key

    keys: dict[VerifyingKey, Path] = {}
    for path in paths:
        key = load_verifying_key(path)
        if key in keys:
            raise UsageError(f"'{path}' and '{keys[key]}' hold the same key, which counts once: leave one out")
        keys[key] = path
    return tuple(keys)


def _artifacts_folder(report: Path, given: Path | None) -> Path | None:
    if given is not None:
        if not given.is_dir():
            raise UsageError(f"--artifacts {given}: there is no such folder")
        return given
    return artifacts_beside(report)


def _text(outcome: Verification) -> str:
    from deployspec.report.figures import plain
    from deployspec.report.summary import headline

    width = max(len(step.state.value) for step in outcome.steps)
    lines = [
        f"{number:2} {step.state.value:{width}}  {step.name}: {plain(step.detail)}"
        for number, step in enumerate(outcome.steps, 1)
    ]
    if outcome.report is None or not outcome.holds:
        return "\n".join([*lines, "REFUSED: do not rely on this report"])
    vouched = "VERIFIED" if outcome.signers else "UNSIGNED, everything else holds"
    unseen = " (artifacts not checked)" if _left_unchecked(outcome, "artifacts") else ""
    return "\n".join([*lines, f"{vouched}{unseen}. {headline(outcome.report)}"])


def _left_unchecked(outcome: Verification, name: str) -> bool:
    from deployspec.verify import State

    return any(step.name == name and step.state is State.NOT_CHECKED for step in outcome.steps)


def _json(outcome: Verification) -> str:
    document = {
        "holds": outcome.holds,
        "exitCode": int(outcome.exit_code),
        "result": outcome.report.result.value if outcome.report and outcome.holds else None,
        "leftOut": list(outcome.report.left_out) if outcome.report and outcome.holds else None,
        "signers": list(outcome.signers),
        "steps": [
            {"number": number, "name": step.name, "state": step.state.value, "detail": step.detail}
            for number, step in enumerate(outcome.steps, 1)
        ],
    }
    return json.dumps(document, indent=2)
