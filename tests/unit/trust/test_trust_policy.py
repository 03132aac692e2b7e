"""Trust policies: how they are read and refused, and whose signature counts, when and for what."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sample_reports import DSSE_KEY, sealed

from deployspec.errors import SpecFaults, TrustError
from deployspec.parse.render import render
from deployspec.trust import dsse, keys
from deployspec.trust.policy import Role, TrustPolicy

if TYPE_CHECKING:
    from pathlib import Path

LAB = keys.generate(keys.Algorithm.ED25519)
APPROVER = keys.generate()
STRANGER = keys.generate()
AT = datetime.fromisoformat("2026-03-02T00:00:00+00:00")
PAYLOAD = b"{}"

TEXT = """\
trust = 1
threshold = 2
required = { release = 1, approver = 1 }

[keys.machine]
file = "machine.pub.pem"
roles = ["release"]
notBefore = 2026-01-01T00:00:00Z
notAfter = 2026-12-31T23:59:59Z

[keys.anna]
file = "anna.pub.pem"
roles = ["approver", "lab"]

[keys.lab]
file = "lab.pub.pem"
roles = ["lab"]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, key in {"machine": DSSE_KEY, "anna": APPROVER, "lab": LAB}.items():
        (tmp_path / f"{name}.pub.pem").write_bytes(key.public.pem)
    return tmp_path


def read(folder: Path, text: str = TEXT) -> TrustPolicy:
    (folder / "trust.toml").write_text(text)
    return TrustPolicy.read(folder / "trust.toml")


def signed(*signing: keys.SigningKey) -> dsse.Envelope:
    return dsse.read(sealed(PAYLOAD, *signing))


def names(policy: TrustPolicy, envelope: dsse.Envelope, at: datetime = AT) -> list[str]:
    return [each.name for each in policy.vouching(envelope, at)]


def test_a_policy_is_read_as_it_is_written(folder: Path) -> None:
    policy = read(folder)
    machine, anna, lab = policy.keys
    assert (policy.threshold, policy.required) == (2, {Role.RELEASE: 1, Role.APPROVER: 1})
    assert (machine.name, machine.key, machine.roles) == ("machine", DSSE_KEY.public, {Role.RELEASE})
    assert machine.not_after is not None
    assert machine.not_after.isoformat() == "2026-12-31T23:59:59+00:00"
    assert (anna.roles, anna.not_before) == ({Role.APPROVER, Role.LAB}, None)
    assert lab.key == LAB.public


def test_a_key_may_stand_in_the_policy_itself(folder: Path) -> None:
    text = f"trust = 1\n[keys.one]\npem = '''{DSSE_KEY.public.pem.decode()}'''\nroles = ['release']\n"
    policy = read(folder, text)
    assert (policy.keys[0].key, policy.threshold) == (DSSE_KEY.public, 1)


def test_a_policy_of_laboratories_vouches_for_evidence_alone(folder: Path) -> None:
    policy = read(folder, "trust = 1\n[keys.lab]\nfile = 'lab.pub.pem'\nroles = ['lab']\n")
    assert policy.signers(signed(LAB), Role.LAB, AT) == policy.keys
    with pytest.raises(TrustError, match="asks for 1 of its keys"):
        policy.vouching(signed(LAB), AT)


@pytest.mark.parametrize(
    ("roles", "help"),
    [
        ("lab", "leave 'threshold' out where only evidence is vouched for, as by these keys of laboratories, or add a"),
        ("release", "^ add a key with the role approver or release"),
    ],
)
def test_a_threshold_out_of_reach_says_what_to_do(folder: Path, roles: str, help: str) -> None:
    with pytest.raises(SpecFaults) as caught:
        read(folder, f"trust = 1\nthreshold = 2\n[keys.lab]\nfile = 'lab.pub.pem'\nroles = ['{roles}']\n")
    assert help in render(caught.value.faults)


def test_a_report_needs_the_threshold_and_every_role(folder: Path) -> None:
    policy = read(folder)
    assert names(policy, signed(APPROVER, DSSE_KEY, STRANGER)) == ["machine", "anna"]
    with pytest.raises(TrustError, match=r"2 of its keys in all and 1 in the role 'approver': 'machine' signed"):
        policy.vouching(signed(DSSE_KEY), AT)
    with pytest.raises(TrustError, match="none of its keys signed these bytes"):
        policy.vouching(signed(STRANGER), AT)


def test_one_key_twice_is_one_of_the_threshold(folder: Path) -> None:
    policy = read(folder, TEXT.replace("required", "#"))
    assert names(policy, signed(DSSE_KEY, APPROVER)) == ["machine", "anna"]
    with pytest.raises(TrustError, match="asks for 2 of its keys"):
        policy.vouching(signed(DSSE_KEY, DSSE_KEY), AT)


def test_a_lab_speaks_for_evidence_and_never_for_a_report(folder: Path) -> None:
    policy = read(folder, TEXT.replace("required", "#"))
    with pytest.raises(TrustError, match=r"'lab' signed \(lab\), which is no role for reports"):
        policy.vouching(signed(DSSE_KEY, LAB), AT)
    assert [each.name for each in policy.signers(signed(LAB, DSSE_KEY, APPROVER), Role.LAB, AT)] == ["anna", "lab"]
    assert policy.signers(signed(DSSE_KEY), Role.LAB, AT) == ()


@pytest.mark.parametrize(
    ("at", "doubt"),
    [
        ("2025-12-31T23:59:59Z", "is not valid before 2026-01-01T00:00:00Z"),
        ("2026-01-01T00:00:00Z", ""),
        ("2026-12-31T23:59:59Z", ""),
        ("2027-01-01T00:00:00Z", "is not valid after 2026-12-31T23:59:59Z"),
    ],
)
def test_a_key_counts_from_its_first_through_its_last_second(folder: Path, at: str, doubt: str) -> None:
    policy, moment = read(folder), datetime.fromisoformat(at)
    assert doubt in policy.keys[0].doubt(moment)
    assert bool(policy.keys[0].doubt(moment)) is bool(doubt)
    assert bool(policy.signers(signed(DSSE_KEY), Role.RELEASE, moment)) is not bool(doubt)


def test_a_revoked_key_never_counts_from_that_second_on(folder: Path) -> None:
    policy = read(folder, TEXT.replace('roles = ["release"]', 'roles = ["release"]\nrevokedAt = 2026-03-02T00:00:00Z'))
    envelope = signed(DSSE_KEY, APPROVER)
    assert names(policy, envelope, AT - timedelta(seconds=1)) == ["machine", "anna"]
    with pytest.raises(TrustError, match="'machine' was revoked at 2026-03-02T00:00:00Z"):
        policy.vouching(envelope, AT)


@pytest.mark.parametrize("ended", ["revokedAt", "notAfter"])
def test_a_laboratory_counts_until_its_key_ends(folder: Path, ended: str) -> None:
    policy = read(folder, f"{TEXT}{ended} = 2026-03-01T00:00:00Z\n")
    assert policy.laboratories(AT - timedelta(days=2)) == {LAB.public.keyid, APPROVER.public.keyid}
    assert policy.laboratories(AT) == {APPROVER.public.keyid}


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("trust = 1", "trust = 2", 1, "unknown-version]: version 2 is not known"),
        ("trust = 1\n", "", None, "'trust' is missing"),
        ("trust = 1", "trust = true", 1, "expected a whole number, found true or false"),
        ("trust = 1", "trust = nan", 1, "expected a whole number, found a number"),
        ("threshold = 2", "treshold = 2", 2, "perhaps you meant 'threshold'"),
        ("threshold = 2", "threshold = 0", 2, "this must be at least 1"),
        ("threshold = 2", "threshold = 3", 2, "only 2 of the keys may speak as approver or release, not 3"),
        ("approver = 1 }", "approver = 2 }", 3, "only 1 of the keys may speak as approver, not 2"),
        ("approver = 1 }", "lab = 1 }", 3, "unknown key 'lab'"),
        ("2026-01-01T00:00:00Z", "2026-01-01", 8, "found a date without a time"),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00", 8, "found one without a zone"),
        ("notBefore", "not_before", 8, "perhaps you meant 'notBefore'"),
        ("2026-12-31T23:59:59Z", "2025-12-31T23:59:59Z", 9, "so the key never counts"),
        ('["approver", "lab"]', '["approver", "laboratory"]', 13, "'laboratory' is no role"),
        ('["approver", "lab"]', "[]", 11, "it has no role"),
        ('["approver", "lab"]', "[3]", 13, "3 is no role"),
        ('"anna.pub.pem"', '"absent.pem"', 12, "cannot read the key"),
        ('"anna.pub.pem"', '"trust.toml"', 12, "holds no public key that can be read"),
        ('"anna.pub.pem"', '"a\\u0000b"', 12, "null"),
        ('"anna.pub.pem"', '"machine.pub.pem"', 11, "'anna' and 'machine' are the same key, which counts once"),
        ('file = "anna.pub.pem"', "", 11, "neither 'file' nor 'pem' gives its public key"),
        ('file = "anna.pub.pem"', 'file = "a"\npem = "b"', 11, "both 'file' and 'pem' are given"),
        ("[keys.anna]", "[keys.anna", 11, "not TOML: Expected"),
        ("trust = 1", "trust = 1\ntrust = 1", 2, "not TOML: Cannot overwrite a value"),
    ],
)
def test_a_faulty_policy_is_told_with_its_place(
    folder: Path, old: str, new: str, line: int | None, message: str
) -> None:
    assert old in TEXT
    with pytest.raises(SpecFaults) as caught:
        read(folder, TEXT.replace(old, new, 1))
    told = render(caught.value.faults)
    assert message in told
    assert line is None or f"trust.toml:{line}:" in told


@pytest.mark.parametrize("text", ["keys = 3", "keys.anna = 'anna.pub.pem'", "required = [1]"])
def test_what_should_be_a_table_is_said(folder: Path, text: str) -> None:
    with pytest.raises(SpecFaults) as caught:
        read(folder, f"trust = 1\n{text}\n")
    assert "expected a table, found" in caught.value.faults[0].message


@pytest.mark.parametrize("data", [b"\xff", b"a = " + b"[" * 100_000, b"a = " + b"9" * 10_000, b" " * (2**20 + 1)])
def test_a_hostile_policy_is_only_faulty(folder: Path, data: bytes) -> None:
    (folder / "trust.toml").write_bytes(data)
    with pytest.raises(SpecFaults):
        TrustPolicy.read(folder / "trust.toml")


def test_a_policy_is_read_up_to_a_size(folder: Path) -> None:
    assert len(read(folder, TEXT.ljust(2**20, "#")).keys) == 3
    with pytest.raises(SpecFaults, match="1 fault"):
        read(folder, TEXT.ljust(2**20 + 1, "#"))


def test_what_is_no_file_is_no_policy(folder: Path) -> None:
    for path in (folder, folder / "absent.toml"):
        with pytest.raises(SpecFaults):
            TrustPolicy.read(path)


def test_every_fault_is_told_at_once(folder: Path) -> None:
    text = TEXT.replace("threshold", "treshold").replace("lab.pub.pem", "absent").replace('"release"]', '"relase"]')
    with pytest.raises(SpecFaults) as caught:
        read(folder, text)
    assert {each.code for each in caught.value.faults} == {"unknown-key", "bad-key", "illegal-value"}
