"""A hundred thousand mutations of a signed envelope: none verifies but those that change nothing that is signed."""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from sample_reports import DSSE_KEY, sealed

from deployspec.errors import TrustError
from deployspec.trust import dsse, keys

if TYPE_CHECKING:
    from collections.abc import Callable

MUTATIONS = 100_000
SEED = 20260301
SECOND = keys.generate(keys.Algorithm.ED25519)
ORIGINAL = sealed(b'{"_type":"small","n":[1,2,3]}', DSSE_KEY, SECOND)
SIGNED = dsse.read(ORIGINAL)
KEYS = (DSSE_KEY.public, SECOND.public)

Random = random.Random


def flipped(rng: Random) -> bytes:
    data = bytearray(ORIGINAL)
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def replaced(rng: Random) -> bytes:
    place = rng.randrange(len(ORIGINAL))
    return ORIGINAL[:place] + rng.randbytes(rng.randint(1, 4)) + ORIGINAL[place + rng.randint(1, 4) :]


def inserted(rng: Random) -> bytes:
    place = rng.randrange(len(ORIGINAL) + 1)
    return ORIGINAL[:place] + bytes(rng.choices(b' \n"{}[],:\\0aA/+=-_', k=rng.randint(1, 3))) + ORIGINAL[place:]


def cut(rng: Random) -> bytes:
    start = rng.randrange(len(ORIGINAL))
    return ORIGINAL[:start] + ORIGINAL[start + rng.randint(1, 40) :]


def doubled(rng: Random) -> bytes:
    start, end = sorted(rng.choices(range(len(ORIGINAL) + 1), k=2))
    return ORIGINAL[:end] + ORIGINAL[start:]


def exchanged(rng: Random) -> bytes:
    one, two = (rng.randrange(len(ORIGINAL)) for _ in range(2))
    data = bytearray(ORIGINAL)
    data[one], data[two] = data[two], data[one]
    return bytes(data)


def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ORIGINAL)
    return found


def reordered(rng: Random) -> bytes:
    fields = list(document().items())
    rng.shuffle(fields)
    return json.dumps(dict(fields), indent=rng.choice([None, 0, 3])).encode()


def repeated_key(rng: Random) -> bytes:
    name = rng.choice(["payload", "payloadType", "signatures"])
    value = rng.choice([document()[name], "e30=", [], "application/json"])
    return ORIGINAL.rstrip()[:-1] + b"," + json.dumps(name).encode() + b":" + json.dumps(value).encode() + b"}"


def left_out(rng: Random) -> bytes:
    found = document()
    del found[rng.choice(list(found))]
    return json.dumps(found).encode()


def added(rng: Random) -> bytes:
    return json.dumps(document() | {rng.choice(["extra", "Payload", "payloadtype", ""]): rng.random() > 0.5}).encode()


def retyped(rng: Random) -> bytes:
    kinds = ["", "application/json", "application/vnd.in-toto+json ", "Application/vnd.in-toto+json", None, 3]
    return json.dumps(document() | {"payloadType": rng.choice(kinds)}).encode()


def shuffled_signatures(rng: Random) -> bytes:
    found = document()
    found["signatures"] = rng.choices(found["signatures"], k=rng.randint(0, 5))
    return json.dumps(found).encode()


def renamed_keyids(rng: Random) -> bytes:
    found = document()
    for each in found["signatures"]:
        each["keyid"] = rng.choice(["", "x", DSSE_KEY.public.keyid, SECOND.public.keyid])
    return json.dumps(found).encode()


def exchanged_signatures(rng: Random) -> bytes:
    found = document()
    for each in found["signatures"]:
        each["sig"] = rng.choice([*(one["sig"] for one in found["signatures"]), "AAAA", each["sig"][:-4]])
    return json.dumps(found).encode()


def url_safe(rng: Random) -> bytes:
    found = document()
    for each in (found, *found["signatures"]):
        name = "payload" if "payload" in each else "sig"
        if rng.random() > 0.5:
            each[name] = each[name].replace("+", "-").replace("/", "_")
    return json.dumps(found).encode()


ONE_LEFT = "one signature, while the other still verifies"
KEYID = "a key id, or the name of its field"
HARMLESS = {
    flipped: f"{KEYID}; {ONE_LEFT}",
    replaced: f"{KEYID}; {ONE_LEFT}",
    inserted: f"blanks between tokens; {KEYID}; {ONE_LEFT}",
    cut: f"blanks between tokens; {KEYID}; {ONE_LEFT}",
    doubled: f"blanks between tokens; {KEYID}; {ONE_LEFT}",
    exchanged: f"two equal bytes; {KEYID}; {ONE_LEFT}",
    reordered: "the order of fields, and blanks",
    added: "a field that the protocol does not know",
    shuffled_signatures: "signatures in another order, left out or repeated: one key counts once all the same",
    renamed_keyids: "key ids, which nobody signs",
    exchanged_signatures: f"signatures under each other's key id; {ONE_LEFT}",
    url_safe: "base64 with - and _, which the protocol allows",
}
"""What may change while the signed bytes and their type stay what they are, mutation by mutation."""

ALL = (*HARMLESS, repeated_key, left_out, retyped)


@pytest.mark.slow
def test_none_verifies_but_those_that_change_nothing_signed() -> None:
    rng = random.Random(SEED)
    survivors: Counter[Callable[[Random], bytes]] = Counter()
    for number in range(MUTATIONS):
        mutate = ALL[number % len(ALL)]
        try:
            found = dsse.read(mutate(rng))
        except TrustError:
            continue
        signers = found.signers(KEYS)
        if signers:
            assert (found.payload, found.payload_type) == (SIGNED.payload, SIGNED.payload_type)
            assert len(set(signers)) == len(signers) <= len({each.sig for each in found.signatures})
            survivors[mutate] += 1
    assert set(survivors) == set(HARMLESS)
