"""sign, and verify by a trust policy, as a user meets them."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sample_reports import ARTIFACTS, DSSE_KEY, envelope, failing, passing

from deployspec.cli import main
from deployspec.ir.verdict import Result
from deployspec.report import statement
from deployspec.trust import dsse, keys

if TYPE_CHECKING:
    from pathlib import Path

    from deployspec.ir.report import Report

ANNA = keys.generate()
TRUST = """\
trust = 1
threshold = 2
required = { approver = 1 }
[keys.machine]
file = "machine.pub.pem"
roles = ["release"]
[keys.anna]
file = "anna.pub.pem"
roles = ["approver"]
"""


def lasting(report: Report) -> Report:
    return replace(report, expires_at="")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A report that its machine signed, the key of a second person, and a policy that asks for both."""
    (tmp_path / "report.dsse.json").write_bytes(envelope(lasting(passing()), DSSE_KEY))
    (tmp_path / "anna.pem").write_bytes(ANNA.pem)
    (tmp_path / "anna.pub.pem").write_bytes(ANNA.public.pem)
    (tmp_path / "machine.pub.pem").write_bytes(DSSE_KEY.public.pem)
    (tmp_path / "trust.toml").write_text(TRUST)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert isinstance(exit_.value.code, int)
    return exit_.value.code


SIGN = ("sign", "report.dsse.json", "--key", "anna.pem")
VERIFY = ("verify", "report.dsse.json", "--trust", "trust.toml")


def test_a_second_signature_makes_the_threshold(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*VERIFY) == 5
    assert "asks for 2 of its keys in all and 1 in the role 'approver'" in capsys.readouterr().out
    assert run(*SIGN) == 0
    said = capsys.readouterr().out
    assert f"signed by {ANNA.public.keyid}, with 2 in all" in said
    assert "it says: RELEASED: 10 budgets hold" in said
    assert run(*VERIFY) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith(" 2 ok           signature: signed by 'machine' SHA256:")
    assert lines[2] == " 3 ok           trust policy: 2 keys of 2 asked for: 'machine' (release), 'anna' (approver)"


def test_what_is_signed_stays_what_it_was(folder: Path) -> None:
    report = folder / "report.dsse.json"
    report.chmod(0o640)
    before = dsse.read(report.read_bytes())
    assert run(*SIGN) == 0
    after = dsse.read(report.read_bytes())
    assert (after.payload, after.signatures[0]) == (before.payload, before.signatures[0])
    assert stat.S_IMODE(report.stat().st_mode) == 0o640
    assert {path.name for path in folder.iterdir() if path.name.startswith(".")} == set()


def test_an_unsigned_report_gets_its_first_signature_elsewhere(folder: Path) -> None:
    unsigned = envelope(lasting(failing()))
    (folder / "report.dsse.json").write_bytes(unsigned)
    assert run(*SIGN, "--out", "signed.json") == 0
    assert (folder / "report.dsse.json").read_bytes() == unsigned
    assert dsse.read((folder / "signed.json").read_bytes()).signers([ANNA.public]) == (ANNA.public,)


def test_a_key_signs_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*SIGN) == 0
    once = (folder / "report.dsse.json").read_bytes()
    assert run(*SIGN) == 2
    assert "has signed this report already" in capsys.readouterr().err
    assert (folder / "report.dsse.json").read_bytes() == once


REFUSED = {
    "nonsense": (b"nonsense", "envelope: "),
    "a contradiction": (envelope(replace(lasting(failing()), result=Result.PASSED)), "verdicts: "),
    "an impossible report": (envelope(replace(lasting(passing()), targets=())), "statement: "),
    "another type": (dsse.Envelope(statement.to_bytes(passing()), "text/plain").to_bytes(), "payload type: "),
    "an expired report": (envelope(replace(passing(), expires_at="2026-03-01T12:00:01Z")), "freshness: "),
    "a report from the future": (envelope(replace(passing(), checked_at="2999-01-01T00:00:00Z")), "freshness: "),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_verification_would_refuse_is_not_signed(
    folder: Path, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    data, step = REFUSED[case]
    (folder / "report.dsse.json").write_bytes(data)
    assert run(*SIGN) == 5
    said = capsys.readouterr().err
    assert "nothing was signed" in said
    assert step in said
    assert (folder / "report.dsse.json").read_bytes() == data


def test_a_report_beside_other_artifacts_is_not_signed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for target, (name, content) in ARTIFACTS.items():
        (folder / "artifacts" / target).mkdir(parents=True)
        (folder / "artifacts" / target / name).write_bytes(content + b"!")
    assert run(*SIGN) == 5
    assert "artifacts: 'server/digits.ts' has digest" in capsys.readouterr().err


def test_no_envelope_grows_beyond_what_is_read(folder: Path) -> None:
    crowded = dsse.read((folder / "report.dsse.json").read_bytes())
    full = replace(crowded, signatures=crowded.signatures * dsse.MAX_SIGNATURES).to_bytes()
    (folder / "report.dsse.json").write_bytes(full)
    assert run(*SIGN) == 5
    assert (folder / "report.dsse.json").read_bytes() == full


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("sign", "report.dsse.json"), "Missing option '--key'"),
        ((*SIGN, "--timestamp-url", "tsa.example"), "begins with https:// or http://"),
        (("sign", "unsigned.json", "--timestamp-url", "http://tsa.example"), "only a signature is stamped"),
        (("sign", "report.dsse.json", "--key", "anna.pub.pem"), "it is the pair's other half"),
        (("sign", "absent", "--key", "anna.pem"), "cannot read the report 'absent'"),
        ((*SIGN, "--out", "absent/report"), "cannot write"),
    ],
)
def test_a_wrong_command_signs_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    before = (folder / "report.dsse.json").read_bytes()
    (folder / "unsigned.json").write_bytes(envelope(lasting(failing())))
    assert run(*arguments) == 2
    assert message in capsys.readouterr().err
    assert (folder / "report.dsse.json").read_bytes() == before


def test_a_faulty_policy_is_told_with_its_place(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "trust.toml").write_text(TRUST.replace("threshold", "treshold"))
    assert run(*VERIFY) == 2
    said = capsys.readouterr().err
    assert "trust.toml:2:1" in said
    assert "perhaps you meant 'threshold'" in said


def test_the_verified_payload_is_handed_over_and_nothing_else(folder: Path) -> None:
    assert run(*SIGN) == 0
    assert run(*VERIFY, "--payload", "statement.json") == 0
    assert (folder / "statement.json").read_bytes() == statement.to_bytes(lasting(passing()))
    assert run(*VERIFY, "--expect-spec", "0" * 64, "--payload", "doubtful.json") == 5
    assert not (folder / "doubtful.json").exists()


def test_a_failed_report_is_verified_all_the_same(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "report.dsse.json").write_bytes(envelope(lasting(failing()), DSSE_KEY, ANNA))
    assert run(*VERIFY, "--format", "json") == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["holds"], found["result"], len(found["signers"])) == (True, "failed", 2)
