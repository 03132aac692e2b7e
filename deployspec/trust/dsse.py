"""DSSE, the Dead Simple Signing Envelope, version 1: sign bytes, verify bytes, and only then read those same bytes.

Protocol: https://github.com/secure-systems-lab/dsse/blob/master/protocol.md
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from deployspec.errors import TrustError
from deployspec.trust import strict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from deployspec.trust.keys import Signer, VerifyingKey

IN_TOTO: Final = "application/vnd.in-toto+json"
MAX_SIGNATURES: Final = 64


@dataclass(frozen=True)
class Signature:
    """A signature over an envelope's `pae`. `keyid` is a hint that nobody signed: nothing is decided by it.

    `token` is a third party's over it, for which an envelope has no place; `stamped` is the moment by which it existed
    according to a token that was verified.
    """

    keyid: str
    sig: bytes
    token: bytes = b""
    stamped: datetime | None = None


@dataclass(frozen=True)
class Envelope:
    """Opaque bytes, the type that says how to read them, and any number of signatures over both."""

    payload: bytes
    payload_type: str = IN_TOTO
    signatures: tuple[Signature, ...] = ()

    @property
    def pae(self) -> bytes:
        """The bytes that are signed."""
        return pae(self.payload_type, self.payload)

    @property
    def keyids(self) -> tuple[str, ...]:
        """Who claims to have signed, each once, in order."""
        return tuple(dict.fromkeys(signature.keyid or "an unnamed key" for signature in self.signatures))

    def signed_by(self, key: Signer) -> Envelope:
        """The same envelope with one more signature."""
        added = Signature(key.public.keyid, key.sign(self.pae))
        return replace(self, signatures=(*self.signatures, added))

    def signers(self, keys: Iterable[VerifyingKey]) -> tuple[VerifyingKey, ...]:
        """Those of `keys` that signed exactly these bytes, each once, however often or under whatever keyid."""
        signed = self.pae
        return tuple(
            key for key in dict.fromkeys(keys) if any(key.verifies(signed, each.sig) for each in self.signatures)
        )

    def with_tokens(self, tokens: Mapping[int, bytes]) -> Envelope:
        """The same envelope, with tokens by the number of their signature, from 1 on."""
        numbered = enumerate(self.signatures, 1)
        return replace(self, signatures=tuple(replace(each, token=tokens.get(at, b"")) for at, each in numbered))

    def stamped(self, key: VerifyingKey) -> datetime | None:
        """The first moment by which a signature of `key` is shown to have existed."""
        shown = ((each.stamped, each.sig) for each in self.signatures if each.stamped)
        return min((moment for moment, sig in shown if key.verifies(self.pae, sig)), default=None)

    def to_bytes(self) -> bytes:
        """The envelope's JSON, ending in a newline."""
        document = {
            "payloadType": self.payload_type,
            "payload": base64.b64encode(self.payload).decode(),
            "signatures": [
                {"keyid": each.keyid, "sig": base64.b64encode(each.sig).decode()} for each in self.signatures
            ],
        }
        return json.dumps(document, indent=2).encode() + b"\n"


def pae(payload_type: str, payload: bytes) -> bytes:
    """Pre-authentication encoding: type and payload, each behind its length, so that neither runs into the other."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def read(data: bytes) -> Envelope:
    """The envelope that `data` holds, nothing of it verified. Raises TrustError.

    Fields that the protocol does not know are ignored, as it asks; no signature covers them.
    """
    document = _object(strict.loads(data, "the envelope"), "the envelope")
    signatures = document.get("signatures")
    if not isinstance(signatures, list) or len(signatures) > MAX_SIGNATURES:
        raise TrustError(f"the envelope: 'signatures' must be an array of at most {MAX_SIGNATURES}")
    return Envelope(
        payload=_base64(document, "payload"),
        payload_type=_text(document, "payloadType"),
        signatures=tuple(_signature(each) for each in signatures),
    )


def _signature(value: Any) -> Signature:
    fields = _object(value, "a signature of the envelope")
    return Signature(_text({"keyid": "", **fields}, "keyid"), _base64(fields, "sig"))


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TrustError(f"{what} is not a JSON object")
    return value


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        raise TrustError(f"the envelope: '{name}' must be a string")
    return value


def _base64(fields: dict[str, Any], name: str) -> bytes:
    """The bytes behind a base64 text, standard or URL-safe (the protocol allows both), in its one canonical form."""
    text = _text(fields, name)
    for altchars in (b"+/", b"-_"):
        try:
            data = base64.b64decode(text, altchars=altchars, validate=True)
        except ValueError:
            continue
        if data and base64.b64encode(data, altchars=altchars).decode() == text:
            return data
    raise TrustError(f"the envelope: '{name}' must be canonical base64 of at least one byte")
