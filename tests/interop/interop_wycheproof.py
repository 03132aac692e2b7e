"""Every case of Project Wycheproof for the two kinds of keys, through the function that verifies reports.

WYCHEPROOF names the folder `testvectors_v1` of github.com/C2SP/wycheproof, whose files stay out of this project.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from deployspec.trust.keys import read_verifying_key

FILES = {"ecdsa_secp256r1_sha256_test.json": 400, "ed25519_test.json": 100}
"""The files, and how many cases they have at the very least."""


@pytest.mark.parametrize("file", FILES)
def test_every_case_has_the_result_that_is_written(file: str) -> None:
    folder = os.environ.get("WYCHEPROOF")
    assert folder, "give the folder with the vectors: make test-interop WYCHEPROOF=…/testvectors_v1"
    groups = json.loads(Path(folder, file).read_text())["testGroups"]
    mismatches, cases = [], 0
    for group in groups:
        key = read_verifying_key(group["publicKeyPem"].encode(), file)
        for case in group["tests"]:
            accepted = key.verifies(bytes.fromhex(case["msg"]), bytes.fromhex(case["sig"]))
            cases += 1
            if accepted is not (case["result"] == "valid"):
                mismatches.append((case["tcId"], case["comment"], case["result"]))
    assert cases >= FILES[file]
    assert mismatches == []
