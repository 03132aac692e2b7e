"""Tokens over signatures: what a third party's word moves, and what it cannot."""

from __future__ import annotations

import base64
import sys
import threading
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest
from sample_reports import DSSE_KEY, sealed

from deployspec.errors import TrustError, UsageError
from deployspec.trust import dsse, keys, timestamp
from deployspec.trust.policy import Role, TrustedKey, TrustPolicy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ENVELOPE = dsse.read(sealed(b"{}", DSSE_KEY))
"""Its signature is the same each time, so that a token over it can be kept."""
MADE = datetime(2026, 11, 22, 10, 58, 36, tzinfo=UTC)
LATEST = MADE + timedelta(seconds=1.5)
"""With the accuracy that the authority states."""
LATER = MADE + timedelta(days=365)
TOKEN = base64.b64decode("""
MIIDajADAgEAMIIDYQYJKoZIhvcNAQcCoIIDUjCCA04CAQMxDzANBglghkgBZQMEAgEFADB2BgsqhkiG9w0BCRABBKBnBGUwYwIBAQYEKgMEATAxMA0G
CWCGSAFlAwQCAQUABCCkMGnByRrKu/RUZdghvw/ghzjywQCcsVYWV5PlHQK32AIBAhgPMjAyNjExMjIxMDU4MzZaMAcCAQGAAgH0AghM9W1VZQ/EnqCC
AYwwggGIMIIBL6ADAgECAhQO0reB8LQ9qNDFG4BH8RkLzWjdYDAKBggqhkjOPQQDAjANMQswCQYDVQQDDAJjYTAgFw0yNjExMjIxMDU4MzZaGA8yMTI2
MTAyOTEwNTgzNlowDjEMMAoGA1UEAwwDdHNhMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEX9oq0RWYkcf+TSr1cW1nPICgHzqKyMOXrVT+EaytXrJ1
Oe4DKyP3/h9Ak75gahMyK0UNWkwJAyTGGalAKOC4T6NqMGgwFgYDVR0lAQH/BAwwCgYIKwYBBQUHAwgwDgYDVR0PAQH/BAQDAgeAMB0GA1UdDgQWBBS/
zgivSHW8mm+Wx/HFCVvC86RwVzAfBgNVHSMEGDAWgBQfKKE4ocHbxTh3EilCMgttNBt6qTAKBggqhkjOPQQDAgNHADBEAiAJAehKMn3khmW0ITl3zvsm
kOaM7Ql4pwSymXJcc1BB7wIgZvKicxnka5hfhuSKX9OQvamDGzMEtkw9SkZ8aSewhdAxggEuMIIBKgIBATAlMA0xCzAJBgNVBAMMAmNhAhQO0reB8LQ9
qNDFG4BH8RkLzWjdYDANBglghkgBZQMEAgEFAKCBmDAaBgkqhkiG9w0BCQMxDQYLKoZIhvcNAQkQAQQwHAYJKoZIhvcNAQkFMQ8XDTI2MTEyMjEwNTgz
NlowKwYLKoZIhvcNAQkQAgwxHDAaMBgwFgQU1Tw0RH/JDvNJOlR50omRF2uaG1cwLwYJKoZIhvcNAQkEMSIEIJbfxsryDtBUDlJzq0N6iGUcucVQXsvx
g/YfbR+veSZcMAoGCCqGSM49BAMCBEgwRgIhAJVk0cCnl7DS5uRya9P/6WizMclhJOnLo9gMN3FEi2KbAiEArLrpEezmCC4DYtClqjuOYpqUUEo6oTLi
rndBgAaINYQ=
""")
AUTHORITY = """\
-----BEGIN CERTIFICATE-----
MIIBcTCCARegAwIBAgIUHruN/051B7K5dAl0uNpgENj+yxowCgYIKoZIzj0EAwIw
DTELMAkGA1UEAwwCY2EwIBcNMjYxMTIyMTA1ODM2WhgPMjEyNjEwMjkxMDU4MzZa
MA0xCzAJBgNVBAMMAmNhMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEhFJi5cSd
OBxFXru3LwWU35A9gicQtX47R1R9dySHDWJZMmHhBU6dBrhxRG60vp7NOqqUG1OV
xYe4fSpV+A3jqqNTMFEwHQYDVR0OBBYEFB8ooTihwdvFOHcSKUIyC200G3qpMB8G
A1UdIwQYMBaAFB8ooTihwdvFOHcSKUIyC200G3qpMA8GA1UdEwEB/wQFMAMBAf8w
CgYIKoZIzj0EAwIDSAAwRQIhAJHJGVxsP3jHQsv1DbJIuZteGHG5BcFl1Kwnv8sV
+f8HAiAdEOrEzo0Vgibly7HUr8lRVMjLiIHmr43iScf1JH/yTw==
-----END CERTIFICATE-----
"""
"""That of the token's chain; it was made by `openssl ts -reply`, and its keys are gone."""

REJECTED = bytes.fromhex("30053003020102")
"""PKIStatus 2, and no token."""


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    (tmp_path / "tsa.pem").write_text(AUTHORITY)
    return tmp_path / "tsa.pem"


def stamped(authority: Path, token: bytes = TOKEN, until: datetime = LATER) -> dsse.Envelope:
    return timestamp.stamped(ENVELOPE.with_tokens({1: token}), timestamp.read_authorities(authority), until)


def test_a_token_shows_by_when_a_signature_existed(authority: Path) -> None:
    assert stamped(authority).signatures[0].stamped == LATEST
    assert stamped(authority, until=LATEST).stamped(DSSE_KEY.public) == LATEST
    assert stamped(authority).stamped(keys.generate().public) is None


def test_a_refusal_is_no_token(authority: Path) -> None:
    with pytest.raises(TrustError, match="cannot be read: Missing SignedData"):
        stamped(authority, REJECTED)


def test_a_token_from_the_future_is_refused(authority: Path) -> None:
    with pytest.raises(TrustError, match="signature 1 lies in the future: 2026-11-22T10:58:37Z"):
        stamped(authority, until=MADE)


def test_every_signature_needs_its_own_token(authority: Path) -> None:
    two = ENVELOPE.signed_by(keys.generate())
    authorities = timestamp.read_authorities(authority)
    with pytest.raises(TrustError, match="signature 2 has no timestamp"):
        timestamp.stamped(two.with_tokens({1: TOKEN}), authorities, LATER)
    with pytest.raises(TrustError, match="the timestamp of signature 2 does not hold: Mismatch"):
        timestamp.stamped(two.with_tokens({1: TOKEN, 2: TOKEN}), authorities, LATER)


def test_a_token_speaks_of_one_signature() -> None:
    (signature,) = ENVELOPE.signatures
    assert timestamp.is_over(TOKEN, signature.sig)
    assert not timestamp.is_over(TOKEN, signature.sig + b"!")
    assert not timestamp.is_over(b"", signature.sig)
    assert not timestamp.is_over(REJECTED, signature.sig)


def test_another_authority_is_not_believed(authority: Path) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding

    (known,) = timestamp.read_authorities(authority)
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateBuilder(known.issuer, known.subject, key.public_key(), x509.random_serial_number())
    namesake = builder.not_valid_before(MADE - timedelta(days=1)).not_valid_after(LATER).sign(key, hashes.SHA256())
    authority.write_bytes(namesake.public_bytes(Encoding.PEM))
    with pytest.raises(TrustError, match="does not hold"):
        stamped(authority)


@pytest.mark.parametrize("bit", [1, 128])
def test_whatever_byte_is_edited_no_other_moment_is_shown(authority: Path, bit: int) -> None:
    """Some bytes nobody signed, such as the form of what is around the token: they may change, the moment may not."""
    authorities = timestamp.read_authorities(authority)
    refused = 0
    for place in range(len(TOKEN)):
        edited = TOKEN[:place] + bytes([TOKEN[place] ^ bit]) + TOKEN[place + 1 :]
        try:
            found = timestamp.stamped(ENVELOPE.with_tokens({1: edited}), authorities, LATER)
        except TrustError:
            refused += 1
        else:
            assert found.signatures[0].stamped == LATEST, place
    assert refused > 0.95 * len(TOKEN)


@pytest.mark.parametrize("token", [b"nonsense", TOKEN[:-1], TOKEN + b"!", b"0\x84\xff\xff\xff\xff"])
def test_what_is_no_token_is_refused(authority: Path, token: bytes) -> None:
    with pytest.raises(TrustError, match="the timestamp of signature 1 cannot be read"):
        stamped(authority, token)


@pytest.mark.parametrize("content", ["", "nonsense", DSSE_KEY.public.pem.decode()])
def test_what_holds_no_certificate_is_no_authority(authority: Path, content: str) -> None:
    authority.write_text(content)
    with pytest.raises(UsageError, match="holds no certificate"):
        timestamp.read_authorities(authority)


def test_an_absent_file_and_an_absent_library_are_told(authority: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="cannot read the certificates"):
        timestamp.read_authorities(authority.with_name("absent"))
    monkeypatch.setitem(sys.modules, "rfc3161_client", None)
    with pytest.raises(UsageError, match=r"pip install 'deployspec\[timestamp\]'"):
        timestamp.read_authorities(authority)


def policy(**times: datetime) -> TrustPolicy:
    trusted = TrustedKey(name="machine", key=DSSE_KEY.public, roles=frozenset({Role.RELEASE}), **times)
    return TrustPolicy(keys=(trusted,), threshold=1, required={})


SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("times", "counts"),
    [
        ({"revoked_at": LATEST + SECOND}, True),
        ({"revoked_at": LATEST}, False),
        ({"not_after": LATEST}, True),
        ({"not_after": LATEST - SECOND}, False),
        ({"not_before": LATEST + SECOND}, False),
    ],
)
def test_a_key_is_judged_when_its_signature_was_stamped(
    authority: Path, times: dict[str, datetime], counts: bool
) -> None:
    """And not at that of verification, a year later, by which each of these keys has ended, or begun."""
    trust = policy(**times)
    envelope = stamped(authority)
    assert bool(trust.signers(envelope, Role.RELEASE, LATER)) is counts
    assert bool(trust.signers(ENVELOPE, Role.RELEASE, LATER)) is ("not_before" in times)
    if counts:
        assert trust.vouching(envelope, LATER) == trust.keys
    else:
        with pytest.raises(TrustError, match=r"'machine' (was revoked|is not valid)"):
            trust.vouching(envelope, LATER)


def test_the_first_of_a_keys_moments_counts() -> None:
    (one,) = ENVELOPE.signatures
    twice = replace(ENVELOPE, signatures=(replace(one, stamped=LATER), replace(one, stamped=MADE)))
    assert twice.stamped(DSSE_KEY.public) == MADE


@contextmanager
def answering(answer: bytes, status: int = 200) -> Iterator[str]:
    """An authority that says the same to everybody."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("answer", "status", "message"),
    [
        (TOKEN, 200, "a timestamp that was not asked for"),
        (b"nonsense", 200, "no timestamp that can be read"),
        (REJECTED, 200, "grants no timestamp"),
        (TOKEN, 503, "HTTP Error 503"),
    ],
)
def test_an_answer_that_does_not_serve_is_told(answer: bytes, status: int, message: str) -> None:
    with answering(answer, status) as url, pytest.raises(UsageError, match=message):
        timestamp.request(ENVELOPE.signatures[0].sig, url)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "tsa.example", "http://127.0.0.1:1", "http://[", "http://"])
def test_an_address_that_does_not_serve_is_told(url: str) -> None:
    with pytest.raises(UsageError, match="timestamp"):
        timestamp.request(b"signature", url)
