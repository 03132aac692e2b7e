"""Sigstore bundles, version 0.3: an envelope with one signature and a hint at its key, for cosign and its like.

Specification: https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_bundle.proto
"""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from deployspec.trust.dsse import Envelope

MEDIA_TYPE: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"


def render(envelope: Envelope) -> str:
    """One bundle a line, one for each signature of the envelope: a bundle holds exactly one."""
    return "".join(json.dumps(_bundle(replace(envelope, signatures=(each,)))) + "\n" for each in envelope.signatures)


def _bundle(envelope: Envelope) -> dict[str, Any]:
    (signature,) = envelope.signatures
    stamp = {"rfc3161Timestamps": [{"signedTimestamp": base64.b64encode(signature.token).decode()}]}
    return {
        "mediaType": MEDIA_TYPE,
        "verificationMaterial": {"publicKey": {"hint": signature.keyid}, "tlogEntries": []}
        | ({"timestampVerificationData": stamp} if signature.token else {}),
        "dsseEnvelope": {
            "payload": base64.b64encode(envelope.payload).decode(),
            "payloadType": envelope.payload_type,
            "signatures": [{"sig": base64.b64encode(signature.sig).decode(), "keyid": signature.keyid}],
        },
    }
