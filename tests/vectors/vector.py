"""One vector, and the reports, policies and artifacts that vectors are made of."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric import ed25519
from sample_reports import (
    ARTIFACTS,
    DSSE_KEY,
    budget,
    envelope,
    failing,
    judged,
    measured,
    of_size,
    passing,
    quality,
    target_report,
)

from deployspec.digests import sha256_bytes
from deployspec.ir.evidence import EvidenceClass
from deployspec.ir.report import Digest, Import
from deployspec.ir.verdict import Outcome, Result
from deployspec.report import statement
from deployspec.trust import dsse
from deployspec.trust.keys import SigningKey

if TYPE_CHECKING:
    from deployspec.ir.report import Report

OTHER_KEY = SigningKey(ed25519.Ed25519PrivateKey.from_private_bytes(b"the second key of these vectors."))
KEY = ("--public-key", "key.pub.pem")
BOTH_KEYS = (*KEY, "--public-key", "other.pub.pem")
NOW = "2026-03-02T00:00:00Z"
UNTRUSTED, WRONG = 5, 2
EXPECTED = "expectations"

HOSTILE = {
    "pickle": b"\x80\x04cposix\nsystem\n\x8c\x11touch was-executed\x85R.",
    "zip-bomb": zlib.compress(bytes(2**24), 9),
}
"""Artifacts that harm whoever opens them. Verification never does."""

PACKAGE = {"Data/weight.bin": b"weights", "Manifest.json": b"{}"}
MANIFEST = b"".join(b"%s  %s\n" % (sha256_bytes(PACKAGE[name]).encode(), name.encode()) for name in sorted(PACKAGE))


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
    links: dict[str, str] = field(default_factory=dict)
    trust: str = ""

    def files(self) -> dict[str, bytes]:
        """Every file of the folder."""
        by = ("--trust", "trust.toml") if self.trust else self.args
        args = ("verify", "report.dsse.json", *by, "--at", self.at)
        made = {
            "args": "\n".join((*args, "")).encode(),
            "exit": b"%d\n" % self.exit,
            "report.dsse.json": self.data,
            "key.pub.pem": DSSE_KEY.public.pem,
            "other.pub.pem": OTHER_KEY.public.pem,
        }
        if self.refused:
            made["refused"] = f"{self.refused}\n".encode()
        if self.trust:
            made["trust.toml"] = self.trust.encode()
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


def of_other_samples() -> Report:
    """Two tables of one split, of which one has a rare sample in the place of a common one."""
    report = passing()
    more = replace(measured("server", "quality", quality(common=599, rare=101)), runtime="another runtime")
    return judged(replace(report, measurements=(*report.measurements, more)))


def beside(**changes: bytes) -> dict[str, bytes]:
    """The artifacts as they were checked, but for `changes` by target."""
    return {f"{target}/{name}": changes.get(target, content) for target, (name, content) in ARTIFACTS.items()}


def with_artifact(name: str, sha256: str, size: int, *, folder: bool = False) -> Report:
    """The passing report, of another artifact on the server."""
    report = of_size(passing(), "server", size)
    server, android = report.targets
    other = replace(server, artifact=Digest(name=name, sha256=sha256), folder=folder)
    return replace(report, targets=(other, android))


def trust(machine: str = "", *, roles: str = '"release"', top: str = "") -> str:
    """A trust policy: `machine` goes to the first key, which has these roles; the second one is an approver's."""
    return f"""\
trust = 1
{top}
[keys.machine]
file = "key.pub.pem"
roles = [{roles}]
{machine}

[keys.anna]
file = "other.pub.pem"
roles = ["approver"]
"""


def handed_in(signers: tuple[str, ...]) -> Report:
    """The passing report, where a latency of the server is said to be a device's, by an evidence file."""
    report = passing()
    artifact = report.targets[0].artifact
    assert artifact is not None
    run = Import(
        file=Digest(name="phone.json", sha256="a" * 64),
        signers=signers,
        target="server",
        artifact=artifact,
        stated=EvidenceClass.DEVICE,
    )
    measurements = tuple(
        replace(each, evidence=EvidenceClass.DEVICE, source=run.file.sha256)
        if (each.target, each.name) == ("server", "latency.p95")
        else each
        for each in report.measurements
    )
    return judged(replace(report, measurements=measurements, imports=(run,)))
