"""What is known of a spec before anything runs: its pin, its targets that are asked for, what its data can decide."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from projects import SPEC, Project, write_project

from deployspec.digests import sha256_path
from deployspec.errors import DigestMismatch
from deployspec.preflight import build_context, decide_ahead, read, read_spec

if TYPE_CHECKING:
    from pathlib import Path

TWO = """\
[targets.phone]
format = "tflite"

[[waivers]]
target = "phone"
budget = "size"
reason = "no room"
approver = "anna@example.com"
expires = 2030-01-01

[[waivers]]
target = "server"
budget = "size"
reason = "no room"
approver = "anna@example.com"
expires = 2030-01-01
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return write_project(tmp_path, SPEC + TWO)


def test_a_model_that_is_not_the_pinned_one_is_read_by_nobody(project: Project) -> None:
    source = 'source = "net.py:build"'
    pinned = f'{source}\nsha256 = "{sha256_path(project.folder / "net.py")}"'
    project.edit((source, pinned))
    assert len(read(project.spec)[0].targets) == 2
    project.write("net.py", "def build(): ...\n")
    with pytest.raises(DigestMismatch, match=r"'net\.py' has the sha256"):
        read(project.spec)


def test_what_is_left_out_takes_its_waivers_with_it(project: Project) -> None:
    assert [each.target for each in read_spec(project.spec).waivers] == ["phone", "server"]
    narrowed = read_spec(project.spec, ["server"])
    assert [each.target for each in narrowed.waivers] == ["server"]
    assert narrowed.left_out == ("phone",)


@pytest.mark.parametrize("rule", [{"confidence": Decimal("0.5")}, {"min_support": 21}])
def test_each_target_is_decided_by_its_own_rules(project: Project, rule: dict[str, object]) -> None:
    project.edit(("[budgets]", '[budgets]\nrecall.low = ">= 50 %"'))
    spec = read_spec(project.spec)
    first, second = spec.targets
    other = replace(second, rules=replace(second.rules, **rule))
    found = decide_ahead(replace(spec, targets=(first, other)))
    assert found[first.name] != found[second.name]
    assert decide_ahead(replace(spec, targets=(other,)))[other.name] == found[other.name]


def test_a_release_is_no_reason_to_build_anew(project: Project) -> None:
    source = 'source = "net.py:build"'
    before = build_context(read_spec(project.spec), {})
    project.edit((source, f'{source}\nversion = "9.0"\nsha256 = "{sha256_path(project.folder / "net.py")}"'))
    assert build_context(read_spec(project.spec), {}) == before
