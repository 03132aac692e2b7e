"""The lines of docs/trust.md that verify by hand: a shell and openssl, nothing of ours."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from others import MUTATED, SIGNERS, STRANGER
from sample_reports import envelope, passing

from deployspec.trust import dsse

if TYPE_CHECKING:
    from pathlib import Path

EXTRACT = r"""
set -e
sed -n 's/^  "payload": "\(.*\)",$/\1/p' report.dsse.json | openssl base64 -d -A > payload
sed -n 's/^ *"sig": "\(.*\)"$/\1/p' report.dsse.json | openssl base64 -d -A > signature
{ printf 'DSSEv1 28 application/vnd.in-toto+json %d ' $(wc -c < payload); cat payload; } > signed
"""
CHECK = {
    "ecdsa-p256": "openssl dgst -sha256 -verify release.pub.pem -signature signature signed",
    "ed25519": "openssl pkeyutl -verify -pubin -inkey release.pub.pem -rawin -in signed -sigfile signature",
}


def verifies(data: bytes, key: bytes, signer: str, folder: Path) -> bool:
    (folder / "report.dsse.json").write_bytes(data)
    (folder / "release.pub.pem").write_bytes(key)
    return subprocess.run(["sh", "-c", EXTRACT + CHECK[signer]], cwd=folder, capture_output=True).returncode == 0


def alone(data: bytes, signer: str) -> bytes:
    """The envelope as we write it, with the signature that claims to be of this signer."""
    found = dsse.read(data)
    keyid = SIGNERS[signer].public.keyid
    kept = tuple(each for each in found.signatures if each.keyid == keyid)
    return dsse.Envelope(found.payload, found.payload_type, kept).to_bytes()


@pytest.mark.parametrize("signer", SIGNERS)
def test_a_signature_verifies_by_hand(signer: str, tmp_path: Path) -> None:
    data = envelope(passing(), SIGNERS[signer])
    assert verifies(data, SIGNERS[signer].public.pem, signer, tmp_path)
    assert not verifies(data, STRANGER.public.pem, signer, tmp_path)


@pytest.mark.parametrize("signer", SIGNERS)
@pytest.mark.parametrize("case", [case for case in MUTATED if case != "another payload type"])
def test_what_was_mutated_is_refused(case: str, signer: str, tmp_path: Path) -> None:
    """But for the type: whoever verifies by hand writes it down by hand."""
    assert not verifies(alone(MUTATED[case], signer), SIGNERS[signer].public.pem, signer, tmp_path)
