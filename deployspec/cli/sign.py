"""`deployspec sign`: put one's own signature under a report that is there already."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from deployspec.cli.credentials import signing_key
from deployspec.cli.output import write_whole
from deployspec.cli.show import artifacts_beside, read_report, report_file
from deployspec.errors import TrustError, UsageError

if TYPE_CHECKING:
    from deployspec.trust.dsse import Envelope
    from deployspec.trust.keys import SigningKey

_EXAMPLES = """\b
Examples:
  deployspec sign deployspec-report/report.dsse.json --key anna.pem
  deployspec sign report.dsse.json --key anna.pem --out report.signed.dsse.json
"""


@click.command(epilog=_EXAMPLES)
@click.argument("report", type=click.Path(path_type=Path))
@click.option(
    "--key",
    required=True,
    type=click.Path(path_type=Path),
    help="Private key (PEM) that signs. The passphrase of an encrypted one is read from DEPLOYSPEC_KEY_PASSPHRASE.",
)
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write here, and leave REPORT as it is.  [REPORT]"
)
def command(report: Path, key: Path, out: Path | None) -> None:
    """Add a signature to REPORT: a second person's, or the first one to a report that has none.

    It stands for having read the report: what `verify` would doubt, whoever signed it, is refused. The signatures
    that are there are kept, and not checked.
    """
    from deployspec.report.figures import plain
    from deployspec.report.summary import headline
    from deployspec.trust import dsse
    from deployspec.verify import read_unverified

    signing = signing_key(key)
    assert signing is not None  # the option is required
    data = read_report(report)
    _refuse_doubtful(data, artifacts_beside(report))
    envelope, content = read_unverified(data)
    _refuse_repeated(envelope, signing)
    place = out or report_file(report)
    signed = envelope.signed_by(signing)
    dsse.read(signed.to_bytes())  # what is written must be read again
    write_whole(place, signed.to_bytes())
    click.echo(f"{place}  signed by {signing.public.keyid}, with {len(signed.signatures)} in all")
    click.echo(f"it says: {plain(headline(content))}")


def _refuse_doubtful(data: bytes, artifacts: Path | None) -> None:
    """Raise TrustError for whatever verification would refuse, apart from who has signed."""
    from deployspec.verify import Demands, State, verify

    outcome = verify(data, Demands(at=datetime.now(UTC), allow_unsigned=True, artifacts=artifacts))
    doubts = [f"{step.name}: {step.detail}" for step in outcome.steps if step.state is State.REFUSED]
    if doubts:
        raise TrustError("nothing was signed, for verification would refuse it:\n  " + "\n  ".join(doubts))


def _refuse_repeated(envelope: Envelope, key: SigningKey) -> None:
    if envelope.signers([key.public]):
        raise UsageError(f"{key.public.keyid} has signed this report already, and a key counts once")
