"""The stage as a whole: the full language, what is derived from it, notes and pins."""

from __future__ import annotations

import json
import re
import shutil
import time
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from deployspec.diagnostics import Severity
from deployspec.digests import sha256_bytes, sha256_file
from deployspec.errors import DigestMismatch, ExitCode, SpecFaults
from deployspec.ir.model import Model, SourceKind
from deployspec.ir.spec import PassUse
from deployspec.parse import check_pin, missing_data, notes, parse_spec

FULL = Path(__file__).parents[2] / "golden" / "full"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return shutil.copytree(FULL, tmp_path / "full")


def test_the_whole_language(folder: Path) -> None:
    spec = parse_spec(folder / "spec.toml")
    assert spec.sha256 == sha256_bytes((folder / "spec.toml").read_bytes())
    assert spec.model.kind is SourceKind.TORCH_CALLABLE
    assert spec.model.inputs[0].shape == ("batch", 1, 8, 8)
    assert spec.model.inputs[0].range == (-1.0, 1.0)
    assert spec.scored_output == "logits"
    assert spec.valid_s == 90 * 86400
    assert [each.name for each in spec.policies] == ["deployspec:mobile-vision", "policy/release.toml"]
    assert spec.waivers[0].expires == date(2026, 12, 31)
    assert list(spec.data.splits()) == ["train", "calibration", "tuning", "test", "field"]
    assert spec.metrics["wer"].better == "lower"


def test_a_target_holds_its_own_and_the_common_budgets(folder: Path) -> None:
    android, server = parse_spec(folder / "spec.toml").targets
    limits = {budget.name: budget for budget in android.budgets}
    assert limits["size"].limit.limit == Decimal(10_000_000)
    assert limits["recall.3"].limit.limit == Decimal("0.9")
    assert limits["recall.9"].limit.limit == Decimal("0.85")
    assert limits["field.accuracy_drop"].split == "field"
    assert limits["stable"].limit.holds(Decimal(1))
    assert "undelegated_ops" not in {budget.name for budget in server.budgets}
    assert android.passes == (PassUse("quantize", (("scheme", "int8"),)),)
    assert (android.device, android.time_limit_s) == ("pixel-8", 1800)
    assert (android.sustained_s, server.sustained_s) == (120, 120)


def test_a_sustained_run_is_as_long_as_the_target_says(folder: Path) -> None:
    spec = folder / "spec.toml"
    spec.write_text(spec.read_text().replace("[targets.android]\n", '[targets.android]\nsustained = "45 s"\n', 1))
    assert [target.sustained_s for target in parse_spec(spec).targets] == [45, 120]


def test_missing_data_is_a_note_and_an_error_for_those_who_need_it(folder: Path) -> None:
    spec = parse_spec(folder / "spec.toml")
    told = [each for each in notes(spec) if each.code == "missing-data"]
    assert [each.severity for each in told] == [Severity.NOTE] * 5
    assert [each.path for each in missing_data(spec)] == [("data", name) for name in spec.data.splits()]
    (folder / "data").mkdir()
    (folder / "data" / "test.npz").touch()
    assert ("data", "test") not in [each.path for each in missing_data(spec)]


def test_the_project_is_the_git_work_tree(folder: Path) -> None:
    (folder / "specs").mkdir()
    spec = folder / "specs" / "spec.toml"
    text = (folder / "spec.toml").read_text()
    spec.write_text(text.replace('"digits.', '"../digits.').replace('"metrics.py', '"../metrics.py'))
    with pytest.raises(SpecFaults):
        parse_spec(spec)
    (folder / ".git").mkdir()
    shutil.copytree(folder / "policy", folder / "specs" / "policy")
    assert parse_spec(spec).root == folder.resolve()


def test_a_pin_is_held(folder: Path) -> None:
    (folder / "digits.safetensors").write_bytes(b"weights")
    text = (folder / "spec.toml").read_text()

    def pinned(digest: str) -> None:
        (folder / "spec.toml").write_text(text.replace("weights =", f'sha256 = "{digest}"\nweights ='))
        check_pin(parse_spec(folder / "spec.toml"))

    pinned(sha256_file(folder / "digits.safetensors"))
    with pytest.raises(DigestMismatch, match="pins 0000") as caught:
        pinned("0" * 64)
    assert caught.value.exit_code is ExitCode.UNTRUSTED
    check_pin(parse_spec(FULL / "spec.toml"))


@pytest.mark.parametrize(
    ("source", "framework", "kind"),
    [
        ("m.py:build", "torch", SourceKind.TORCH_CALLABLE),
        ("m.py:build", "keras", SourceKind.KERAS_CALLABLE),
        ("m.pt2", "torch", SourceKind.EXPORTED_PROGRAM),
        ("m.ts.pt", "torch", SourceKind.TORCHSCRIPT),
        ("m.keras", "torch", SourceKind.KERAS_FILE),
        ("saved_model/", "torch", SourceKind.SAVED_MODEL),
    ],
)
def test_the_kind_of_source_is_told_from_its_text(source: str, framework: str, kind: SourceKind) -> None:
    assert Model(name="m", source=source, framework=framework, inputs=()).kind is kind  # type: ignore[arg-type]


def test_a_split_may_come_from_code_that_yields_others(folder: Path) -> None:
    text = (folder / "spec.toml").read_text()
    for name in ("train", "test"):
        text = text.replace(f'"data/{name}.npz"', f'"digits.py:{name}"')
    (folder / "spec.toml").write_text(text)
    with (folder / "digits.py").open("a") as code:
        code.write("def train(): ...\ndef test(): ...\n")
    assert parse_spec(folder / "spec.toml").data.test == "digits.py:test"
    (folder / "spec.toml").write_text(text.replace("digits.py:train", "digits.py:test"))
    with pytest.raises(SpecFaults) as caught:
        parse_spec(folder / "spec.toml")
    assert [each.code for each in caught.value.faults] == ["same-split"]


def test_a_spec_has_at_most_ten_thousand_targets(tmp_path: Path) -> None:
    path = tmp_path / "spec.toml"
    path.write_text("deployspec = 1\n[targets]\n" + "".join(f"t{i} = {{}}\n" for i in range(10_001)))
    with pytest.raises(SpecFaults) as caught:
        parse_spec(path)
    assert [each.code for each in caught.value.faults] == ["too-many-targets"]


@pytest.mark.parametrize("path", [".", "missing.toml", "nul\0.toml"])
def test_what_cannot_be_read_is_a_fault(tmp_path: Path, path: str) -> None:
    with pytest.raises(SpecFaults) as caught:
        parse_spec(tmp_path / path)
    assert [each.code for each in caught.value.faults] == ["unreadable"]


HEAD = """
deployspec = 1
[model]
name = "m"
source = "m.py:build"
[[model.inputs]]
name = "x"
shape = [1]
[data]
test = "test.npz"
"""


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("[budgets]\n" + "".join(f"latency_{i} = 1\n" for i in range(50_000)), {"unknown-budget", "too-many-faults"}),
        (
            f'[task]\nkind = "classification"\nlabels = {[f"a{i}" for i in range(1000)]}\n[budgets]\nf1 = "> 1 %"\n'
            + "".join(f'[targets.t{i}]\nformat = "tflite"\n' for i in range(1001)),
            {"too-many-budgets"},
        ),
        (f"policy.extends = {['deployspec:mobile'] * 40_000}\n", {"repeated-name", "too-many-faults"}),
    ],
    ids=["names", "classes times targets", "policies"],
)
def test_the_work_is_bounded_whatever_the_text(tmp_path: Path, text: str, codes: set[str]) -> None:
    (tmp_path / "m.py").write_text("def build(): ...\n")
    (tmp_path / "spec.toml").write_text(text + HEAD if text.startswith("policy") else HEAD + text)
    start = time.process_time()
    with pytest.raises(SpecFaults) as caught:
        parse_spec(tmp_path / "spec.toml")
    assert {each.code for each in caught.value.faults} == codes
    assert time.process_time() - start < 10


@pytest.mark.parametrize("name", [".x", "a/b", "../x", "/tmp/x", "a\\b", "a\nb", " x", "x ", "a:b", "é" * 65])
def test_a_model_is_not_called_what_no_file_can_be(folder: Path, name: str) -> None:
    with pytest.raises(SpecFaults) as refused:
        parse_spec(called(folder, name))
    assert [each.code for each in refused.value.faults] == ["illegal-name"]


@pytest.mark.parametrize("name", ["x", "Größe 2", "net-v1.2", "é" * 64])
def test_a_model_may_be_called_as_a_file_can(folder: Path, name: str) -> None:
    assert parse_spec(called(folder, name)).model.name == name


def called(folder: Path, name: str) -> Path:
    spec = folder / "spec.toml"
    model = re.compile(r'^(\[model\]\nname\s*=\s*)".*"', re.MULTILINE)
    spec.write_text(model.sub(lambda found: found[1] + json.dumps(name, ensure_ascii=False), spec.read_text(), count=1))
    return spec
