"""`deployspec sign`: put one's own signature under a report that is there already."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from deployspec.cli.credentials import signing_key
from deployspec.cli.named import NamedPath
from deployspec.cli.output import write_whole
from deployspec.cli.report_files import artifacts_beside, read_report, report_file
from deployspec.cli.tokens import read_tokens, stamp, write_tokens
from deployspec.errors import TrustError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from deployspec.trust.dsse import Envelope
    from deployspec.trust.keys import Signer

_EXAMPLES = """\b
Examples:
  deployspec sign deployspec-report/report.dsse.json --key anna.pem
  deployspec sign report.dsse.json --key anna.pem --out report.signed.dsse.json
  deployspec sign report.dsse.json --timestamp-url https://tsa.example/tsr
  deployspec sign report.dsse.json --key 'hsm:2?label=release'
"""


@click.command(epilog=_EXAMPLES)
@click.argument("report", type=NamedPath())
@click.option(
    "--key",
    type=NamedPath(),
    help="Private key (PEM) that signs, or hsm:[ID][?label=TOKEN] for one in hardware. A passphrase or PIN is read "
    "from DEPLOYSPEC_KEY_PASSPHRASE.",
)
@click.option(
    "--timestamp-url",
    metavar="URL",
    help="Let this authority (RFC 3161) stamp each signature that is not stamped yet; its answers are written beside "
    "the report.",
)
@click.option("--out", type=NamedPath(dir_okay=False), help="Write here, and leave REPORT as it is.  [REPORT]")
def command(report: Path, key: Path | None, timestamp_url: str | None, out: Path | None) -> None:
    """Add a signature to REPORT: a second person's, or the first one to a report that has none.

    Sign only what you have read. A report that `verify` would refuse is not signed. Existing signatures are kept,
    and not checked. A timestamp shows that they existed before it.
    """
    from deployspec.report.figures import plain
    from deployspec.report.summary import headline
    from deployspec.verify import read_unverified

    if key is None and timestamp_url is None:
        raise UsageError("Missing option '--key', to sign with, or '--timestamp-url', to stamp what is signed")
    signing = signing_key(key)
    data = read_report(report)
    _refuse_doubtful(data, artifacts_beside(report))
    envelope, content = read_unverified(data)
    place = out or report_file(report)
    signed = _signed(envelope, signing) if signing else envelope
    tokens = read_tokens(report_file(report))
    if timestamp_url is not None:
        tokens = _stamped(signed, tokens, timestamp_url)
    write_tokens(place, tokens)
    write_whole(place, signed.to_bytes() if signing else data)
    by = f"by {signing.public.keyid}, with {len(signed.signatures)} in all" if signing else "as before"
    click.echo(f"{place}  signed {by}" + (", each stamped" if timestamp_url else ""))
    click.echo(f"it says: {plain(headline(content))}")


def _signed(envelope: Envelope, key: Signer) -> Envelope:
    from deployspec.trust import dsse

    if envelope.signers([key.public]):
        raise UsageError(f"{key.public.keyid} has signed this report already, and a key counts once")
    signed = envelope.signed_by(key)
    dsse.read(signed.to_bytes())  # what is written must be read again
    return signed


def _stamped(envelope: Envelope, tokens: dict[int, bytes], url: str) -> dict[int, bytes]:
    if not envelope.signatures:
        raise UsageError("the report is unsigned, and only a signature is stamped: sign it with --key")
    return stamp(envelope, tokens, url)


def _refuse_doubtful(data: bytes, artifacts: Path | None) -> None:
    """Raise TrustError for whatever verification would refuse, apart from who has signed."""
    from deployspec.verify import Demands, State, verify

    outcome = verify(data, Demands(at=datetime.now(UTC), allow_unsigned=True, artifacts=artifacts))
    doubts = [f"{step.name}: {step.detail}" for step in outcome.steps if step.state is State.REFUSED]
    if doubts:
        raise TrustError("nothing was signed, for verification would refuse it:\n  " + "\n  ".join(doubts))
