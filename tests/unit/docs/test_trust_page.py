"""docs/trust.md: its policy is one, its steps are those that are taken, and it names what is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sample_reports import CHECKED_AT, DSSE_KEY, envelope, passing

from deployspec.trust import keys
from deployspec.trust.policy import Role, TrustPolicy
from deployspec.verify import Demands, verify

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "trust.md").read_text()


def test_its_policy_is_read(tmp_path: Path) -> None:
    (text,) = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    (tmp_path / "trust.toml").write_text(text)
    for name in ("release", "anna", "lab"):
        (tmp_path / f"{name}.pub.pem").write_bytes(keys.generate().public.pem)
    policy = TrustPolicy.read(tmp_path / "trust.toml")
    assert (policy.threshold, policy.required) == (2, {Role.RELEASE: 1, Role.APPROVER: 1})
    assert {each.name: set(each.roles) for each in policy.keys} == {
        "release-machine": {Role.RELEASE},
        "anna": {Role.APPROVER},
        "device-lab": {Role.LAB},
    }


@pytest.mark.parametrize("form", [r"^ ?(\d+) (?:ok|not checked) +([a-z ]+):", r"^\| (\d+) ([a-z ]+) \|"])
def test_it_shows_and_explains_every_step_in_order(form: str) -> None:
    taken = verify(envelope(passing(), DSSE_KEY), Demands(at=CHECKED_AT, keys=(DSSE_KEY.public,))).steps
    told = re.findall(form, PAGE, re.MULTILINE)
    assert told == [(str(number), step.name) for number, step in enumerate(taken, 1)]
