"""`deployspec keygen`: make a key pair to sign reports with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from deployspec.cli.named import NamedPath

if TYPE_CHECKING:
    from pathlib import Path

_EXAMPLES = """\b
Examples:
  deployspec keygen --out release
  deployspec keygen --out keys/lab --algorithm ed25519
"""


@click.command(epilog=_EXAMPLES)
@click.option(
    "--out",
    "prefix",
    required=True,
    metavar="PREFIX",
    type=NamedPath(),
    help="Write PREFIX.pem (keep it secret) and PREFIX.pub.pem (give it to verifiers).",
)
@click.option(
    "--algorithm",
    type=click.Choice(["ecdsa-p256", "ed25519"]),
    default="ecdsa-p256",
    show_default=True,
    help="The kind of key.",
)
def command(prefix: Path, algorithm: str) -> None:
    """Make a key pair. Files that exist are never overwritten."""
    from deployspec.trust import keys

    key = keys.generate(keys.Algorithm(algorithm))
    private, public = keys.write_pair(prefix, key)
    click.echo(f"{private}  the private key: keep it secret, and out of the repository")
    click.echo(f"{public}  the public key, {key.public.keyid}")
