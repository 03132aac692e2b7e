"""The envelope: the protocol's own vector, openssl as a second opinion, and every way to tamper with it."""

from __future__ import annotations

import base64
import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from sample_reports import DSSE_KEY, sealed

from deployspec.errors import TrustError
from deployspec.trust import dsse, keys

if TYPE_CHECKING:
    from pathlib import Path

PAYLOAD = b'{"small": "envelope"}'


def raw_to_der(signature: bytes) -> bytes:
    r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
    return encode_dss_signature(r, s)


def edited(data: bytes, **fields: Any) -> bytes:
    return json.dumps(json.loads(data) | fields).encode()


class TestProtocolVector:
    TYPE = "http://example.com/HelloWorld"
    BODY = b"hello world"
    RAW = "A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA=="

    def test_type_and_payload_each_stand_behind_their_length(self) -> None:
        assert dsse.pae(self.TYPE, self.BODY) == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"

    def test_the_published_signature_verifies(self) -> None:
        der = raw_to_der(base64.b64decode(self.RAW))
        assert DSSE_KEY.public.verifies(dsse.pae(self.TYPE, self.BODY), der)

    def test_deterministic_signing_gives_the_published_signature(self) -> None:
        der = raw_to_der(base64.b64decode(self.RAW))
        assert DSSE_KEY.sign(dsse.pae(self.TYPE, self.BODY)) == der


def test_pae_counts_bytes_not_characters() -> None:
    assert dsse.pae("é", "ü".encode()) == b"DSSEv1 2 \xc3\xa9 2 \xc3\xbc"


@pytest.mark.parametrize("algorithm", list(keys.Algorithm))
def test_a_signed_envelope_comes_back_and_verifies(algorithm: keys.Algorithm) -> None:
    key = keys.generate(algorithm)
    found = dsse.read(sealed(PAYLOAD, key))
    assert found.payload == PAYLOAD
    assert found.payload_type == "application/vnd.in-toto+json"
    assert found.keyids == (key.public.keyid,)
    assert found.signers([key.public]) == (key.public,)


def test_without_a_key_the_envelope_has_no_signatures() -> None:
    found = dsse.read(sealed(PAYLOAD))
    assert found.signatures == ()
    assert found.signers([DSSE_KEY.public]) == ()


def test_openssl_verifies_the_signature_over_the_pae(tmp_path: Path) -> None:
    envelope = dsse.read(sealed(PAYLOAD, DSSE_KEY))
    (tmp_path / "key.pem").write_bytes(DSSE_KEY.public.pem)
    (tmp_path / "sig").write_bytes(envelope.signatures[0].sig)

    def openssl(message: bytes) -> int:
        command = ["openssl", "dgst", "-sha256", "-verify", "key.pem", "-signature", "sig"]
        return subprocess.run(command, input=message, cwd=tmp_path, capture_output=True, check=False).returncode

    by_hand = b"DSSEv1 28 application/vnd.in-toto+json %d " % len(PAYLOAD) + PAYLOAD
    assert openssl(by_hand) == 0
    assert openssl(by_hand + b" ") == 1


def test_a_signature_that_openssl_made_verifies(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(DSSE_KEY.pem)
    envelope = dsse.Envelope(PAYLOAD)
    command = ["openssl", "dgst", "-sha256", "-sign", "key.pem"]
    signature = subprocess.run(command, input=envelope.pae, cwd=tmp_path, capture_output=True, check=True).stdout
    assert DSSE_KEY.public.verifies(envelope.pae, signature)


@pytest.mark.parametrize("algorithm", list(keys.Algorithm))
def test_every_flipped_byte_of_the_payload_is_refused(algorithm: keys.Algorithm) -> None:
    key = keys.generate(algorithm)
    envelope = dsse.read(sealed(PAYLOAD, key))
    for place in range(len(PAYLOAD)):
        for bit in (0x01, 0x20, 0x80):
            flipped = bytearray(PAYLOAD)
            flipped[place] ^= bit
            assert not dsse.Envelope(bytes(flipped), envelope.payload_type, envelope.signatures).signers([key.public])


def test_every_flipped_character_of_the_encoded_payload_is_refused() -> None:
    data = sealed(PAYLOAD, DSSE_KEY)
    text = json.loads(data)["payload"]
    assert text.endswith("=") is False
    for place, char in enumerate(text):
        flipped = text[:place] + chr(ord(char) ^ 1) + text[place + 1 :]
        try:
            found = dsse.read(edited(data, payload=flipped))
        except TrustError:
            continue
        assert not found.signers([DSSE_KEY.public]), place


def test_another_payload_type_is_not_what_was_signed() -> None:
    data = edited(sealed(PAYLOAD, DSSE_KEY), payloadType="application/json")
    assert dsse.read(data).signers([DSSE_KEY.public]) == ()


def test_one_key_twice_is_one_signer() -> None:
    document = json.loads(sealed(PAYLOAD, DSSE_KEY, DSSE_KEY))
    document["signatures"][1]["keyid"] = "somebody else"
    found = dsse.read(json.dumps(document).encode())
    assert len(found.signatures) == 2
    assert found.signers([DSSE_KEY.public, keys.VerifyingKey(DSSE_KEY.public._key)]) == (DSSE_KEY.public,)


def test_a_foreign_key_under_the_right_keyid_is_no_signer() -> None:
    data = json.loads(sealed(PAYLOAD, keys.generate()))
    data["signatures"][0]["keyid"] = DSSE_KEY.public.keyid
    assert dsse.read(json.dumps(data).encode()).signers([DSSE_KEY.public]) == ()


def test_several_signers_are_found_among_signatures_of_others() -> None:
    first, second, stranger = keys.generate(), keys.generate(keys.Algorithm.ED25519), keys.generate()
    envelope = dsse.read(sealed(PAYLOAD, stranger, first)).signed_by(second)
    assert dsse.read(envelope.to_bytes()).signers([first.public, second.public]) == (first.public, second.public)


@pytest.mark.parametrize("payload", ["YQ", "YR==", "YQ==\n", "Y Q==", "Y-+/", "", "*", 3, None, ["YQ=="]])
def test_base64_has_one_form(payload: Any) -> None:
    with pytest.raises(TrustError, match="'payload'"):
        dsse.read(edited(sealed(PAYLOAD), payload=payload))


def test_url_safe_base64_is_read_as_the_protocol_asks() -> None:
    payload = b"\xfb\xff\xfe"
    text = base64.urlsafe_b64encode(payload).decode()
    assert "-" in text
    assert dsse.read(edited(sealed(b"x"), payload=text)).payload == payload


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"signatures": None}, "'signatures' must be an array"),
        ({"signatures": {}}, "'signatures' must be an array"),
        ({"signatures": [{"sig": "YQ=="}] * 65}, "at most 64"),
        ({"signatures": ["YQ=="]}, "a signature of the envelope is not a JSON object"),
        ({"signatures": [{"keyid": 3, "sig": "YQ=="}]}, "'keyid' must be a string"),
        ({"signatures": [{"keyid": "x"}]}, "'sig' must be a string"),
        ({"signatures": [{"sig": ""}]}, "'sig' must be canonical base64"),
        ({"payloadType": None}, "'payloadType' must be a string"),
    ],
)
def test_a_malformed_envelope_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(TrustError, match=message):
        dsse.read(edited(sealed(PAYLOAD), **fields))


def test_a_keyid_may_be_left_out() -> None:
    document = json.loads(sealed(PAYLOAD, DSSE_KEY))
    del document["signatures"][0]["keyid"]
    found = dsse.read(json.dumps(document).encode())
    assert found.signers([DSSE_KEY.public]) == (DSSE_KEY.public,)
    assert found.keyids == ("an unnamed key",)


@pytest.mark.parametrize("data", [b"[]", b'"text"', b"null", b"3"])
def test_what_is_no_object_is_no_envelope(data: bytes) -> None:
    with pytest.raises(TrustError, match="the envelope is not a JSON object"):
        dsse.read(data)
