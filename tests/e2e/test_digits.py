"""The main job, end to end on the shipped examples: a promise that holds, proven; one that does not, explained."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from programs import ROOT, Checked, Ran, deployspec

from deployspec.cli import main

if TYPE_CHECKING:
    from pathlib import Path


def test_the_digits_pass(digits: Checked) -> None:
    assert digits.ran.code == 0, digits.ran.said
    assert "RELEASED: 31 budgets hold" in digits.ran.out
    assert "UNSIGNED" not in digits.ran.out
    assert {path.name for path in digits.report.parent.iterdir()} >= {"report.dsse.json", "artifacts"}
    artifacts = digits.report.parent / "artifacts"
    found = {path.relative_to(artifacts).as_posix() for path in artifacts.glob("*/*")}
    assert found == {"server/digits.ts.pt", "android/digits.tflite"}


def predicate(report: Path) -> dict[str, Any]:
    envelope = json.loads(report.read_text())
    found: dict[str, Any] = json.loads(base64.b64decode(envelope["payload"]))["predicate"]
    return found


def test_the_figures_are_those_of_the_whole_test_split(digits: Checked) -> None:
    tables = [each["statistic"] for each in predicate(digits.report)["measurements"] if each["name"] == "quality"]
    assert len(tables) == 2
    for table in tables:
        assert sum(map(sum, table["confusion"])) == 898
        assert [sum(row) for row in table["confusion"]] == [84, 93, 78, 96, 88, 98, 85, 95, 92, 89]


def verify(report: Path, capsys: pytest.CaptureFixture[str], *more: str) -> tuple[int, str]:
    """The exit code of `deployspec verify`, and its last line."""
    with pytest.raises(SystemExit) as ended:
        main(["verify", str(report), *more])
    return int(str(ended.value.code)), capsys.readouterr().out.rstrip().rpartition("\n")[2]


def test_its_report_verifies(digits: Checked) -> None:
    ran = digits.deployspec("verify", str(digits.report), "--public-key", str(digits.public_key))
    assert ran.code == 0, ran.said
    assert ran.out.splitlines()[-1] == "VERIFIED. RELEASED: 31 budgets hold"


def test_another_key_refuses_it(digits: Checked, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["keygen", "--out", str(tmp_path / "other")])
    code, last = verify(digits.report, capsys, "--public-key", str(tmp_path / "other.pub.pem"))
    assert (code, last) == (5, "REFUSED: do not rely on this report")


@pytest.fixture
def copy(digits: Checked, tmp_path: Path) -> Path:
    """The report's folder, to do harm to."""
    shutil.copytree(digits.report.parent, tmp_path / "copy")
    return tmp_path / "copy"


@pytest.mark.parametrize("place", [i / 24 for i in range(25)])
@pytest.mark.parametrize("mask", [0x01, 0x80])
def test_a_flipped_byte_of_the_payload_is_5(
    digits: Checked, copy: Path, capsys: pytest.CaptureFixture[str], place: float, mask: int
) -> None:
    report = copy / "report.dsse.json"
    envelope = json.loads(report.read_text())
    payload = bytearray(base64.b64decode(envelope["payload"]))
    payload[round(place * (len(payload) - 1))] ^= mask
    envelope["payload"] = base64.b64encode(payload).decode()
    report.write_text(json.dumps(envelope))
    code, last = verify(report, capsys, "--public-key", str(digits.public_key))
    assert (code, last) == (5, "REFUSED: do not rely on this report")


@pytest.mark.parametrize("name", ["server/digits.ts.pt", "android/digits.tflite"])
@pytest.mark.parametrize("harm", ["edited", "missing"])
def test_an_edited_artifact_is_5(
    digits: Checked, copy: Path, capsys: pytest.CaptureFixture[str], name: str, harm: str
) -> None:
    artifact = copy / "artifacts" / name
    content = bytearray(artifact.read_bytes())
    content[len(content) // 2] ^= 1
    artifact.unlink()
    if harm == "edited":
        artifact.write_bytes(content)
    code, last = verify(copy / "report.dsse.json", capsys, "--public-key", str(digits.public_key))
    assert (code, last) == (5, "REFUSED: do not rely on this report")


@pytest.fixture(scope="module")
def again(digits: Checked) -> Ran:
    """An unchanged second run, without a key."""
    return digits.check("again", "--reuse-latency", "1 h")


def test_an_unchanged_second_run_builds_and_measures_nothing(again: Ran) -> None:
    assert again.code == 0
    words = {line.split()[0] for line in again.said.splitlines()}
    assert words == {"cached"}
    assert len(again.said.splitlines()) == 13


def test_latency_that_was_used_again_is_said(digits: Checked, again: Ran) -> None:
    notes = {
        each["name"]: each.get("note", "")
        for each in predicate(digits.folder / "again" / "report.dsse.json")["measurements"]
    }
    assert notes["latency.p95"].startswith("reused: measured at ")
    assert notes["quality"] == ""


def test_an_unsigned_report_says_so_and_verifies_only_when_that_is_allowed(
    digits: Checked, again: Ran, capsys: pytest.CaptureFixture[str]
) -> None:
    report = digits.folder / "again" / "report.dsse.json"
    assert "UNSIGNED" in again.out
    assert verify(report, capsys)[0] == 5
    code, last = verify(report, capsys, "--allow-unsigned")
    assert code == 0
    assert last == "UNSIGNED, everything else holds. RELEASED: 31 budgets hold"


QUIETLY = """
import sys
from deployspec.cli import main
try:
    main(sys.argv[1:])
finally:
    print(sorted({"torch", "torchao", "litert_torch", "ai_edge_litert", "tensorflow"} & set(sys.modules)))
"""


def test_the_main_process_imports_no_framework(digits: Checked) -> None:
    spec, out = str(ROOT / "specs" / "digits.toml"), str(digits.folder / "quiet")
    command = [sys.executable, "-c", QUIETLY, "check", spec, "--out", out, "--reuse-latency", "1 h"]
    environment = os.environ | {"DEPLOYSPEC_STORE": str(digits.folder / "store")}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.splitlines()[-1] == "[]"


def test_one_target_alone_shares_what_is_made(digits: Checked) -> None:
    ran = digits.check("alone", "--target", "android", "--reuse-latency", "1 h")
    assert ran.code == 0
    assert {line.split()[0] for line in ran.said.splitlines()} == {"cached"}
    assert not (digits.folder / "alone" / "artifacts" / "server").exists()


@pytest.fixture(scope="module")
def imbalanced(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder = tmp_path_factory.mktemp("imbalanced")
    spec = str(ROOT / "examples" / "imbalanced" / "deployspec.toml")
    return deployspec("check", spec, "--out", str(folder / "out"), DEPLOYSPEC_STORE=str(folder / "store"))


def test_the_imbalanced_example_fails_on_the_class_that_it_does_not_find(imbalanced: Ran) -> None:
    assert imbalanced.code == 1
    (line,) = [line for line in imbalanced.out.splitlines() if line.startswith("recall.poor ")]
    assert re.fullmatch(r"recall\.poor +>= 80 % +1\.61 % +1\.61 % +0\.28 to \d\.\d\d % .* +124 +host +fail", line)


def test_its_accuracy_passes_all_the_same(imbalanced: Ran) -> None:
    (line,) = [line for line in imbalanced.out.splitlines() if line.startswith("accuracy ")]
    assert " 98.47 % " in line
    assert " pass" in line


def test_its_headline_names_the_budget(imbalanced: Ran) -> None:
    assert re.match(r"NOT RELEASED: .*recall\.poor", imbalanced.out)
