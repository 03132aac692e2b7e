"""Evidence documents for tests, as a lab would write them."""

from __future__ import annotations

import json
from typing import Any

SHA256 = "0" * 64


def run(target: str = "phone", evidence: str = "device", sha256: str = SHA256, **figures: Any) -> dict[str, Any]:
    """One run of `target`, on a device called pixel-8 where the class needs one."""
    device = {"device": {"name": "pixel-8"}} if evidence in ("device", "emulator") else {}
    return {"target": target, "artifact": {"name": "m.ts", "sha256": sha256}, "evidence": evidence, **device, **figures}


def document(*runs: dict[str, Any]) -> dict[str, Any]:
    return {"deployspecEvidence": 1, "runs": list(runs)}


def as_bytes(value: Any) -> bytes:
    return json.dumps(value).encode()


def timed(*p95s: str, **figures: Any) -> dict[str, Any]:
    """Processes of 100 calls with these 95th percentiles."""
    return {"processes": [{"calls": 100, "p95Ms": p95, **figures} for p95 in p95s]}
