"""judge and evidence, as a user meets them: claims, signatures, devices, digests, and reports that verify."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from evidence_files import as_bytes, document, run, timed
from sample_reports import DSSE_KEY

from deployspec.cli import main
from deployspec.digests import sha256_bytes
from deployspec.ir.evidence_file import PAYLOAD_TYPE
from deployspec.trust import dsse, keys

if TYPE_CHECKING:
    from pathlib import Path

SPEC = """deployspec = 1

[model]
name   = "m"
source = "model.py:build"

[[model.inputs]]
name  = "x"
shape = ["batch", 4]

[task]
kind   = "classification"
labels = ["a", "b"]

[data]
test = "test.npz"

[budgets]
latency_p95 = "< 10 ms"

[targets.phone]
format = "torchscript"
device = "pixel-8"

[targets.server]
format = "torchscript"
"""

TRUST = """trust = 1
threshold = 1

[keys.release]
file = "release.pub.pem"
roles = ["release"]

[keys.lab]
file = "lab.pub.pem"
roles = ["lab"]
"""

FAST = timed("5", "5.1", "5.2", "4.9", "5", "5.3")
LAB = keys.generate()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A spec of two targets, a trust policy with a lab in it, and a signed document for both."""
    files = {
        "spec.toml": SPEC.encode(),
        "model.py": b"def build() -> object: ...\n",
        "trust.toml": TRUST.encode(),
        "release.pem": DSSE_KEY.pem,
        "release.pub.pem": DSSE_KEY.public.pem,
        "lab.pem": LAB.pem,
        "lab.pub.pem": LAB.public.pem,
        "lab.json": as_bytes(document(run("phone", **FAST), run("server", "host", **FAST))),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "lab.dsse.json").write_bytes(signed(files["lab.json"]))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def signed(payload: bytes, payload_type: str = PAYLOAD_TYPE, key: keys.SigningKey = LAB) -> bytes:
    return dsse.Envelope(payload, payload_type).signed_by(key).to_bytes()


def call(*arguments: str) -> int:
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert isinstance(exit_.value.code, int)
    return exit_.value.code


def judge(*arguments: str) -> int:
    return call("judge", "spec.toml", "--out", "out", *arguments)


def predicate(here: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(dsse.read((here / "out" / "report.dsse.json").read_bytes()).payload)["predicate"]
    return found


def test_what_a_trusted_lab_signed_is_judged_as_it_says(here: Path) -> None:
    assert judge("--evidence", "lab.dsse.json", "--trust", "trust.toml", "--key", "release.pem") == 0
    report = predicate(here)
    assert [each["evidence"] for each in report["verdicts"]] == ["device", "host"]
    assert {each["source"] for each in report["measurements"]} == {sha256_bytes((here / "lab.dsse.json").read_bytes())}
    assert [each["signers"] for each in report["imports"]] == [[LAB.public.keyid]] * 2
    assert call("verify", "out", "--public-key", "release.pub.pem") == 0
    assert not (here / "out" / "artifacts").exists()


def test_another_model_than_the_pinned_one_is_refused_before_anything_is_judged(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = 'source = "model.py:build"'
    for digest, code in ((sha256_bytes((here / "model.py").read_bytes()), 0), ("0" * 64, 5)):
        (here / "spec.toml").write_text(SPEC.replace(source, f'{source}\nsha256 = "{digest}"'))
        assert judge("--evidence", "lab.dsse.json", "--trust", "trust.toml") == code
    assert f"and the spec pins {'0' * 64}" in capsys.readouterr().err
    assert not (here / "out" / "report.dsse.json").exists()


@pytest.mark.parametrize(
    "arguments", [("lab.json", "--trust", "trust.toml"), ("lab.dsse.json",)], ids=["unsigned", "without trust"]
)
def test_what_nobody_vouches_for_is_shown_and_decides_nothing(here: Path, arguments: tuple[str, ...]) -> None:
    assert judge("--evidence", *arguments, "--key", "release.pem") == 3
    verdicts = predicate(here)["verdicts"]
    assert [(each["verdict"], each["evidence"], each["estimate"]) for each in verdicts] == [
        ("not_measured", "claimed", "5.05")
    ] * 2
    assert "the weaker figure: latency p95: 5.05 ms" in verdicts[0]["reason"]
    assert any("it is claimed, and decides nothing" in each for each in predicate(here)["findings"])
    assert call("verify", "out", "--public-key", "release.pub.pem") == 3


def test_a_signature_counts_only_over_these_bytes_by_a_key_with_the_role_of_a_lab(here: Path) -> None:
    for key in (DSSE_KEY, keys.generate()):
        (here / "other.dsse.json").write_bytes(signed((here / "lab.json").read_bytes(), key=key))
        assert judge("--evidence", "other.dsse.json", "--trust", "trust.toml") == 3
    envelope = dsse.read((here / "lab.dsse.json").read_bytes())
    faster = dsse.Envelope(envelope.payload.replace(b'"5"', b'"1"'), envelope.payload_type, envelope.signatures)
    (here / "edited.dsse.json").write_bytes(faster.to_bytes())
    assert judge("--evidence", "edited.dsse.json", "--trust", "trust.toml") == 3


def test_it_is_told_whether_a_claim_lacks_a_signature_or_trust_in_one(here: Path) -> None:
    (here / "other.dsse.json").write_bytes(signed((here / "lab.json").read_bytes(), key=DSSE_KEY))
    trust = ("--trust", "trust.toml", "--target", "phone")
    assert judge("--evidence", "lab.json", *trust) == 3
    assert "unsigned (a lab signs it with `deployspec evidence --key`): it is claimed" in predicate(here)["findings"][0]
    assert judge("--evidence", "other.dsse.json", *trust) == 3
    (said,) = (each for each in predicate(here)["findings"] if "handed in" in each)
    assert f"signed in the name of {DSSE_KEY.public.keyid}, but by no key to which a trust file gives the role" in said


def test_judge_leaves_the_report_of_a_check_alone_and_keeps_what_is_signed(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    claim = ("judge", "spec.toml", "--evidence", "lab.json")
    assert call(*claim, "--key", "release.pem") == 3
    first = (here / "deployspec-judged" / "report.dsse.json").read_bytes()
    assert "is kept as" not in capsys.readouterr().err
    for _ in range(2):
        assert call(*claim) == 3
    kept = here / "deployspec-judged" / "report.previous.dsse.json"
    assert kept.read_bytes() == first
    assert capsys.readouterr().err.count(f"the signed report that was there is kept as {kept.relative_to(here)}") == 1
    assert not (here / "deployspec-report").exists()


def test_a_spec_may_take_claims_and_the_report_says_so(here: Path) -> None:
    (here / "spec.toml").write_text(SPEC + '\n[evidence]\naccept = "claimed"\n')
    assert judge("--evidence", "lab.json", "--key", "release.pem") == 0
    assert 'counts because the spec says accept = "claimed"' in predicate(here)["findings"][0]
    assert predicate(here)["imports"][0]["signers"] == []
    assert call("verify", "out", "--public-key", "release.pub.pem") == 0


def test_a_target_that_nobody_measured_is_not_released(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "phone.dsse.json").write_bytes(signed(as_bytes(document(run("phone", **FAST)))))
    arguments = ("--evidence", "phone.dsse.json", "--trust", "trust.toml", "--key", "release.pem")
    assert judge(*arguments) == 3
    out = capsys.readouterr().out
    assert "NOT RELEASED: server was measured by nobody" in out
    assert "no evidence was handed in for it" in out
    assert call("verify", "out", "--public-key", "release.pub.pem") == 3
    assert judge(*arguments, "--target", "phone") == 0
    assert predicate(here)["leftOut"] == ["server"]


def test_runs_of_targets_that_were_not_asked_for_are_left_aside(here: Path) -> None:
    assert judge("--evidence", "lab.dsse.json", "--trust", "trust.toml", "--target", "server") == 0
    assert [each["target"] for each in predicate(here)["imports"]] == ["server"]


def test_too_few_processes_decide_nothing_and_say_how_many_would(here: Path) -> None:
    (here / "one.dsse.json").write_bytes(signed(as_bytes(document(run("phone", **timed("5"))))))
    assert judge("--evidence", "one.dsse.json", "--trust", "trust.toml", "--target", "phone") == 3
    (verdict,) = predicate(here)["verdicts"]
    assert (verdict["verdict"], verdict["n"]) == ("inconclusive", 1)
    assert "5 more processes like these would decide it" in verdict["reason"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (as_bytes(document(run("watch"))), "/runs/0/target: the spec has no target 'watch'; it has phone, server"),
        (
            as_bytes(document(run("phone", device={"name": "pixel-7"}))),
            "/runs/0/device/name: 'pixel-7' is not the device of target 'phone', which is 'pixel-8'",
        ),
        (
            as_bytes(document(run("phone", evidence="emulator", device={"name": "pixel-7"}))),
            "/runs/0/device/name: 'pixel-7' is not the device of target 'phone', which is 'pixel-8'",
        ),
        (
            as_bytes(document(run(quality=[{"labels": ["a", "c"], "confusion": [[1, 0], [0, 1]]}]))),
            "/runs/0/quality/0/labels: these are not the labels of the spec's task, which are a, b",
        ),
        (
            as_bytes(document(run(quality=[{"labels": ["a"], "confusion": [[9]]}]))),
            "/runs/0/quality/0/labels: these are not the labels of the spec's task, which are a, b",
        ),
        (
            as_bytes(document(run(sizeBytes=1), run(sha256="1" * 64, **FAST))),
            "/runs/1/artifact/sha256: target 'phone' was measured with another artifact before",
        ),
        (
            as_bytes(document(run(**FAST), run(**FAST))),
            "/runs/1: latency.p95 of target 'phone' with device evidence is in bad.json:/runs/0 too",
        ),
        (
            as_bytes(document(run(sizeBytes=1, **FAST), run(sizeBytes=2, **FAST))),
            "/runs/1: size of target 'phone' with static evidence is in bad.json:/runs/0 too",
        ),
        (signed(b"{}", "application/vnd.in-toto+json"), "/payloadType: 'application/vnd.in-toto+json' is not evidence"),
        (signed(b"{}"), "bad.json: it is no evidence document"),
        (b'{"payloadType": "x"}', "bad.json: the envelope: 'signatures' must be an array"),
        (b"latency_ms\n1\n", "this is a CSV of samples, which does not say what was measured on which device"),
    ],
)
def test_evidence_that_does_not_fit_is_refused_at_its_place(
    here: Path, content: bytes, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "bad.json").write_bytes(content)
    (here / "spec.toml").write_text(SPEC + '\n[evidence]\naccept = "claimed"\n')
    assert judge("--evidence", "bad.json") == 2
    assert message in capsys.readouterr().err
    assert not (here / "out" / "report.dsse.json").exists()


def test_the_same_figure_from_two_files_is_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert judge("--evidence", "lab.json", "--evidence", "lab.json") == 2
    assert "hand in one of them, as choosing the better is no test" in capsys.readouterr().err


def test_every_figure_that_two_files_tell_is_named(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    more = timed("5", loadMs="1")
    for name in ("a.json", "b.json"):
        (here / name).write_bytes(as_bytes(document(run(agreement=[{"split": "test", "hits": 5, "n": 5}], **more))))
    assert judge("--evidence", "a.json", "--evidence", "b.json") == 2
    said = "agreement, latency.p95, load of target 'phone' with device evidence are in a.json:/runs/0 too: hand in one"
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("accepts", ["claimed", "signed"])
@pytest.mark.parametrize("first", ["times.json", "signed.json"])
def test_a_size_that_two_files_tell_alike_is_no_choice(here: Path, accepts: str, first: str) -> None:
    (here / "spec.toml").write_text(
        SPEC.replace("latency", 'size = "< 2 kB"\nlatency') + f"[evidence]\naccept = '{accepts}'\n"
    )
    (here / "times.json").write_bytes(as_bytes(document(run(sizeBytes=1000, **FAST))))
    (here / "host.json").write_bytes(as_bytes(document(run("phone", "host", sizeBytes=1000))))
    (here / "signed.json").write_bytes(signed((here / "host.json").read_bytes()))
    files = sorted(["times.json", "host.json", "signed.json"], key=lambda name: name != first)
    given = [part for name in files for part in ("--evidence", name)]
    code = judge(*given, "--trust", "trust.toml", "--target", "phone", "--key", "release.pem")
    assert call("verify", "out", "--public-key", "release.pub.pem") == code == (3 if accepts == "signed" else 0)
    told = predicate(here)
    assert [each["verdict"] for each in told["verdicts"] if each["budget"] == "size"] == ["pass"]
    sizes = [(each["statistic"]["value"], each["evidence"]) for each in told["measurements"] if each["name"] == "size"]
    both = [("1000", "claimed"), ("1000", "static")]
    assert sorted(sizes) == (both if accepts == "signed" else both[1:])
    assert len(told["imports"]) == 3


@pytest.mark.parametrize("order", [("device", "host"), ("host", "device")])
def test_claims_of_two_classes_are_no_choice(here: Path, order: tuple[str, str]) -> None:
    slow = timed("7", "7.1", "7.2", "6.9", "7", "7.3")
    agreement = {"host": [{"split": "test", "hits": 5, "n": 5}], "device": []}
    times = {"device": FAST, "host": slow}
    runs = [run("phone", each, agreement=agreement[each], **times[each]) for each in order]
    (here / "claims.json").write_bytes(as_bytes(document(*runs)))
    assert judge("--evidence", "claims.json") == 3
    report = predicate(here)
    assert [each["stated"] for each in report["imports"]] == list(order)
    claims = {each["name"]: each for each in report["measurements"]}
    assert len(claims) == len(report["measurements"]), "of two claims to one figure the better class is told"
    assert claims["latency.p95"]["statistic"]["values"][0] == "5"
    assert claims["agreement"]["evidence"] == "claimed"
    assert call("verify", "out/report.dsse.json", "--allow-unsigned") == 3


def test_figures_of_other_splits_and_of_other_evidence_are_no_repeats(here: Path) -> None:
    splits = [
        run(quality=[{"labels": ["a", "b"], "confusion": [[5, 0], [0, 5]], "split": each}])
        for each in ("test", "field")
    ]
    classes = [run(**FAST), run("phone", "host", **FAST), run(evidence="emulator", **FAST)]
    (here / "spec.toml").write_text(SPEC + '\n[evidence]\naccept = "claimed"\n')
    (here / "many.json").write_bytes(as_bytes(document(*splits, *classes)))
    assert judge("--evidence", "many.json", "--target", "phone") == 0
    told = [(each["name"], each["split"]) for each in predicate(here)["measurements"]]
    assert told == [("quality", "test"), ("quality", "field"), *[("latency.p95", "")] * 3]


def test_figures_of_two_files_that_do_not_fit_together_are_no_report(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pair = {"both": 5, "broken": 0, "repaired": 0, "neither": 0}
    matrix = [[5, 0], [0, 5]]
    table = {"labels": ["a", "b"], "confusion": matrix, "referenceConfusion": matrix, "paired": [pair, pair]}
    (here / "spec.toml").write_text(SPEC + '\n[evidence]\naccept = "claimed"\n')
    (here / "table.json").write_bytes(as_bytes(document(run(quality=[table], **FAST))))
    (here / "agreement.json").write_bytes(as_bytes(document(run(agreement=[{"hits": 90, "n": 90}]))))
    arguments = ("--evidence", "table.json", "--target", "phone")
    assert judge(*arguments) == 0
    assert predicate(here)["findings"][-1].endswith("always answering 'a' would be right 50 % of the time")
    assert judge(*arguments, "--evidence", "agreement.json", "--out", "other") == 2
    assert "the agreement of target 'phone' on 'test' is not that of its confusion" in capsys.readouterr().err
    assert not (here / "other").exists()


def test_a_file_that_is_not_there_is_said_so(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert judge("--evidence", "nowhere.json") == 2
    assert "cannot read the evidence 'nowhere.json'" in capsys.readouterr().err


def test_a_class_that_never_occurs_is_not_measured(here: Path) -> None:
    spec = SPEC.replace('latency_p95 = "< 10 ms"', 'recall = { b = ">= 50 %" }\nprecision = { b = ">= 50 %" }')
    (here / "spec.toml").write_text(spec + '\n[evidence]\naccept = "claimed"\n')
    table = {"labels": ["a", "b"], "confusion": [[5, 0], [0, 0]]}
    (here / "one.json").write_bytes(as_bytes(document(run(quality=[table]))))
    assert judge("--evidence", "one.json", "--target", "phone") == 3
    assert {each["verdict"] for each in predicate(here)["verdicts"]} == {"not_measured"}


@pytest.mark.parametrize(
    "figures",
    [
        {"quality": [{"labels": ["a", "b"], "confusion": [[5, 1], [0, 4]]}]},
        {"quality": [{"labels": ["a", "b"], "confusion": [[5, 1], [0, 4]], "referenceConfusion": [[6, 0], [0, 4]]}]},
        {"outcomes": [{"both": 9, "broken": 1, "repaired": 0, "neither": 0}]},
    ],
    ids=["no reference", "margins", "no classes"],
)
def test_every_view_shows_what_tells_less_than_a_check_does(here: Path, figures: dict[str, Any]) -> None:
    budgets = 'accuracy = ">= 50 %"\naccuracy_drop = "< 50 pp"\nrecall = { b = ">= 10 %" }'
    spec = SPEC.replace('latency_p95 = "< 10 ms"', budgets)
    (here / "spec.toml").write_text(spec + '\n[evidence]\naccept = "claimed"\n')
    (here / "less.json").write_bytes(as_bytes(document(run(**figures))))
    assert judge("--evidence", "less.json", "--target", "phone") == 3
    for view in ("text", "markdown", "html", "json", "cyclonedx", "junit", "github"):
        assert call("show", "out", "--format", view) == 0


def test_evidence_signs_the_bytes_of_a_sound_document(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("evidence", "lab.json", "--key", "lab.pem", "--out", "new.dsse.json") == 0
    assert (here / "new.dsse.json").read_bytes() == (here / "lab.dsse.json").read_bytes()
    assert LAB.public.keyid in capsys.readouterr().out
    assert call("evidence", "lab.json") == 0
    assert capsys.readouterr() == ((here / "lab.json").read_text(), "lab.json: sound, 2 runs, unsigned\n")
    assert call("evidence", "lab.dsse.json") == 2
    assert "is signed already" in capsys.readouterr().err


def test_evidence_makes_a_document_of_logs(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "m.ts").write_bytes(b"weights")
    for i in range(6):
        (here / f"run-{i}.csv").write_text("latency_ms\n" + "5\n" * 99 + f"5.{i}\n")
    logs = [f"run-{i}.csv" for i in range(6)]
    about = ("--target", "phone", "--artifact", "m.ts", "--device", "pixel-8", "--runtime", "LiteRT 2.1")
    assert call("evidence", *logs, *about, "--key", "lab.pem", "--out", "logs.dsse.json") == 0
    assert judge("--evidence", "logs.dsse.json", "--trust", "trust.toml", "--target", "phone") == 0
    report = predicate(here)
    assert report["targets"][0]["artifact"] == {"name": "m.ts", "sha256": sha256_bytes(b"weights")}
    sizes = [each["statistic"] for each in report["measurements"] if each["name"] == "size"]
    assert sizes == [{"kind": "count", "value": "7"}]
    capsys.readouterr()
    assert call("evidence", "run-0.csv") == 2
    assert "give --target and --artifact" in capsys.readouterr().err


def test_a_log_counts_once(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "m.ts").write_bytes(b"weights")
    for name in ("a.csv", "b.csv"):
        (here / name).write_text("latency_ms\n" + "5\n" * 100)
    about = ("--target", "phone", "--artifact", "m.ts", "--device", "pixel-8")
    for logs in (("a.csv", "a.csv"), ("a.csv", "b.csv")):
        assert call("evidence", *logs, *about) == 2
        assert f"'{logs[0]}' and '{logs[1]}' are one log, byte for byte" in capsys.readouterr().err


def test_evidence_refuses_what_a_document_says_by_itself(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("evidence", "lab.json", "--device", "pixel-9") == 2
    assert "give one document, or logs with what they lack" in capsys.readouterr().err
