"""The key that a user signs with and the policy of whom they trust, read before any work is done."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from deployspec.trust.keys import SigningKey
    from deployspec.trust.policy import TrustPolicy


def signing_key(path: Path | None) -> SigningKey | None:
    """The private key in a PEM file, its passphrase from the environment. Raises UsageError."""
    if path is None:
        return None
    from deployspec.trust.keys import PASSPHRASE_VARIABLE, load_signing_key

    return load_signing_key(path, os.environ.get(PASSPHRASE_VARIABLE))


def trust_policy(path: Path | None) -> TrustPolicy | None:
    """The policy in a `trust.toml`. Raises SpecFaults."""
    if path is None:
        return None
    from deployspec.trust.policy import TrustPolicy

    return TrustPolicy.read(path)
