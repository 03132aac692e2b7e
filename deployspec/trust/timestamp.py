"""Tokens by which a third party shows that a signature existed at a moment (RFC 3161), through rfc3161-client.

DSSE has no place for them. Each is a DER TimeStampResp in a file beside the report, as `openssl ts` writes it.
"""

from __future__ import annotations

import hashlib
import urllib.request
from dataclasses import replace
from datetime import timedelta
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, Final

from deployspec.errors import TrustError, UsageError
from deployspec.ir.report import write_time

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from cryptography.x509 import Certificate

    from deployspec.trust.dsse import Envelope, Signature

MAX_BYTES: Final = 1 << 20
_PATIENCE: Final = 30.0
"""Seconds to wait for an authority."""


def read_authorities(path: Path) -> tuple[Certificate, ...]:
    """The certificates in a PEM file, to each of which a token's chain may lead. Raises UsageError."""
    from cryptography import x509

    _library()
    try:
        return tuple(x509.load_pem_x509_certificates(path.read_bytes()))
    except OSError as error:
        raise UsageError(f"cannot read the certificates '{path}': {error.strerror}") from None
    except ValueError:
        raise UsageError(f"'{path}' holds no certificate in PEM that can be read") from None


def request(signature: bytes, url: str) -> bytes:
    """A token over `signature` from the authority at `url`. Raises UsageError.

    That it is over this signature and answers this request is seen to here; whether its authority is to be trusted
    is for the verifier to say.
    """
    library = _library()
    asked = library.TimestampRequestBuilder().data(signature).hash_algorithm(library.HashAlgorithm.SHA256).build()
    token = _post(url, asked.as_bytes())
    try:
        answer = library.decode_timestamp_response(token)
        if answer.status != library.PKIStatus.GRANTED:
            raise UsageError(f"'{url}' grants no timestamp: {', '.join(answer.status_string) or answer.status}")
        answers = answer.tst_info.nonce == asked.nonce and is_over(token, signature)
    except ValueError as error:
        raise UsageError(f"'{url}' answers with no timestamp that can be read: {error}") from None
    if not answers:
        raise UsageError(f"'{url}' answers with a timestamp that was not asked for")
    return token


def is_over(token: bytes, signature: bytes) -> bool:
    """Whether `token` is one that speaks of this signature, whoever made it."""
    try:
        imprint = _library().decode_timestamp_response(token).tst_info.message_imprint.message
    except ValueError:
        return False
    return imprint in [hashlib.new(name, signature).digest() for name in ("sha256", "sha384", "sha512")]


def stamped(envelope: Envelope, authorities: tuple[Certificate, ...], until: datetime) -> Envelope:
    """The envelope, each signature with the moment by which it existed.

    Raises TrustError unless every signature has a token that leads to one of the authorities, not after `until`.
    """
    numbered = enumerate(envelope.signatures, 1)
    return replace(envelope, signatures=tuple(_stamped(each, number, authorities, until) for number, each in numbered))


def _stamped(signature: Signature, number: int, authorities: tuple[Certificate, ...], until: datetime) -> Signature:
    if not signature.token:
        raise TrustError(f"signature {number} has no timestamp: `deployspec sign --timestamp-url` asks for one")
    try:
        moment = _moment(signature, authorities)
    except TrustError as error:
        raise TrustError(f"the timestamp of signature {number} {error}") from None
    if moment > until:
        raise TrustError(f"the timestamp of signature {number} lies in the future: {write_time(moment)}")
    return replace(signature, stamped=moment)


def _moment(signature: Signature, authorities: tuple[Certificate, ...]) -> datetime:
    """The latest moment at which its token can have been made. Raises TrustError."""
    library = _library()
    try:
        answer = library.decode_timestamp_response(signature.token)
        library.VerifierBuilder(roots=list(authorities)).build().verify_message(answer, signature.sig)
        made: datetime = answer.tst_info.gen_time
        return made + _accuracy(answer.tst_info.accuracy)
    except library.VerificationError as error:
        raise TrustError(f"does not hold: {error}") from None
    except Exception as error:  # what cryptography says of a hostile certificate has no base of its own
        raise TrustError(f"cannot be read: {error}") from None


def _accuracy(stated: Any) -> timedelta:
    """How far the authority's clock may be off, as it says itself (RFC 3161, 2.4.2)."""
    if stated is None:
        return timedelta()
    return timedelta(seconds=stated.seconds or 0, milliseconds=stated.millis or 0, microseconds=stated.micros or 0)


def _post(url: str, query: bytes) -> bytes:
    if not url.startswith(("https://", "http://")):
        raise UsageError(f"'{url}' is no address of a timestamp authority: it begins with https:// or http://")
    headers = {"Content-Type": "application/timestamp-query"}
    try:
        asked = urllib.request.Request(url, query, headers)  # noqa: S310 - the scheme was held to HTTP
        with urllib.request.urlopen(asked, timeout=_PATIENCE) as answer:  # noqa: S310
            return bytes(answer.read(MAX_BYTES))
    except (OSError, ValueError, HTTPException) as error:
        raise UsageError(f"no timestamp from '{url}': {error}") from None


def _library() -> Any:
    try:
        import rfc3161_client
    except ImportError:
        raise UsageError("timestamps need an extra: pip install 'deployspec[timestamp]'") from None
    return rfc3161_client
