"""sign --key hsm:…, with SoftHSM for the hardware: needs softhsm2 (apt-get install softhsm2)."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sample_reports import DSSE_KEY, envelope, passing

from deployspec.cli import main
from deployspec.trust import keys

if TYPE_CHECKING:
    from collections.abc import Iterator

MODULES = [Path("/usr/lib/softhsm/libsofthsm2.so"), Path("/usr/lib64/softhsm/libsofthsm.so")]
KEY = keys.generate()
PIN = "1234"
REPORT = "report.dsse.json"


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert isinstance(exit_.value.code, int)
    return exit_.value.code


@pytest.fixture(scope="module", autouse=True)
def hardware(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A token with a P-256 key and one that we do not use. Once: its library reads its configuration but once."""
    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "softhsm.conf").write_text(f"directories.tokendir = {folder}\nobjectstore.backend = file\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", str(folder / "softhsm.conf"))
        patch.setenv("PYKCS11LIB", str(next(path for path in MODULES if path.exists())))
        _util("--init-token", "--free", "--label", "release", "--so-pin", "5678")
        for number, key in {"02": KEY.pem, "03": _p384()}.items():
            (folder / "key.pem").write_bytes(key)
            _util("--import", str(folder / "key.pem"), "--token", "release", "--label", number, "--id", number)
        yield


def _util(*arguments: str) -> None:
    subprocess.run(["softhsm2-util", *arguments, "--pin", PIN], check=True, capture_output=True)


def _p384() -> bytes:
    key = ec.generate_private_key(ec.SECP384R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / REPORT).write_bytes(envelope(replace(passing(), expires_at=""), DSSE_KEY))
    (tmp_path / "release.pub.pem").write_bytes(KEY.public.pem)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DEPLOYSPEC_KEY_PASSPHRASE", PIN)
    return tmp_path


def test_a_key_in_hardware_signs_as_one_in_a_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("sign", REPORT, "--key", "hsm:2?label=release") == 0
    assert f"signed by {KEY.public.keyid}, with 2 in all" in capsys.readouterr().out
    assert run("verify", REPORT, "--public-key", "release.pub.pem") == 0
    assert run("sign", REPORT, "--key", "hsm:") == 2
    assert "has signed this report already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("uri", "pin", "message"),
    [
        ("hsm:2?label=release", "", "give its PIN in the environment as DEPLOYSPEC_KEY_PASSPHRASE"),
        ("hsm:2?label=release", "4321", "cannot be used: PinIncorrect"),
        ("hsm:2?label=absent", PIN, "No PKCS#11 token found for label absent"),
        ("hsm:7?label=release", PIN, "could not find ECDSA key"),
        ("hsm:seven", PIN, "cannot be used: invalid literal"),
        ("hsm:3?label=release", PIN, "only ECDSA P-256 and Ed25519 keys are used"),
    ],
)
def test_what_cannot_sign_is_told_and_signs_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, uri: str, pin: str, message: str
) -> None:
    before = (folder / REPORT).read_bytes()
    monkeypatch.setenv("DEPLOYSPEC_KEY_PASSPHRASE", pin)
    assert run("sign", REPORT, "--key", uri) == 2
    said = capsys.readouterr().err
    assert message in said
    assert not pin or pin not in said
    assert (folder / REPORT).read_bytes() == before


@pytest.mark.parametrize("library", ["", "/absent.so"])
def test_hardware_without_its_library_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    monkeypatch.setenv("PYKCS11LIB", library)
    assert run("sign", REPORT, "--key", "hsm:2?label=release") == 2
    assert "'hsm:2?label=release' cannot be used: " in capsys.readouterr().err
