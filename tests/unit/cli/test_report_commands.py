"""keygen, verify and show, as a user meets them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sample_reports import ARTIFACTS, DSSE_KEY, envelope, failing, passing

from deployspec.cli import main
from deployspec.ir import codec
from deployspec.report.files import set_aside
from deployspec.trust import keys

if TYPE_CHECKING:
    from pathlib import Path

AT = ("--at", "2026-03-02T00:00:00Z")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A report of a passing check as `check` leaves it, a failing one, and the public key of both."""
    for target, (name, content) in ARTIFACTS.items():
        (tmp_path / "artifacts" / target).mkdir(parents=True)
        (tmp_path / "artifacts" / target / name).write_bytes(content)
    (tmp_path / "report.dsse.json").write_bytes(envelope(passing(), DSSE_KEY))
    (tmp_path / "unsigned.json").write_bytes(envelope(passing()))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "failing.json").write_bytes(envelope(failing(), DSSE_KEY))
    (tmp_path / "key.pub.pem").write_bytes(DSSE_KEY.public.pem)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert isinstance(exit_.value.code, int)
    return exit_.value.code


def test_verify_tells_every_step(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("verify", "report.dsse.json", "--public-key", "key.pub.pem", *AT) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == " 1 ok           envelope: a DSSE envelope with 1 signature"
    assert lines[1] == f" 2 ok           signature: signed by {DSSE_KEY.public.keyid}"
    assert lines[6] == " 7 ok           artifacts: 2 artifacts in 'artifacts' with the recorded digests"
    assert lines[7].startswith(" 8 not checked  expectations")
    assert lines[12:] == ["VERIFIED. RELEASED: 10 budgets hold"]


def test_verify_exits_with_what_the_report_concludes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("verify", "elsewhere/failing.json", "--public-key", "key.pub.pem", *AT) == 1
    out = capsys.readouterr().out
    assert "VERIFIED (artifacts not checked). NOT RELEASED: 1 of 10 budgets failed: android recall.rare" in out


def test_editing_an_artifact_beside_the_report_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "artifacts" / "android" / "digits.tflite").write_bytes(b"another")
    assert run("verify", "report.dsse.json", "--public-key", "key.pub.pem", *AT) == 5
    out = capsys.readouterr().out
    assert " 7 refused      artifacts: 'android/digits.tflite' has digest" in out
    assert out.endswith("REFUSED: do not rely on this report\n")


def test_verify_in_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("verify", "report.dsse.json", "--public-key", "key.pub.pem", *AT, "--format", "json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["holds"], found["exitCode"], found["result"]) == (True, 0, "passed")
    assert (found["signers"], found["leftOut"]) == ([DSSE_KEY.public.keyid], [])
    assert [step["number"] for step in found["steps"]] == list(range(1, 13))
    assert run("verify", "unsigned.json", *AT, "--format", "json") == 5
    refused = json.loads(capsys.readouterr().out)
    assert (refused["holds"], refused["exitCode"], refused["result"]) == (False, 5, None)
    assert refused["steps"][-1]["state"] == "refused"
    assert refused["leftOut"] is None


def test_verify_in_json_tells_what_was_left_out(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "part.json").write_bytes(envelope(replace(passing(), left_out=("watch",)), DSSE_KEY))
    assert run("verify", "part.json", "--public-key", "key.pub.pem", *AT, "--format", "json") == 0
    assert json.loads(capsys.readouterr().out)["leftOut"] == ["watch"]


def test_an_unsigned_report_says_so(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("verify", "unsigned.json", *AT) == 5
    assert "UNSIGNED" in capsys.readouterr().out
    assert run("verify", "unsigned.json", "--allow-unsigned", *AT) == 0
    assert "UNSIGNED, everything else holds. RELEASED" in capsys.readouterr().out


def test_time_is_now_unless_it_is_given(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = replace(passing(), checked_at="2020-01-01T00:00:00Z", expires_at="2020-02-01T00:00:00Z")
    (folder / "old.json").write_bytes(envelope(old, DSSE_KEY))
    assert run("verify", "old.json", "--public-key", "key.pub.pem", "--at", "2020-01-31T23:59:59Z") == 0
    assert run("verify", "old.json", "--public-key", "key.pub.pem") == 5
    assert "it expired at 2020-02-01T00:00:00Z" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("absent.json",), "cannot read the report 'absent.json': No such file"),
        (("report.dsse.json", "--public-key", "absent.pem"), "cannot read the key 'absent.pem'"),
        (("report.dsse.json", "--public-key", "key.pub.pem", "--public-key", "key.pub.pem"), "hold the same key"),
        (("report.dsse.json", "--trust", "absent.toml"), "cannot read the file: No such file"),
        (("report.dsse.json", "--trust", "key.pub.pem"), "not TOML"),
        (("report.dsse.json", "--trust", "a", "--public-key", "b"), "cannot be combined"),
        (("report.dsse.json", "--artifacts", "absent"), "there is no such folder"),
        (("report.dsse.json", "--expect-spec", "abc"), "write 64 hex digits"),
        (("report.dsse.json", "--expect-data", "abc"), "write SPLIT=SHA256, as test=3a7c…"),
        (("report.dsse.json", "--expect-data", "test=abc"), "write 64 hex digits"),
        (("report.dsse.json", "--expect-policy", "0" * 64), "write NAME=SHA256, as policy.toml=3a7c…"),
        (("report.dsse.json", "--expect-policy", "house.toml=abc"), "write 64 hex digits"),
        (("report.dsse.json", "--at", "today"), "write it as 2026-01-31T12:00:00Z"),
    ],
)
def test_a_wrong_command_is_no_verdict(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    assert run("verify", *arguments) == 2
    assert message in capsys.readouterr().err


def test_digests_may_be_given_in_either_case(folder: Path) -> None:
    digest = passing().spec.sha256.upper()
    assert run("verify", "report.dsse.json", "--public-key", "key.pub.pem", *AT, "--expect-spec", digest) == 0


def test_a_policy_is_expected_by_its_name_which_may_be_any(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    expected = ("--expect-policy", f"a=b.toml={'0' * 64}")
    assert run("verify", "report.dsse.json", "--public-key", "key.pub.pem", *AT, *expected) == 5
    assert "another policy than that 'a=b.toml': its spec extends none" in capsys.readouterr().out


def test_show_says_that_nothing_was_verified(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("show", "report.dsse.json") == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("RELEASED: 10 budgets hold\nnot verified; it claims to be signed by SHA256:")
    assert "was not verified" in captured.err


def test_show_as_markdown_and_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("show", "elsewhere/failing.json", "--format", "markdown") == 0
    assert capsys.readouterr().out.startswith("## NOT RELEASED: 1 of 10 budgets failed: android recall.rare\n")
    assert run("show", "elsewhere/failing.json", "--format", "json") == 0
    assert json.loads(capsys.readouterr().out) == codec.encode(failing())


def test_show_exports_for_other_tools(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("show", "report.dsse.json", "--format", "bundle", "--out", "report.sigstore.json") == 0
    assert capsys.readouterr().out == ""
    bundle = json.loads((folder / "report.sigstore.json").read_text())
    assert bundle["verificationMaterial"]["publicKey"]["hint"] == DSSE_KEY.public.keyid
    assert run("show", "elsewhere/failing.json", "--format", "vsa") == 0
    assert json.loads(capsys.readouterr().out)["predicate"]["verificationResult"] == "FAILED"


def test_an_unsigned_report_makes_no_bundle(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("show", "unsigned.json", "--format", "bundle") == 2
    assert "the report is unsigned" in capsys.readouterr().err


def test_show_refuses_what_is_no_report(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("show", "key.pub.pem") == 2
    said = "error: 'key.pub.pem' is not a report: name a report.dsse.json (the envelope is not strict JSON"
    assert said in capsys.readouterr().err
    assert run("verify", "key.pub.pem", "--public-key", "key.pub.pem") == 5
    (folder / "empty").mkdir()
    assert run("show", "empty") == 2
    assert "error: 'empty' holds no report.dsse.json" in capsys.readouterr().err


@pytest.mark.parametrize("algorithm", list(keys.Algorithm))
def test_keygen_makes_a_pair_that_signs(
    folder: Path, capsys: pytest.CaptureFixture[str], algorithm: keys.Algorithm
) -> None:
    assert run("keygen", "--out", "mine", "--algorithm", algorithm.value) == 0
    key = keys.load_signing_key(folder / "mine.pem")
    assert key.public.keyid in capsys.readouterr().out
    (folder / "mine.json").write_bytes(envelope(passing(), key))
    assert run("verify", "mine.json", "--public-key", "mine.pub.pem", *AT) == 0
    assert run("keygen", "--out", "mine") == 2
    assert "a key is never overwritten" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["verify", "show", "sign", "keygen"])
def test_help_has_examples(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command, "--help") == 0
    assert f"  deployspec {command} " in capsys.readouterr().out


@pytest.mark.parametrize(
    "command", [("show",), ("verify", "--public-key", "key.pub.pem"), ("diff", "elsewhere/failing.json")]
)
@pytest.mark.parametrize(
    ("named", "said"),
    [(".", "'.' holds no report.dsse.json"), ("report.dsse.json", "'report.dsse.json': No such file or directory")],
)
def test_where_a_check_ended_without_its_report_the_earlier_ones_are_named(
    folder: Path, capsys: pytest.CaptureFixture[str], command: tuple[str, ...], named: str, said: str
) -> None:
    for _ in range(2):
        (folder / "report.dsse.json").write_bytes(envelope(passing(), DSSE_KEY))
        (folder / "artifacts" / ".deployspec").touch()
        set_aside(folder)
    assert run(*command, named) == 2
    kept = "report.previous.dsse.json, report.previous.2.dsse.json"
    assert f"{said}; of earlier checks there is {kept}\n" in capsys.readouterr().err
