"""Makes the vectors: folders that any verifier with the same command line can be run on.

Each holds `args` (the arguments of `deployspec verify`, one a line, run inside the folder), `exit` (the exit code)
and the files that the arguments name. `_fail` at the end of a folder's name means that verification must refuse it;
`refused` then names the step that does. Every signature is by the key that the DSSE protocol publishes as its example.

Run `python tests/vectors/make.py` after a change to the form of reports; a test compares what it makes with what
is kept.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from cryptography.hazmat.primitives.asymmetric import ed25519
from sample_reports import (
    ARTIFACTS,
    DSSE_KEY,
    WAIVER,
    budget,
    envelope,
    failing,
    judged,
    passing,
    target_report,
    unmeasured,
)

from deployspec.ir.verdict import Outcome, Result
from deployspec.report import statement
from deployspec.trust import dsse
from deployspec.trust.keys import SigningKey

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deployspec.ir.report import Report

HERE = Path(__file__).parent
OTHER_KEY = SigningKey(ed25519.Ed25519PrivateKey.from_private_bytes(b"the second key of these vectors."))
KEY = ("--public-key", "key.pub.pem")
BOTH_KEYS = (*KEY, "--public-key", "other.pub.pem")
NOW = "2026-03-02T00:00:00Z"
UNTRUSTED = 5


@dataclass(frozen=True, kw_only=True)
class Vector:
    """One case: the report's bytes, how to verify it, and what must come of it."""

    name: str
    data: bytes
    args: tuple[str, ...] = KEY
    at: str = NOW
    exit: int = UNTRUSTED
    refused: str = ""
    artifacts: dict[str, bytes] = field(default_factory=dict)

    def files(self) -> dict[str, bytes]:
        """Every file of the folder."""
        args = ("verify", "report.dsse.json", *self.args, "--at", self.at)
        made = {
            "args": "\n".join((*args, "")).encode(),
            "exit": b"%d\n" % self.exit,
            "report.dsse.json": self.data,
            "key.pub.pem": DSSE_KEY.public.pem,
            "other.pub.pem": OTHER_KEY.public.pem,
        }
        if self.refused:
            made["refused"] = f"{self.refused}\n".encode()
        return made | {f"artifacts/{name}": content for name, content in self.artifacts.items()}


def signed(report: Report) -> bytes:
    return envelope(report, DSSE_KEY)


def resigned(payload: bytes, payload_type: str = dsse.IN_TOTO) -> bytes:
    return dsse.Envelope(payload, payload_type).signed_by(DSSE_KEY).to_bytes()


def edited(report: Report, **fields: Any) -> bytes:
    """A statement with other fields at its top, signed as it is then."""
    document = json.loads(statement.to_bytes(report)) | fields
    return resigned(json.dumps(document).encode())


def swapped(old: bytes, new: bytes) -> bytes:
    """The passing report with a text of its payload exchanged, under the signature of the original."""
    original = dsse.read(signed(passing()))
    assert old in original.payload
    return replace(original, payload=original.payload.replace(old, new, 1)).to_bytes()


def resigned_with(old: bytes, new: bytes) -> bytes:
    """The same exchange, signed afterwards."""
    return resigned(dsse.read(swapped(old, new)).payload)


def renamed_keyid(data: bytes, keyid: str) -> bytes:
    document = json.loads(data)
    document["signatures"][-1]["keyid"] = keyid
    return json.dumps(document).encode()


def with_verdict(report: Report, **fields: Any) -> bytes:
    """The failing verdict told otherwise."""
    verdicts = [replace(each, **fields) if each.verdict is Outcome.FAIL else each for each in report.verdicts]
    return signed(replace(report, verdicts=tuple(verdicts), result=Result.PASSED))


def loosened() -> Report:
    recall = budget("recall", ">= 80 %", label="rare")
    loose = replace(recall, limit=replace(recall.limit, limit=Decimal("0.01")))
    report = failing()
    return judged(replace(report, targets=(report.targets[0], target_report("android", (loose,)))))


def beside(**changes: bytes) -> dict[str, bytes]:
    """The artifacts as they were checked, but for `changes` by target."""
    return {f"{target}/{name}": changes.get(target, content) for target, (name, content) in ARTIFACTS.items()}


def vectors() -> Iterator[Vector]:
    yield from _sound()
    yield from _signatures()
    yield from _forms()
    yield from _contradictions()
    yield from _circumstances()


def _sound() -> Iterator[Vector]:
    good, spec, model = signed(passing()), passing().spec.sha256, passing().sources[0].sha256
    yield Vector(name="passed", data=good, exit=0)
    yield Vector(name="failed", data=signed(failing()), exit=1)
    yield Vector(name="unproven", data=signed(unmeasured()), exit=3)
    yield Vector(name="waived", data=signed(unmeasured((WAIVER,))), exit=0)
    yield Vector(name="ed25519", data=envelope(passing(), OTHER_KEY), args=("--public-key", "other.pub.pem"), exit=0)
    yield Vector(name="two-signers", data=envelope(passing(), OTHER_KEY, DSSE_KEY), args=BOTH_KEYS, exit=0)
    yield Vector(name="foreign-keyid", data=renamed_keyid(good, "a name that nobody signed"), exit=0)
    yield Vector(name="unsigned-allowed", data=envelope(passing()), args=("--allow-unsigned",), exit=0)
    yield Vector(name="artifacts", data=good, artifacts=beside(), exit=0)
    yield Vector(name="expected", data=good, args=(*KEY, "--expect-spec", spec, "--expect-model", model), exit=0)


def _signatures() -> Iterator[Vector]:
    good, step = signed(passing()), "signature"
    as_other = renamed_keyid(envelope(passing(), OTHER_KEY), DSSE_KEY.public.keyid)
    twice = renamed_keyid(envelope(passing(), DSSE_KEY, DSSE_KEY), OTHER_KEY.public.keyid)
    yield Vector(name="unsigned_fail", data=envelope(passing()), args=(), refused=step)
    yield Vector(name="unsigned-with-key_fail", data=envelope(passing()), args=(*KEY, "--allow-unsigned"), refused=step)
    yield Vector(name="no-key-given_fail", data=good, args=(), refused=step)
    yield Vector(name="untrusted-key_fail", data=envelope(passing(), OTHER_KEY), refused=step)
    yield Vector(name="untrusted-key-with-trusted-keyid_fail", data=as_other, refused=step)
    yield Vector(name="one-key-for-two_fail", data=twice, args=BOTH_KEYS, refused=step)
    yield Vector(name="second-signer-missing_fail", data=good, args=BOTH_KEYS, refused=step)
    yield Vector(name="payload-edited_fail", data=swapped(b'"result":"passed"', b'"result":"failed"'), refused=step)
    yield Vector(name="payload-byte-added_fail", data=swapped(b'{"_type"', b' {"_type"'), refused=step)
    other_type = json.dumps(json.loads(good) | {"payloadType": "application/json"}).encode()
    yield Vector(name="payload-type-edited_fail", data=other_type, refused=step)
    yield Vector(
        name="payload-type-confusion_fail",
        data=resigned(statement.to_bytes(passing()), "application/vnd.other+json"),
        refused="payload type",
    )


def _forms() -> Iterator[Vector]:
    yield Vector(name="envelope-not-json_fail", data=b"not json\n", refused="envelope")
    yield Vector(name="envelope-depth_fail", data=b"[" * 100_000, refused="envelope")
    doubled = b'{"payload": "e30=", ' + signed(passing()).lstrip()[1:]
    yield Vector(name="envelope-duplicate-key_fail", data=doubled, refused="envelope")
    step = "statement"
    yield Vector(name="duplicate-key_fail", data=resigned_with(b'"model":', b'"model":"x","model":'), refused=step)
    yield Vector(name="nan_fail", data=resigned_with(b'"hits":699', b'"hits":NaN'), refused=step)
    yield Vector(name="number-1e400_fail", data=resigned_with(b'"hits":699', b'"hits":1e400'), refused=step)
    yield Vector(name="decimal-1e999999_fail", data=resigned_with(b'"12345"', b'"1E+999999999"'), refused=step)
    yield Vector(name="float-for-decimal_fail", data=resigned_with(b'"12345"', b"12345.0"), refused=step)
    yield Vector(name="depth-100000_fail", data=resigned(b"[" * 100_000), refused=step)
    yield Vector(name="not-utf8_fail", data=resigned_with(b'"digits"', b'"\xff"'), refused=step)
    yield Vector(name="unknown-field_fail", data=resigned_with(b'"model":', b'"override":true,"model":'), refused=step)
    slsa = edited(passing(), predicateType="https://slsa.dev/provenance/v1")
    yield Vector(name="other-predicate_fail", data=slsa, refused=step)


def _contradictions() -> Iterator[Vector]:
    told = replace(failing(), result=Result.PASSED)
    step = "verdicts"
    yield Vector(name="result-contradicts-verdicts_fail", data=signed(told), refused=step)
    yield Vector(
        name="verdict-contradicts-numbers_fail", data=with_verdict(failing(), verdict=Outcome.PASS), refused=step
    )
    yield Vector(name="estimate-embellished_fail", data=with_verdict(failing(), estimate=Decimal("0.92")), refused=step)
    kept = tuple(each for each in told.verdicts if each.verdict is not Outcome.FAIL)
    yield Vector(name="verdict-left-out_fail", data=signed(replace(told, verdicts=kept)), refused=step)
    step = "statement"
    yield Vector(name="budget-loosened-under-its-text_fail", data=signed(loosened()), refused=step)
    yield Vector(name="no-target_fail", data=signed(replace(passing(), targets=(), verdicts=())), refused=step)
    yield Vector(name="impossible-statistics_fail", data=resigned_with(b'"hits":699', b'"hits":701'), refused=step)
    climbing = resigned_with(b'"digits.tflite","sha256"', b'"../key.pub.pem","sha256"')
    yield Vector(name="artifact-path-climbs_fail", data=climbing, refused=step)
    renamed = resigned_with(b'"digits.tflite","sha256"', b'"another.tflite","sha256"')
    yield Vector(name="subject-is-another_fail", data=renamed, refused="subjects")
    yield Vector(name="subject-missing_fail", data=edited(passing(), subject=[]), refused="subjects")


def _circumstances() -> Iterator[Vector]:
    good, waived, zeros = signed(passing()), signed(unmeasured((WAIVER,))), "0" * 64
    yield Vector(name="artifact-edited_fail", data=good, artifacts=beside(android=b"another"), refused="artifacts")
    missing = {name: content for name, content in beside().items() if not name.startswith("android")}
    yield Vector(name="artifact-missing_fail", data=good, artifacts=missing, refused="artifacts")
    yield Vector(name="other-spec_fail", data=good, args=(*KEY, "--expect-spec", zeros), refused="expectations")
    yield Vector(name="other-model_fail", data=good, args=(*KEY, "--expect-model", zeros), refused="expectations")
    yield Vector(name="last-second-before-expiry", data=good, at="2026-06-01T11:59:59Z", exit=0)
    yield Vector(name="expired-at-the-second_fail", data=good, at="2026-06-01T12:00:00Z", refused="freshness")
    yield Vector(name="from-the-future_fail", data=good, at="2026-03-01T11:54:59Z", refused="freshness")
    yield Vector(name="waiver-at-its-last-second", data=waived, at="2026-03-31T23:59:59Z", exit=0)
    yield Vector(name="waiver-expired-at-the-second_fail", data=waived, at="2026-04-01T00:00:00Z", refused="waivers")


def main() -> None:
    """Write every vector."""
    for vector in vectors():
        for name, content in vector.files().items():
            path = HERE / vector.name / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


if __name__ == "__main__":
    main()
