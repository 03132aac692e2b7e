"""The way back: what verification accepts, and every doubt that stops it, told by the step that finds it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from sample_reports import (
    ARTIFACTS,
    CHECKED_AT,
    DSSE_KEY,
    WAIVER,
    budget,
    envelope,
    failing,
    judged,
    measured,
    of_size,
    passing,
    sealed,
    target_report,
    unmeasured,
)

from deployspec.digests import manifest, sha256_path
from deployspec.errors import ExitCode, TrustError
from deployspec.ir.evidence import Count, EvidenceClass, Reduction, Share
from deployspec.ir.report import Digest, Import, Report, StepRecord, read_time, write_time
from deployspec.ir.verdict import Outcome, Result
from deployspec.report import statement
from deployspec.report.summary import headline
from deployspec.trust import dsse, keys
from deployspec.trust.policy import Role, TrustedKey, TrustPolicy
from deployspec.verify import Demands, State, Verification, read_unverified, verify

if TYPE_CHECKING:
    from pathlib import Path

    from deployspec.ir.evidence import Statistic

LATER = CHECKED_AT + timedelta(days=3)
DEMANDS = Demands(at=LATER, keys=(DSSE_KEY.public,))


def check(report: Report, demands: Demands = DEMANDS) -> Verification:
    return verify(envelope(report, DSSE_KEY), demands)


def refusals(outcome: Verification) -> dict[str, str]:
    return {step.name: step.detail for step in outcome.steps if step.state is State.REFUSED}


def resigned(document: Any) -> bytes:
    """A statement that says something else, signed with the right key all the same."""
    return sealed(json.dumps(document).encode(), DSSE_KEY)


@pytest.fixture
def artifacts(tmp_path: Path) -> Path:
    for target, (name, content) in ARTIFACTS.items():
        (tmp_path / target).mkdir()
        (tmp_path / target / name).write_bytes(content)
    return tmp_path


@pytest.mark.parametrize(
    ("report", "code"),
    [
        (passing(), ExitCode.OK),
        (failing(), ExitCode.FAILED),
        (unmeasured(), ExitCode.UNPROVEN),
        (unmeasured((WAIVER,)), ExitCode.OK),
    ],
)
def test_a_sound_report_concludes_what_it_says(report: Report, code: ExitCode, artifacts: Path) -> None:
    demands = replace(
        DEMANDS, artifacts=artifacts, spec_sha256=report.spec.sha256, model_sha256=report.sources[0].sha256
    )
    outcome = check(report, demands)
    states = {step.name: step.state for step in outcome.steps}
    assert states.pop("trust policy") is State.NOT_CHECKED
    assert set(states.values()) == {State.OK}
    assert outcome.exit_code is code
    assert outcome.report == report
    assert outcome.payload == statement.to_bytes(report)
    assert outcome.signers == (DSSE_KEY.public.keyid,)


def test_a_report_whose_waivers_cover_a_target_that_was_not_built_is_sound_and_unproven() -> None:
    report = passing()
    server, android = report.targets
    failed = StepRecord(id="lite", takes=("float",), gives="tflite", result="failed", seconds="0")
    lost = judged(
        replace(
            report,
            targets=(server, replace(android, steps=("lite",), artifact=None, failure="it did not convert")),
            measurements=tuple(each for each in report.measurements if each.target == "server"),
            steps=(*report.steps, failed),
            waivers=tuple(replace(WAIVER, budget=each.name) for each in android.budgets),
        )
    )
    assert lost.result is Result.PASSED, "by the verdicts alone"
    outcome = check(replace(lost, result=Result.UNPROVEN))
    assert (refusals(outcome), outcome.exit_code) == ({}, ExitCode.UNPROVEN)


def test_verdicts_that_take_more_memory_than_there_is_are_a_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    def judge(*_: object) -> None:
        raise MemoryError

    report = passing()
    monkeypatch.setattr("deployspec.rederive.judge", judge)
    assert "MemoryError" in refusals(check(report))["verdicts"]


def test_steps_are_taken_in_order() -> None:
    assert [step.name for step in check(passing()).steps] == [
        "envelope", "signature", "trust policy", "payload type", "statement", "subjects", "artifacts", "expectations",
        "evidence", "verdicts", "freshness", "waivers",
    ]  # fmt: skip


def test_a_part_is_never_taken_for_the_whole() -> None:
    server, _ = passing().targets
    kept = tuple(each for each in passing().measurements if each.target == "server")
    report = judged(replace(passing(), targets=(server,), measurements=kept, left_out=("android",)))
    outcome = check(report)
    assert outcome.holds
    assert outcome.steps[4].detail == "a report on 1 target (android of its spec left out), in strict form"


def test_what_was_not_asked_is_not_claimed() -> None:
    outcome = check(passing())
    assert {step.name for step in outcome.steps if step.state is State.NOT_CHECKED} == {
        "trust policy", "artifacts", "expectations",
    }  # fmt: skip
    assert "artifacts not checked" in outcome.steps[6].detail


class TestSignature:
    def test_unsigned_is_refused(self) -> None:
        outcome = verify(envelope(passing()), Demands(at=LATER))
        assert "UNSIGNED" in refusals(outcome)["signature"]
        assert outcome.exit_code is ExitCode.UNTRUSTED
        assert (outcome.report, outcome.payload) == (None, None)

    def test_unsigned_can_be_allowed(self) -> None:
        outcome = verify(envelope(failing()), Demands(at=LATER, allow_unsigned=True))
        assert outcome.exit_code is ExitCode.FAILED
        assert outcome.steps[1].state is State.NOT_CHECKED
        assert outcome.signers == ()

    def test_allowing_unsigned_does_not_excuse_a_key_that_was_asked_for(self) -> None:
        outcome = verify(envelope(passing()), replace(DEMANDS, allow_unsigned=True))
        assert "signature" in refusals(outcome)

    def test_a_signature_nobody_can_check_is_no_signature(self) -> None:
        assert "no public key" in refusals(verify(envelope(passing(), DSSE_KEY), Demands(at=LATER)))["signature"]

    def test_a_stranger_is_refused_and_nothing_is_read_after(self) -> None:
        outcome = verify(envelope(passing(), keys.generate()), DEMANDS)
        assert refusals(outcome) == {"signature": f"no signature over these bytes by {DSSE_KEY.public.keyid}"}
        assert len(outcome.steps) == 2

    def test_every_given_key_must_have_signed(self) -> None:
        second = keys.generate(keys.Algorithm.ED25519)
        both = replace(DEMANDS, keys=(DSSE_KEY.public, second.public))
        assert second.public.keyid in refusals(verify(envelope(passing(), DSSE_KEY), both))["signature"]
        assert verify(envelope(passing(), second, DSSE_KEY), both).exit_code is ExitCode.OK

    def test_one_key_twice_does_not_stand_in_for_a_second(self) -> None:
        both = replace(DEMANDS, keys=(DSSE_KEY.public, keys.generate().public))
        assert "signature" in refusals(verify(envelope(passing(), DSSE_KEY, DSSE_KEY), both))

    def test_another_payload_type_is_refused_though_signed(self) -> None:
        payload = statement.to_bytes(passing())
        data = dsse.Envelope(payload, "application/json").signed_by(DSSE_KEY).to_bytes()
        assert refusals(verify(data, DEMANDS)) == {
            "payload type": "the payload is 'application/json', not application/vnd.in-toto+json"
        }

    def test_any_edit_of_the_payload_is_refused(self) -> None:
        data = envelope(passing(), DSSE_KEY)
        signed = dsse.read(data)
        edited = signed.payload.replace(b'"n":700', b'"n":701', 1)
        assert edited != signed.payload
        assert "signature" in refusals(verify(replace(signed, payload=edited).to_bytes(), DEMANDS))


class TestTrustPolicy:
    """What a policy decides is tested with it; here, that verification asks it."""

    LAB = keys.generate(keys.Algorithm.ED25519)
    APPROVER = keys.generate()
    POLICY = TrustPolicy(
        keys=(
            TrustedKey(name="machine", key=DSSE_KEY.public, roles=frozenset({Role.RELEASE}), not_after=LATER),
            TrustedKey(name="anna", key=APPROVER.public, roles=frozenset({Role.APPROVER})),
            TrustedKey(name="lab", key=LAB.public, roles=frozenset({Role.LAB})),
        ),
        threshold=1,
        required={Role.RELEASE: 1},
    )
    ASKED = Demands(at=LATER, trust=POLICY)

    def test_enough_valid_keys_in_the_right_roles_vouch(self) -> None:
        outcome = verify(envelope(passing(), self.APPROVER, self.LAB, DSSE_KEY), self.ASKED)
        assert outcome.exit_code is ExitCode.OK
        assert outcome.signers == (DSSE_KEY.public.keyid, self.APPROVER.public.keyid)
        assert outcome.steps[2].detail == "2 keys of 1 asked for: 'machine' (release), 'anna' (approver)"

    @pytest.mark.parametrize("signers", [(APPROVER,), (LAB,), (LAB, APPROVER, APPROVER)])
    def test_a_missing_role_is_refused_and_nothing_is_read_after(self, signers: tuple[keys.SigningKey, ...]) -> None:
        outcome = verify(envelope(passing(), *signers), self.ASKED)
        assert "in the role 'release'" in refusals(outcome)["trust policy"]
        assert (len(outcome.steps), outcome.report, outcome.payload) == (3, None, None)

    def test_a_key_that_is_no_longer_valid_does_not_count(self) -> None:
        late = replace(self.ASKED, at=LATER + timedelta(seconds=1))
        assert "'machine' is not valid after" in refusals(verify(envelope(passing(), DSSE_KEY), late))["trust policy"]

    def test_a_stranger_is_refused(self) -> None:
        found = refusals(verify(envelope(passing(), keys.generate()), self.ASKED))
        assert found == {"signature": "no signature over these bytes by a key of the trust policy"}

    @pytest.mark.parametrize("allowed", [True, False])
    def test_allowing_unsigned_does_not_excuse_a_policy(self, allowed: bool) -> None:
        demands = replace(self.ASKED, allow_unsigned=allowed)
        assert "signature" in refusals(verify(envelope(passing()), demands))


@pytest.mark.parametrize(
    "payload",
    [b"{}", b"[]", b"", b"not json", b'{"_type": 1e400}', b'{"a": 1, "a": 2}', b"[" * 100_000, b"\xff", b"NaN"],
    ids=["empty", "array", "nothing", "text", "1e400", "duplicate", "depth", "utf8", "nan"],
)
def test_signed_nonsense_is_refused_by_its_form(payload: bytes) -> None:
    outcome = verify(dsse.Envelope(payload).signed_by(DSSE_KEY).to_bytes(), DEMANDS)
    assert set(refusals(outcome)) <= {"statement", "envelope"}
    assert outcome.exit_code is ExitCode.UNTRUSTED


@pytest.mark.parametrize("data", [b"", b"\x00", b"[" * 100_000, b'{"payload": 1}', b"{}" * 2])
def test_nonsense_instead_of_an_envelope_is_refused(data: bytes) -> None:
    outcome = verify(data, DEMANDS)
    assert list(refusals(outcome)) == ["envelope"]
    assert outcome.exit_code is ExitCode.UNTRUSTED


class TestContradictions:
    """Signed with the right key, and refused: a signature does not make a false conclusion true."""

    def refused(self, report: Report) -> dict[str, str]:
        outcome = check(report)
        assert outcome.exit_code is ExitCode.UNTRUSTED
        return refusals(outcome)

    def test_a_result_that_its_verdicts_deny(self) -> None:
        assert "its verdicts say 'failed'" in self.refused(replace(failing(), result=Result.PASSED))["verdicts"]

    @pytest.mark.parametrize(
        "change",
        [
            {"verdict": Outcome.PASS},
            {"estimate": Decimal("0.92")},
            {"lower": Decimal("0.81")},
            {"upper": None},
            {"n": 250},
            {"limit": "10 %"},
            {"comparator": "<="},
            {"evidence": None},
            {"waived": Outcome.FAIL},
            {"good": "5 %"},
        ],
        ids=lambda change: next(iter(change)),
    )
    def test_a_verdict_that_its_statistics_deny(self, change: dict[str, Any]) -> None:
        report = failing()
        verdicts = [replace(each, **change) if each.verdict is Outcome.FAIL else each for each in report.verdicts]
        assert "android recall.rare" in self.refused(replace(report, verdicts=tuple(verdicts)))["verdicts"]

    def test_a_verdict_left_out(self) -> None:
        report = failing()
        kept = tuple(each for each in report.verdicts if each.verdict is not Outcome.FAIL)
        assert "one for each budget" in self.refused(replace(report, verdicts=kept, result=Result.PASSED))["verdicts"]

    def test_statistics_edited_under_their_verdict(self) -> None:
        report = passing()
        edited = tuple(
            replace(each, statistic=Count(value=Decimal(99))) if each.name == "size" else each
            for each in report.measurements
        )
        assert (
            "server size (pass), android size (pass)" in self.refused(replace(report, measurements=edited))["verdicts"]
        )

    def test_a_budget_loosened_under_its_text(self) -> None:
        report = failing()
        recall = budget("recall", ">= 80 %", label="rare")
        loose = replace(recall, limit=replace(recall.limit, limit=Decimal("0.01")))
        targets = (report.targets[0], target_report("android", (loose,)))
        assert "is not what its text" in self.refused(judged(replace(report, targets=targets)))["statement"]

    def test_impossible_statistics_never_reach_the_arithmetic(self) -> None:
        report = passing()
        edited = tuple(
            replace(each, statistic=Share(hits=9, n=0)) if each.name == "agreement" else each
            for each in report.measurements
        )
        assert "impossible" in self.refused(replace(report, measurements=edited))["statement"]

    def test_subjects_that_are_not_the_artifacts(self) -> None:
        document = json.loads(statement.to_bytes(passing()))
        document["subject"][0]["digest"]["sha256"] = "0" * 64
        assert set(refusals(verify(resigned(document), DEMANDS))) == {"subjects"}
        document["subject"] = []
        assert set(refusals(verify(resigned(document), DEMANDS))) == {"subjects"}

    def test_every_doubt_is_told_at_once(self) -> None:
        report = replace(failing(), result=Result.PASSED, expires_at="2026-03-02T00:00:00Z")
        assert set(self.refused(report)) == {"verdicts", "freshness"}


def test_a_strict_check_may_fail_on_a_warning() -> None:
    warned = target_report("server", (budget("size", "< 20 MB", good="< 1 kB"),))
    report = judged(replace(passing(), targets=(warned, passing().targets[1])))
    assert report.verdicts[0].verdict is Outcome.WARN
    assert check(report).exit_code is ExitCode.OK
    strict = replace(report, result=Result.FAILED)
    assert check(strict).exit_code is ExitCode.FAILED
    assert headline(strict) == "NOT RELEASED: 1 of 6 budgets warned, which a strict check refuses: server size"
    assert not check(replace(passing(), result=Result.FAILED)).holds


def test_the_wording_of_a_reason_is_not_evidence() -> None:
    report = passing()
    reworded = tuple(replace(each, reason="said otherwise by another version") for each in report.verdicts)
    assert check(replace(report, verdicts=reworded)).exit_code is ExitCode.OK


def test_the_last_decimal_of_a_bound_may_differ_and_no_more() -> None:
    report = passing()

    def shifted(by: str) -> Report:
        first, *_ = (each for each in report.verdicts if each.budget == "recall.rare")
        moved = replace(first, lower=first.lower and first.lower - Decimal(by))
        return replace(report, verdicts=tuple(moved if each == first else each for each in report.verdicts))

    assert check(shifted("0.000001")).exit_code is ExitCode.OK
    assert check(shifted("0.000002")).exit_code is ExitCode.UNTRUSTED


class TestArtifacts:
    def refusal(self, folder: Path) -> str:
        outcome = check(passing(), replace(DEMANDS, artifacts=folder))
        assert outcome.exit_code is ExitCode.UNTRUSTED
        return refusals(outcome)["artifacts"]

    def test_an_edited_artifact(self, artifacts: Path) -> None:
        (artifacts / "android" / "digits.tflite").write_bytes(b"A flatbuffer")
        assert "'android/digits.tflite' has digest" in self.refusal(artifacts)

    @pytest.mark.parametrize("name", ["size", "size_reduction"])
    def test_a_size_that_it_has_not(self, artifacts: Path, name: str) -> None:
        told: Statistic = Count(value=Decimal(10))
        if name == "size_reduction":
            told = Reduction(before=Decimal(55_000), after=Decimal(10))
        kept = tuple(each for each in passing().measurements if (each.target, each.name) != ("server", name))
        report = judged(replace(passing(), measurements=(*kept, measured("server", name, told, EvidenceClass.STATIC))))
        assert refusals(check(report, replace(DEMANDS, artifacts=artifacts))) == {
            "artifacts": "'server/digits.ts' has 12345 bytes, the report says 10"
        }

    def test_a_missing_artifact(self, artifacts: Path) -> None:
        (artifacts / "server" / "digits.ts").unlink()
        assert "'digits.ts' cannot be read: No such file" in self.refusal(artifacts)

    def test_a_missing_folder(self, artifacts: Path) -> None:
        assert "No such file" in self.refusal(artifacts / "absent")

    def test_a_link_in_an_artifacts_place(self, artifacts: Path) -> None:
        file = artifacts / "server" / "digits.ts"
        file.rename(artifacts / "elsewhere")
        file.symlink_to(artifacts / "elsewhere")
        assert "is a link" in self.refusal(artifacts)

    def test_a_link_in_a_targets_place(self, artifacts: Path) -> None:
        (artifacts / "server").rename(artifacts / "elsewhere")
        (artifacts / "server").symlink_to(artifacts / "elsewhere")
        assert "its folder is a link" in self.refusal(artifacts)

    @pytest.mark.parametrize("part", ["target", "artifact"])
    def test_a_name_that_no_system_takes(self, artifacts: Path, part: str) -> None:
        server = passing().targets[0]
        assert server.artifact
        digest = replace(server.artifact, name="n" * 5000) if part == "artifact" else server.artifact
        named = replace(server, artifact=digest, name="n" * 5000 if part == "target" else server.name)
        measured = tuple(replace(each, target=named.name) for each in passing().measurements if each.target == "server")
        report = judged(replace(passing(), targets=(named,), measurements=measured))
        assert "File name too long" in refusals(check(report, replace(DEMANDS, artifacts=artifacts)))["artifacts"]

    def test_a_folder_in_a_files_place(self, artifacts: Path) -> None:
        (artifacts / "server" / "digits.ts").unlink()
        (artifacts / "server" / "digits.ts").mkdir()
        assert "is a folder or a special file" in self.refusal(artifacts)


class TestFolder:
    """An artifact that is a folder: its manifest is the subject."""

    @pytest.fixture
    def report(self, artifacts: Path) -> Report:
        (artifacts / "server" / "digits.mlpackage" / "Data").mkdir(parents=True)
        (artifacts / "server" / "digits.mlpackage" / "Data" / "weight.bin").write_bytes(b"weights")
        server, android = passing().targets
        digest = Digest(name="digits.mlpackage", sha256=sha256_path(artifacts / "server" / "digits.mlpackage"))
        report = of_size(passing(), "server", len(b"weights"))
        return replace(report, targets=(replace(server, artifact=digest, folder=True), android))

    def test_it_holds_with_or_without_the_manifest_beside_it(self, report: Report, artifacts: Path) -> None:
        demands = replace(DEMANDS, artifacts=artifacts)
        assert check(report, demands).holds
        beside = artifacts / "server" / "digits.mlpackage.sha256"
        beside.write_bytes(manifest(artifacts / "server" / "digits.mlpackage"))
        assert check(report, demands).holds
        assert statement.subjects(report)[0] == Digest(name=f"server/{beside.name}", sha256=sha256_path(beside))

    def test_a_folder_needs_an_artifact(self) -> None:
        server, android = failing().targets
        unbuilt = replace(server, artifact=None, failure="it crashed", folder=True)
        report = judged(replace(failing(), targets=(unbuilt, android)))
        assert "a folder that is not there" in refusals(check(report))["statement"]

    @pytest.mark.parametrize("edit", ["edited", "added", "manifest", "file"])
    def test_any_change_is_refused(self, report: Report, artifacts: Path, edit: str) -> None:
        package = artifacts / "server" / "digits.mlpackage"
        match edit:
            case "edited":
                (package / "Data" / "weight.bin").write_bytes(b"Weights")
            case "added":
                (package / "more").write_bytes(b"")
            case "manifest":
                package.with_name("digits.mlpackage.sha256").write_bytes(b"")
            case "file":
                text = manifest(package)
                shutil.rmtree(package)
                package.write_bytes(text)  # the very bytes whose digest is signed
        assert "artifacts" in refusals(check(report, replace(DEMANDS, artifacts=artifacts)))


@pytest.mark.parametrize(
    ("demand", "message"),
    [
        ({"spec_sha256": "0" * 64}, "a spec with digest"),
        ({"policy_sha256": {"house.toml": frozenset({"0" * 64})}}, "than that 'house.toml': its spec extends none"),
        ({"model_sha256": "0" * 64}, "another model: 'digits.safetensors'"),
        ({"data_sha256": {"test": frozenset({"0" * 64})}}, "other data: 'test' is "),
        ({"data_sha256": {"field": frozenset({"0" * 64})}}, "other data: 'field' is absent"),
    ],
)
def test_another_spec_or_model_is_refused(demand: dict[str, str], message: str) -> None:
    assert message in refusals(check(passing(), replace(DEMANDS, **demand)))["expectations"]


class TestPolicies:
    HOUSE, FIELD = (Digest(name=name, sha256=digit * 64) for name, digit in (("house.toml", "1"), ("field.toml", "2")))
    REPORT = replace(passing(), policies=(HOUSE, FIELD))

    def expectations(self, report: Report, *policies: Digest, **more: str) -> tuple[State, str]:
        expected = {each.name: frozenset({each.sha256}) for each in policies}
        demands = replace(DEMANDS, policy_sha256=expected, **more)
        return next((step.state, step.detail) for step in check(report, demands).steps if step.name == "expectations")

    def test_of_a_spec_that_is_expected_those_that_are_not_are_said(self) -> None:
        spec = self.REPORT.spec.sha256
        unsaid = "policy 'house.toml', 'field.toml': no digest was given (--expect-policy); as expected: the spec"
        assert self.expectations(self.REPORT, spec_sha256=spec) == (State.NOT_CHECKED, unsaid)
        state, detail = self.expectations(self.REPORT, self.HOUSE)
        assert (state, detail.partition(":")[0]) == (State.NOT_CHECKED, "policy 'field.toml'")
        met = "as expected: the spec, the policy 'house.toml', the policy 'field.toml'"
        assert self.expectations(self.REPORT, self.HOUSE, self.FIELD, spec_sha256=spec) == (State.OK, met)

    def test_one_that_was_loosened_is_refused_beside_the_same_spec(self) -> None:
        loosened = replace(self.REPORT, policies=(replace(self.HOUSE, sha256="3" * 64), self.FIELD))
        state, detail = self.expectations(loosened, self.HOUSE, self.FIELD, spec_sha256=loosened.spec.sha256)
        assert (state, f"'house.toml' {'3' * 64}" in detail) == (State.REFUSED, True)


def test_a_split_is_all_of_its_files() -> None:
    one, two = "1" * 64, "2" * 64
    files = (Digest(name="test: x.npy", sha256=one), Digest(name="test: y.npy", sha256=two))
    report = replace(passing(), data=files)
    for expected, holds in (({one, two}, True), ({one}, False), ({one, two, "3" * 64}, False)):
        assert check(report, replace(DEMANDS, data_sha256={"test": frozenset(expected)})).holds is holds


class TestSplitThatCodeYields:
    CODE, YIELDED = "1" * 64, "2" * 64

    def expectations(self, report: Report, *expected: str, **more: str) -> tuple[State, str]:
        demands = replace(DEMANDS, data_sha256={"test": frozenset(expected)}, **more)
        return next((step.state, step.detail) for step in check(report, demands).steps if step.name == "expectations")

    def test_the_digest_of_its_code_proves_nothing_of_the_data(self) -> None:
        report = replace(passing(), data=(Digest(name="test: load.py", sha256=self.CODE),))
        state, detail = self.expectations(report, self.CODE, spec_sha256=report.spec.sha256)
        assert state is State.NOT_CHECKED
        assert detail == (
            "split 'test': it comes from code, whose digest does not tell what it yielded; as expected: the spec"
        )

    def test_what_it_yielded_is_expected_beside_its_code(self) -> None:
        names = {"test: load.py": self.CODE, "test: load.py:it": self.YIELDED}
        report = replace(passing(), data=tuple(Digest(name=name, sha256=digest) for name, digest in names.items()))
        assert self.expectations(report, self.CODE, self.YIELDED) == (State.OK, "as expected: the split 'test'")
        state, detail = self.expectations(report, self.CODE)
        assert (state, f"load.py:it {self.YIELDED}" in detail) == (State.REFUSED, True)


class TestEvidenceOfOthers:
    """A report says which keys of laboratories signed what it was handed; the verifier asks its own policy."""

    LAB = keys.generate()

    def handed(self, signers: tuple[str, ...], stated: EvidenceClass = EvidenceClass.DEVICE) -> Report:
        server = passing().targets[0]
        assert server.artifact
        run = Import(
            file=Digest(name="phone.json", sha256="a" * 64),
            signers=signers,
            target=server.name,
            artifact=server.artifact,
            stated=stated,
        )
        return judged(replace(passing(), imports=(run,)))

    def trusting(self, **fields: Any) -> Demands:
        lab = TrustedKey(name="lab", key=self.LAB.public, roles=frozenset({Role.LAB}), **fields)
        machine = TrustedKey(name="machine", key=DSSE_KEY.public, roles=frozenset({Role.RELEASE}))
        return Demands(at=LATER, trust=TrustPolicy(keys=(machine, lab), threshold=1, required={}))

    def test_a_lab_of_the_policy_is_believed(self) -> None:
        outcome = check(self.handed((self.LAB.public.keyid,)), self.trusting())
        assert outcome.holds
        assert outcome.steps[8].detail == "1 run signed by a laboratory of the trust policy"

    def test_a_lab_of_the_report_alone_is_refused(self) -> None:
        for signer in (keys.generate(), DSSE_KEY):  # the checking machine is no laboratory
            found = refusals(check(self.handed((signer.public.keyid,)), self.trusting()))
            assert found == {"evidence": "no laboratory of the trust policy signed 'phone.json' of server"}

    def test_a_revoked_lab_is_refused(self) -> None:
        revoked = self.trusting(revoked_at=CHECKED_AT)
        assert "evidence" in refusals(check(self.handed((self.LAB.public.keyid,)), revoked))

    def test_without_a_policy_nothing_is_claimed(self) -> None:
        outcome = check(self.handed((self.LAB.public.keyid,)))
        assert outcome.steps[8].state is State.NOT_CHECKED

    def test_what_nobody_signed_counts_for_nothing_and_is_no_doubt(self) -> None:
        assert check(self.handed(()), self.trusting()).steps[8].state is State.OK


class TestTime:
    EXPIRES = read_time("2026-06-01T12:00:00Z")

    @pytest.mark.parametrize(
        ("at", "holds"),
        [
            (EXPIRES - timedelta(seconds=1), True),
            (EXPIRES, False),
            (EXPIRES + timedelta(days=1), False),
            (CHECKED_AT, True),
            (CHECKED_AT - timedelta(minutes=5), True),
            (CHECKED_AT - timedelta(minutes=5, seconds=1), False),
        ],
    )
    def test_a_report_holds_from_its_check_to_its_end(self, at: datetime, holds: bool) -> None:
        assert check(passing(), replace(DEMANDS, at=at)).holds is holds

    @pytest.mark.parametrize(
        ("at", "holds"),
        [
            (datetime(2026, 3, 31, 23, 59, 59, tzinfo=UTC), True),
            (datetime(2026, 4, 1, 0, 0, 0, tzinfo=UTC), False),
        ],
    )
    def test_a_waiver_ends_with_its_day(self, at: datetime, holds: bool) -> None:
        outcome = check(unmeasured((WAIVER,)), replace(DEMANDS, at=at))
        assert outcome.holds is holds
        assert ("android latency_p95" in refusals(outcome).get("waivers", "")) is not holds

    def test_a_waiver_that_had_expired_when_signed_does_not_help(self) -> None:
        report = unmeasured((WAIVER,))
        late = replace(report, checked_at=write_time(CHECKED_AT + timedelta(days=60)), expires_at="")
        outcome = check(late, replace(DEMANDS, at=CHECKED_AT + timedelta(days=61)))
        assert {"verdicts", "waivers"} == set(refusals(outcome))

    @pytest.mark.parametrize("text", ["", "2026-03-01", "2026-03-01T12:00:00", "2026-3-1T12:00:00Z", "now"])
    def test_a_time_of_another_form_is_refused(self, text: str) -> None:
        assert {"verdicts", "freshness"} <= set(refusals(check(replace(passing(), checked_at=text))))

    def test_without_an_end_it_does_not_expire(self) -> None:
        assert check(replace(passing(), expires_at=""), replace(DEMANDS, at=LATER + timedelta(days=9999))).holds


def test_reading_without_verifying_is_as_strict() -> None:
    found, report = read_unverified(envelope(failing(), DSSE_KEY))
    assert (report, found.keyids) == (failing(), (DSSE_KEY.public.keyid,))
    with pytest.raises(TrustError, match="contradicts itself"):
        read_unverified(envelope(replace(failing(), targets=())))
    with pytest.raises(TrustError, match="the payload is"):
        read_unverified(dsse.Envelope(b"{}", "text/plain").to_bytes())


def loaded_by(program: str, folder: Path) -> set[str]:
    """The modules that a fresh process has imported when `program` ends."""
    (folder / "report").write_bytes(envelope(failing(), DSSE_KEY))
    (folder / "key").write_bytes(DSSE_KEY.public.pem)
    (folder / "stranger").write_bytes(keys.generate().public.pem)
    head = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from deployspec import verify as module
from deployspec.trust.keys import load_verifying_key
from deployspec.verify import Demands, verify

def run(key):
    demands = Demands(at=datetime(2026, 3, 2, tzinfo=UTC), keys=(load_verifying_key(Path(key)),), artifacts=Path())
    return verify(Path("report").read_bytes(), demands)
"""
    command = [sys.executable, "-c", head + program + "\nprint(*sys.modules)"]
    return set(subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.split())


HEAVY = {"pydantic", "torch", "tensorflow", "tomli", "rich", "click", "jsonschema", "jinja2", "scipy.stats"}


def test_verifying_needs_no_framework_and_no_terminal(tmp_path: Path) -> None:
    """Of scipy only the special functions."""
    loaded = loaded_by("assert run('key').steps[9].state is module.State.OK", tmp_path)
    assert {"deployspec.verify", "numpy", "scipy.special"} <= loaded
    assert not HEAVY & loaded


def test_signatures_and_digests_need_nothing_heavier_than_cryptography(tmp_path: Path) -> None:
    """Every step but the verdicts', which is taken out of the way."""
    program = """
module._CHECKS = tuple((name, step) for name, step in module._CHECKS if name != "verdicts")
names = [step.name for step in run("key").steps]
assert "artifacts" in names and "verdicts" not in names
assert len(run("stranger").steps) == 2
"""
    loaded = loaded_by(program, tmp_path)
    assert "cryptography.hazmat.primitives.asymmetric.ec" in loaded
    assert not (HEAVY | {"numpy", "scipy"}) & loaded
