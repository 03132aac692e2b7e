"""The key that a user signs with and the policy of whom they trust, read before any work is done."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.x509 import Certificate

    from deployspec.trust.keys import Signer
    from deployspec.trust.policy import TrustPolicy

HARDWARE: Final = "hsm:"
"""How a key in hardware begins, where the path of a file might stand."""


def signing_key(path: Path | None) -> Signer | None:
    """The private key in a PEM file, or in hardware (`hsm:…`), its passphrase or PIN from the environment.

    Raises UsageError.
    """
    if path is None:
        return None
    from deployspec.trust.keys import PASSPHRASE_VARIABLE, load_signing_key

    secret = os.environ.get(PASSPHRASE_VARIABLE)
    if str(path).startswith(HARDWARE):
        from deployspec.trust import hardware

        return hardware.load(str(path), secret)
    return load_signing_key(path, secret)


def trust_policy(path: Path | None) -> TrustPolicy | None:
    """The policy in a `trust.toml`. Raises SpecFaults."""
    if path is None:
        return None
    from deployspec.trust.policy import TrustPolicy

    return TrustPolicy.read(path)


def timestamp_authorities(path: Path | None) -> tuple[Certificate, ...]:
    """The certificates in a PEM file. Raises UsageError."""
    if path is None:
        return ()
    from deployspec.trust.timestamp import read_authorities

    return read_authorities(path)
