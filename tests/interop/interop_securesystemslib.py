"""The envelope, verified by the library of TUF and in-toto, and one that it signed, verified by us."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from others import BOTH, MUTATED, SIGNERS
from sample_reports import passing
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import CryptoSigner, SSlibKey

from deployspec.report import statement
from deployspec.trust import dsse

if TYPE_CHECKING:
    from deployspec.trust.keys import SigningKey


def theirs(key: SigningKey) -> SSlibKey:
    return SSlibKey.from_crypto(load_pem_public_key(key.public.pem), keyid=key.public.keyid)


KEYS = [theirs(key) for key in SIGNERS.values()]


def test_both_signatures_make_a_threshold_of_two() -> None:
    assert set(Envelope.from_dict(json.loads(BOTH)).verify(KEYS, 2)) == {key.keyid for key in KEYS}


@pytest.mark.parametrize("case", MUTATED)
def test_what_was_mutated_is_refused(case: str) -> None:
    with pytest.raises(VerificationError):
        Envelope.from_dict(json.loads(MUTATED[case])).verify(KEYS, 1)


@pytest.mark.parametrize("signer", SIGNERS)
def test_what_it_signs_is_verified_here(signer: str) -> None:
    ours = SIGNERS[signer]
    private = load_pem_private_key(ours.pem, None)
    envelope = Envelope(statement.to_bytes(passing()), dsse.IN_TOTO, {})
    envelope.sign(CryptoSigner(private, theirs(ours)))
    assert dsse.read(json.dumps(envelope.to_dict()).encode()).signers([ours.public]) == (ours.public,)
