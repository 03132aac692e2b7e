"""Keys: ECDSA P-256 with SHA-256 and deterministic nonces (RFC 6979), or Ed25519, in PEM files.

Private keys are PKCS #8, public keys SubjectPublicKeyInfo. A key is named by its SSH fingerprint.
"""

from __future__ import annotations

import base64
import hashlib
import os
import tempfile
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Final, Protocol, assert_never

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from deployspec.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

PASSPHRASE_VARIABLE: Final = "DEPLOYSPEC_KEY_PASSPHRASE"  # noqa: S105 - its name, not its value
_MAX_PEM_BYTES: Final = 64 * 1024
_KINDS: Final = "only ECDSA P-256 and Ed25519 keys are used"

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey


class Algorithm(StrEnum):
    """The signature algorithms that keygen offers."""

    ECDSA_P256 = "ecdsa-p256"
    ED25519 = "ed25519"


class VerifyingKey:
    """A public key. Two are equal when they are the same key, whatever file or name they came by."""

    def __init__(self, key: PublicKey) -> None:
        self._key = key
        self._spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VerifyingKey) and other._spki == self._spki

    def __hash__(self) -> int:
        return hash(self._spki)

    @cached_property
    def keyid(self) -> str:
        """The SSH fingerprint, as `ssh-keygen -l` prints it: `SHA256:` and unpadded base64."""
        wire = self._key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).split()[1]
        digest = hashlib.sha256(base64.b64decode(wire)).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")

    @property
    def pem(self) -> bytes:
        """The key as a SubjectPublicKeyInfo PEM."""
        return self._key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """Whether `signature` (DER for ECDSA, 64 raw bytes for Ed25519) is this key's over `message`."""
        try:
            if isinstance(self._key, ec.EllipticCurvePublicKey):
                self._key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
            else:
                self._key.verify(signature, message)
        except InvalidSignature:
            return False
        return True


class Signer(Protocol):
    """Whatever signs: a private key that is at hand, or hardware that holds one."""

    @property
    def public(self) -> VerifyingKey:
        """Its public half."""
        ...

    def sign(self, message: bytes) -> bytes:
        """The signature over `message`, as `VerifyingKey.verifies` takes it."""
        ...


@dataclass(frozen=True)
class SigningKey:
    """A private key: a `Signer`."""

    _key: PrivateKey

    @property
    def public(self) -> VerifyingKey:
        """Its public half."""
        return VerifyingKey(self._key.public_key())

    @property
    def pem(self) -> bytes:
        """The key as an unencrypted PKCS #8 PEM."""
        plain = serialization.NoEncryption()
        return self._key.private_bytes(Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)

    def sign(self, message: bytes) -> bytes:
        """The signature over `message`; the same message and key always give the same bytes."""
        if isinstance(self._key, ec.EllipticCurvePrivateKey):
            return self._key.sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
        return self._key.sign(message)


def generate(algorithm: Algorithm = Algorithm.ECDSA_P256) -> SigningKey:
    """A fresh key from the system's randomness."""
    match algorithm:
        case Algorithm.ECDSA_P256:
            return SigningKey(ec.generate_private_key(ec.SECP256R1()))
        case Algorithm.ED25519:
            return SigningKey(ed25519.Ed25519PrivateKey.generate())
        case _:
            assert_never(algorithm)


def load_signing_key(path: Path, passphrase: str | None = None) -> SigningKey:
    """The private key in a PEM file; `passphrase` is used when it is encrypted.

    Raises UsageError, which never repeats what the file holds.
    """
    pem = _read(path)
    encrypted = b"ENCRYPTED" in pem
    if encrypted and not passphrase:
        raise UsageError(f"'{path}' is encrypted: give its passphrase in the environment as {PASSPHRASE_VARIABLE}")
    try:
        key = serialization.load_pem_private_key(pem, passphrase.encode() if encrypted and passphrase else None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        hint = f": is {PASSPHRASE_VARIABLE} right?" if encrypted else _other_half(pem, b"PUBLIC KEY")
        raise UsageError(f"'{path}' holds no private key that can be read{hint}") from None
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return SigningKey(key)
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        return SigningKey(key)
    raise UsageError(f"'{path}': {_KINDS}; `deployspec keygen` makes one")


def load_verifying_key(path: Path) -> VerifyingKey:
    """The public key in a PEM file. Raises UsageError."""
    return read_verifying_key(_read(path), f"'{path}'")


def read_verifying_key(pem: bytes, name: str) -> VerifyingKey:
    """The public key in a PEM; `name` says in messages where it stands. Raises UsageError."""
    try:
        key = serialization.load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        hint = _other_half(pem, b"PRIVATE KEY")
        raise UsageError(f"{name} holds no public key that can be read{hint}") from None
    if isinstance(key, ed25519.Ed25519PublicKey):
        return VerifyingKey(key)
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return VerifyingKey(key)
    raise UsageError(f"{name}: {_KINDS}")


def write_pair(prefix: Path, key: SigningKey) -> tuple[Path, Path]:
    """Write PREFIX.pem (readable by its owner only) and PREFIX.pub.pem, each whole or not at all.

    Raises UsageError when one of them exists: a key is never overwritten.
    """
    private, public = (prefix.with_name(prefix.name + suffix) for suffix in (".pem", ".pub.pem"))
    _create(private, key.pem, mode=0o600)
    try:
        _create(public, key.public.pem, mode=0o644)
    except UsageError:
        private.unlink()
        raise
    return private, public


def _create(path: Path, content: bytes, mode: int) -> None:
    """A new file that appears complete under its name, by linking a finished one to it."""
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent) as draft:  # created with mode 0600
            draft.write(content)
            draft.flush()
            os.fchmod(draft.fileno(), mode)
            os.fsync(draft.fileno())
            os.link(draft.name, path)
    except FileExistsError:
        raise UsageError(f"'{path}' exists, and a key is never overwritten: choose another name") from None
    except OSError as error:
        raise UsageError(f"cannot write '{path}': {error.strerror}") from None


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(_MAX_PEM_BYTES)
    except OSError as error:
        raise UsageError(f"cannot read the key '{path}': {error.strerror}") from None


def _other_half(pem: bytes, label: bytes) -> str:
    return f": it is the pair's other half, a {label.decode().lower()}" if label in pem else ""
