"""Keys: how they are named, kept, read and refused."""

from __future__ import annotations

import base64
import hashlib
import stat
import struct
import subprocess
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from sample_reports import DSSE_KEY

from deployspec.errors import UsageError
from deployspec.trust import keys

if TYPE_CHECKING:
    from pathlib import Path


def fingerprint_by_hand(*fields: bytes) -> str:
    """RFC 4253, 6.6: each field behind its length; SHA-256 of it in unpadded base64."""
    wire = b"".join(struct.pack(">I", len(field)) + field for field in fields)
    return "SHA256:" + base64.b64encode(hashlib.sha256(wire).digest()).decode().rstrip("=")


def test_keyid_of_a_p256_key_is_its_ssh_fingerprint() -> None:
    numbers = DSSE_KEY._key.public_key().public_numbers()  # type: ignore[union-attr]
    point = b"\x04" + numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")
    assert DSSE_KEY.public.keyid == fingerprint_by_hand(b"ecdsa-sha2-nistp256", b"nistp256", point)


def test_keyid_of_an_ed25519_key_is_its_ssh_fingerprint() -> None:
    private = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))
    raw = private.public_key().public_bytes_raw()
    assert keys.SigningKey(private).public.keyid == fingerprint_by_hand(b"ssh-ed25519", raw)


@pytest.mark.parametrize("algorithm", list(keys.Algorithm))
def test_a_written_pair_reads_back(tmp_path: Path, algorithm: keys.Algorithm) -> None:
    key = keys.generate(algorithm)
    private, public = keys.write_pair(tmp_path / "release.v1", key)
    assert (private.name, public.name) == ("release.v1.pem", "release.v1.pub.pem")
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert stat.S_IMODE(public.stat().st_mode) == 0o644
    assert keys.load_verifying_key(public) == keys.load_signing_key(private).public == key.public
    assert sorted(tmp_path.iterdir()) == sorted([private, public])
    signature = keys.load_signing_key(private).sign(b"message")
    assert key.public.verifies(b"message", signature)
    assert not key.public.verifies(b"massage", signature)


def test_openssl_reads_both_files(tmp_path: Path) -> None:
    private, public = keys.write_pair(tmp_path / "k", keys.generate())
    derived = subprocess.run(["openssl", "pkey", "-in", private, "-pubout"], capture_output=True, check=True).stdout
    assert derived == public.read_bytes()
    assert private.read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----\n")


@pytest.mark.parametrize("existing", ["k.pem", "k.pub.pem"])
def test_keys_are_never_overwritten(tmp_path: Path, existing: str) -> None:
    (tmp_path / existing).write_text("precious")
    with pytest.raises(UsageError, match="never overwritten"):
        keys.write_pair(tmp_path / "k", keys.generate())
    assert [path.name for path in tmp_path.iterdir()] == [existing]
    assert (tmp_path / existing).read_text() == "precious"


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot write .*No such file"):
        keys.write_pair(tmp_path / "absent" / "k", keys.generate())


def test_an_encrypted_key_asks_for_its_passphrase(tmp_path: Path) -> None:
    encrypted = DSSE_KEY._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"open sesame"))
    path = tmp_path / "key.pem"
    path.write_bytes(encrypted)
    with pytest.raises(UsageError, match="DEPLOYSPEC_KEY_PASSPHRASE"):
        keys.load_signing_key(path)
    with pytest.raises(UsageError, match="is DEPLOYSPEC_KEY_PASSPHRASE right"):
        keys.load_signing_key(path, "wrong")
    assert keys.load_signing_key(path, "open sesame").public == DSSE_KEY.public


def test_a_passphrase_for_a_plain_key_is_not_needed(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(DSSE_KEY.pem)
    assert keys.load_signing_key(tmp_path / "key.pem", "left over").public == DSSE_KEY.public


def test_the_halves_are_not_confused(tmp_path: Path) -> None:
    private, public = keys.write_pair(tmp_path / "k", DSSE_KEY)
    with pytest.raises(UsageError, match="other half, a public key"):
        keys.load_signing_key(public)
    with pytest.raises(UsageError, match="other half, a private key"):
        keys.load_verifying_key(private)


@pytest.mark.parametrize("load", [keys.load_signing_key, keys.load_verifying_key])
@pytest.mark.parametrize("content", [b"", b"hello", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"])
def test_what_is_no_key_is_said(tmp_path: Path, load: object, content: bytes) -> None:
    (tmp_path / "key.pem").write_bytes(content)
    with pytest.raises(UsageError, match="holds no p"):
        load(tmp_path / "key.pem")  # type: ignore[operator]
    with pytest.raises(UsageError, match="cannot read the key"):
        load(tmp_path / "absent.pem")  # type: ignore[operator]


@pytest.mark.parametrize(
    "other",
    [ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048)],
    ids=["p384", "rsa"],
)
def test_other_kinds_of_keys_are_refused(tmp_path: Path, other: rsa.RSAPrivateKey) -> None:
    (tmp_path / "k.pem").write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public = other.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "k.pub.pem").write_bytes(public)
    with pytest.raises(UsageError, match="only ECDSA P-256 and Ed25519"):
        keys.load_signing_key(tmp_path / "k.pem")
    with pytest.raises(UsageError, match="only ECDSA P-256 and Ed25519"):
        keys.load_verifying_key(tmp_path / "k.pub.pem")


def test_signing_is_deterministic() -> None:
    assert DSSE_KEY.sign(b"m") == DSSE_KEY.sign(b"m")


@pytest.mark.parametrize("signature", [b"", b"\x30", b"\x00" * 64, b"\x30\x06\x02\x01\x00\x02\x01\x00"])
@pytest.mark.parametrize("algorithm", list(keys.Algorithm))
def test_malformed_signatures_are_only_false(algorithm: keys.Algorithm, signature: bytes) -> None:
    assert not keys.generate(algorithm).public.verifies(b"m", signature)
