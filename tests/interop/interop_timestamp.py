"""sign --timestamp-url and verify --tsa-cert, with the authority that openssl is."""

from __future__ import annotations

import base64
import json
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import authority
import pytest
from sample_reports import DSSE_KEY, envelope, passing

from deployspec.cli import main
from deployspec.ir.report import write_time
from deployspec.trust import dsse, keys

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ANNA = keys.generate()
REPORT = "report.dsse.json"
TRUST = """\
trust = 1
[keys.machine]
file = "machine.pub.pem"
roles = ["release"]
revokedAt = {revoked}
"""


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert isinstance(exit_.value.code, int)
    return exit_.value.code


@pytest.fixture(scope="module")
def tsa(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tsa") / "authority"
    authority.make(folder)
    return folder


@pytest.fixture
def url(tsa: Path) -> Iterator[str]:
    with authority.serving(tsa) as address:
        yield address


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tsa: Path) -> Path:
    (tmp_path / REPORT).write_bytes(envelope(replace(passing(), expires_at=""), DSSE_KEY))
    (tmp_path / "machine.pub.pem").write_bytes(DSSE_KEY.public.pem)
    (tmp_path / "anna.pem").write_bytes(ANNA.pem)
    (tmp_path / "anna.pub.pem").write_bytes(ANNA.public.pem)
    (tmp_path / "tsa.pem").write_bytes((tsa / "ca.pem").read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


VERIFY = ("verify", REPORT, "--public-key", "machine.pub.pem")
STAMPED = (*VERIFY, "--tsa-cert", "tsa.pem")


def test_a_signature_is_stamped_and_nothing_else_changes(
    folder: Path, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (folder / REPORT).read_bytes()
    assert run(*STAMPED) == 5
    assert "signature 1 has no timestamp" in capsys.readouterr().out
    assert run("sign", REPORT, "--timestamp-url", url) == 0
    assert "signed as before, each stamped" in capsys.readouterr().out
    assert (folder / REPORT).read_bytes() == before
    assert run(*STAMPED) == 0
    assert f"signed by {DSSE_KEY.public.keyid} (stamped 20" in capsys.readouterr().out
    assert run(*VERIFY) == 0


def test_openssl_takes_the_token(folder: Path, url: str) -> None:
    assert run("sign", REPORT, "--timestamp-url", url) == 0
    (folder / "signature").write_bytes(dsse.read((folder / REPORT).read_bytes()).signatures[0].sig)
    command = ["openssl", "ts", "-verify", "-data", "signature", "-in", f"{REPORT}.1.tsr", "-CAfile", "tsa.pem"]
    assert subprocess.run(command, capture_output=True).returncode == 0
    (folder / "signature").write_bytes(b"another")
    assert subprocess.run(command, capture_output=True).returncode != 0


def test_a_token_that_openssl_asked_for_is_taken(folder: Path, tsa: Path) -> None:
    (folder / "signature").write_bytes(dsse.read((folder / REPORT).read_bytes()).signatures[0].sig)
    query = ["openssl", "ts", "-query", "-data", folder / "signature", "-sha256", "-cert", "-out", "query"]
    reply = ["openssl", "ts", "-reply", "-config", "tsa.cnf", "-queryfile", "query", "-out"]
    subprocess.run(query, cwd=tsa, check=True, capture_output=True)
    subprocess.run([*reply, folder / f"{REPORT}.1.tsr"], cwd=tsa, check=True, capture_output=True)
    assert run(*STAMPED) == 0


def test_a_second_signature_is_stamped_and_the_first_token_kept(folder: Path, url: str) -> None:
    assert run("sign", REPORT, "--timestamp-url", url) == 0
    first = (folder / f"{REPORT}.1.tsr").read_bytes()
    assert run("sign", REPORT, "--key", "anna.pem", "--timestamp-url", url, "--out", "both.json") == 0
    assert (folder / "both.json.1.tsr").read_bytes() == first
    assert run("verify", "both.json", *STAMPED[2:], "--public-key", "anna.pub.pem") == 0


def test_a_token_of_another_report_is_refused_and_replaced(
    folder: Path, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("sign", REPORT, "--timestamp-url", url) == 0
    (folder / REPORT).write_bytes(envelope(replace(passing(), expires_at="2999-01-01T00:00:00Z"), DSSE_KEY))
    assert run(*STAMPED) == 5
    assert "the timestamp of signature 1 does not hold" in capsys.readouterr().out
    assert run("sign", REPORT, "--timestamp-url", url) == 0
    assert run(*STAMPED) == 0


def test_a_key_that_was_revoked_later_still_counts(folder: Path, url: str) -> None:
    now = datetime.now(UTC)
    assert run("sign", REPORT, "--timestamp-url", url) == 0
    late = ("verify", REPORT, "--trust", "trust.toml", "--at", write_time(now + timedelta(days=1)))
    (folder / "trust.toml").write_text(TRUST.format(revoked=write_time(now + timedelta(hours=1))))
    assert run(*late) == 5
    assert run(*late, "--tsa-cert", "tsa.pem") == 0
    (folder / "trust.toml").write_text(TRUST.format(revoked=write_time(now - timedelta(hours=1))))
    assert run(*late, "--tsa-cert", "tsa.pem") == 5
    assert run(*STAMPED, "--at", write_time(now - timedelta(hours=1))) == 5


def test_the_authority_of_somebody_else_is_refused(folder: Path, url: str, tmp_path: Path) -> None:
    assert run("sign", REPORT, "--timestamp-url", url) == 0
    authority.make(tmp_path / "other")
    (folder / "tsa.pem").write_bytes((tmp_path / "other" / "ca.pem").read_bytes())
    assert run(*STAMPED) == 5


def test_nothing_is_written_when_the_authority_refuses(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (folder / REPORT).read_bytes()
    authority.make(tmp_path / "strict", digest="sha512")
    with authority.serving(tmp_path / "strict") as refusing:
        assert run("sign", REPORT, "--key", "anna.pem", "--timestamp-url", refusing) == 2
    assert "grants no timestamp" in capsys.readouterr().err
    assert (folder / REPORT).read_bytes() == before
    assert not (folder / f"{REPORT}.1.tsr").exists()


def test_the_bundle_holds_the_token(folder: Path, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("sign", REPORT, "--timestamp-url", url) == 0
    capsys.readouterr()
    with pytest.raises(SystemExit):
        main(("show", REPORT, "--format", "bundle"))
    (stamp,) = json.loads(capsys.readouterr().out)["verificationMaterial"]["timestampVerificationData"][
        "rfc3161Timestamps"
    ]
    assert base64.b64decode(stamp["signedTimestamp"]) == (folder / f"{REPORT}.1.tsr").read_bytes()
