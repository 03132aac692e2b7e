"""Reports for other verifiers: sound ones, and mutated ones that none of them may accept."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric import ed25519
from sample_reports import DSSE_KEY, envelope, passing

from deployspec.trust import dsse, keys

if TYPE_CHECKING:
    from collections.abc import Callable

SIGNERS = {
    "ecdsa-p256": DSSE_KEY,
    "ed25519": keys.SigningKey(ed25519.Ed25519PrivateKey.from_private_bytes(b"the second key of these vectors.")),
}
STRANGER = keys.generate()
BOTH = envelope(passing(), *SIGNERS.values())


def _payload(edit: Callable[[bytes], bytes]) -> bytes:
    document = json.loads(BOTH)
    document["payload"] = base64.b64encode(edit(base64.b64decode(document["payload"]))).decode()
    return json.dumps(document).encode()


def _with(**fields: Any) -> bytes:
    return json.dumps(json.loads(BOTH) | fields).encode()


def _signatures(edit: Callable[[bytes], bytes]) -> bytes:
    found = json.loads(BOTH)["signatures"]
    return _with(
        signatures=[each | {"sig": base64.b64encode(edit(base64.b64decode(each["sig"]))).decode()} for each in found]
    )


def _swapped() -> bytes:
    one, other = json.loads(BOTH)["signatures"]
    return _with(signatures=[one | {"sig": other["sig"]}, other | {"sig": one["sig"]}])


def _strangers() -> bytes:
    signature = base64.b64encode(STRANGER.sign(dsse.read(BOTH).pae)).decode()
    return _with(signatures=[{"keyid": key.public.keyid, "sig": signature} for key in SIGNERS.values()])


MUTATED = {
    "a released result": _payload(lambda payload: payload.replace(b'"result":"passed"', b'"result":"failed"')),
    "a byte added": _payload(lambda payload: payload + b" "),
    "a bit of the payload": _payload(lambda payload: bytes([payload[0] ^ 1]) + payload[1:]),
    "another payload type": _with(payloadType="application/json"),
    "a bit of each signature": _signatures(lambda signature: signature[:-1] + bytes([signature[-1] ^ 1])),
    "each signature cut short": _signatures(lambda signature: signature[:-1]),
    "signatures swapped": _swapped(),
    "a stranger under the right key ids": _strangers(),
}
