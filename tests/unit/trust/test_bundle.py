"""Sigstore bundles: one a signer, each around the very bytes that were signed."""

from __future__ import annotations

import base64
import json

from sample_reports import DSSE_KEY, sealed

from deployspec.trust import bundle, dsse, keys

PAYLOAD = b"{}"
SECOND = keys.generate(keys.Algorithm.ED25519)


def test_each_signer_gets_a_bundle_with_one_signature() -> None:
    envelope = dsse.read(sealed(PAYLOAD, DSSE_KEY, SECOND))
    found = [json.loads(line) for line in bundle.render(envelope).splitlines()]
    assert len(found) == 2
    for document, key in zip(found, (DSSE_KEY.public, SECOND.public), strict=True):
        assert document["mediaType"] == "application/vnd.dev.sigstore.bundle.v0.3+json"
        assert document["verificationMaterial"] == {"publicKey": {"hint": key.keyid}, "tlogEntries": []}
        inside = document["dsseEnvelope"]
        assert (inside["payloadType"], base64.b64decode(inside["payload"])) == (dsse.IN_TOTO, PAYLOAD)
        (signature,) = inside["signatures"]
        assert key.verifies(envelope.pae, base64.b64decode(signature["sig"]))


def test_what_is_inside_is_an_envelope_again() -> None:
    line = bundle.render(dsse.read(sealed(PAYLOAD, DSSE_KEY)))
    inside = dsse.read(json.dumps(json.loads(line)["dsseEnvelope"]).encode())
    assert inside.signers([DSSE_KEY.public]) == (DSSE_KEY.public,)


def test_a_token_travels_with_its_signature() -> None:
    envelope = dsse.read(sealed(PAYLOAD, DSSE_KEY, SECOND)).with_tokens({2: b"a token"})
    one, other = (json.loads(line)["verificationMaterial"] for line in bundle.render(envelope).splitlines())
    assert "timestampVerificationData" not in one
    (stamp,) = other["timestampVerificationData"]["rfc3161Timestamps"]
    assert base64.b64decode(stamp["signedTimestamp"]) == b"a token"
