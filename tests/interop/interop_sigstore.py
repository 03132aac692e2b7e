"""`show --format bundle`, verified by Sigstore's own library: needs node, and what package.json beside this names."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from others import BOTH, MUTATED, SIGNERS, STRANGER

from deployspec.trust import bundle, dsse

if TYPE_CHECKING:
    from deployspec.trust.keys import VerifyingKey

SCRIPT = Path(__file__).with_name("verify_bundle.mjs")
MODULES = os.environ.get("INTEROP_MODULES", str(Path(sys.prefix) / "interop" / "node_modules"))


def verifies(data: bytes, key: VerifyingKey, keyid: str, folder: Path) -> bool:
    assert Path(MODULES, "@sigstore", "verify").is_dir(), f"@sigstore/verify is not in {MODULES}: make test-interop"
    (folder / "key.pub.pem").write_bytes(key.pem)
    lines = bundle.render(dsse.read(data))
    command = ["node", SCRIPT, keyid, folder / "key.pub.pem"]
    environment = os.environ | {"INTEROP_MODULES": MODULES}
    done = subprocess.run(command, input=lines, text=True, capture_output=True, env=environment, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.returncode == 0


@pytest.mark.parametrize("signer", SIGNERS)
def test_each_signers_bundle_verifies(signer: str, tmp_path: Path) -> None:
    key = SIGNERS[signer].public
    assert verifies(BOTH, key, key.keyid, tmp_path)
    assert not verifies(BOTH, STRANGER.public, key.keyid, tmp_path)


@pytest.mark.parametrize("signer", SIGNERS)
@pytest.mark.parametrize("case", MUTATED)
def test_what_was_mutated_is_refused(case: str, signer: str, tmp_path: Path) -> None:
    key = SIGNERS[signer].public
    assert not verifies(MUTATED[case], key, key.keyid, tmp_path)
