"""`deployspec validate` on whatever TOML users commit: a file is told by what it holds, not by its name."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from deployspec.cli import group
from deployspec.parse import Kind, kind_of

if TYPE_CHECKING:
    from click.testing import Result

VECTORS = Path(__file__).parents[2] / "vectors"
POLICIES = Path(__file__).parents[3] / "deployspec" / "policies"

POLICY = """\
deployspec = 1
description = "Every model that ships to phones"
waivers = false

[evidence]
confidence = 0.95

[budgets]
size = { good = "< 10 MB", limit = "<= 50 MB" }
recall = { "*" = ">= 80 %", cat = ">= 90 %" }
"""

FAULTY_POLICY = """\
deployspec = 2

[evidence]
confidence = 0.4
churn_noise = "much"

[budgets]
sise = "< 10 MB"
accuracy = "90 %"

[budgets.field]
size = "< 1 MB"
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with nothing in it, to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def validate(text: str, *options: str) -> Result:
    """What is said of a file with that text."""
    Path("it.toml").write_text(text)
    return CliRunner().invoke(group, ["validate", "it.toml", *options])


def told(text: str) -> list[tuple[str, str, int | None, int | None]]:
    """Each diagnostic of a file with that text: severity, code and place."""
    (found,) = json.loads(validate(text, "--format", "json").stdout)
    return [(each["severity"], each["code"], each["line"], each["column"]) for each in found["diagnostics"]]


@pytest.mark.parametrize(
    ("tree", "kind"),
    [
        ({"deployspec": 1, "model": {}, "targets": {}, "budgets": {}}, Kind.SPEC),
        ({"deployspec": 1, "targets": {}, "budgets": {}}, Kind.SPEC),
        ({"deployspec": 1, "task": {}, "budgets": {}, "evidence": {}}, Kind.SPEC),
        ({"deployspec": 1, "data": {}, "budgets": {}}, Kind.SPEC),
        ({"deployspec": 1, "budgets": {}, "waivers": [{}]}, Kind.SPEC),
        ({"deployspec": 1, "model": {}, "trust": "trust.toml"}, Kind.SPEC),
        ({"deployspec": 1, "policy": {"extends": ["deployspec:mobile"]}}, Kind.SPEC),
        ({"deployspec": 1}, Kind.SPEC),
        ({}, Kind.SPEC),
        ({"deployspec": 1, "budgets": {}}, Kind.POLICY),
        ({"evidence": {}}, Kind.POLICY),
        ({"deployspec": 1, "waivers": False}, Kind.POLICY),
        ({"deployspec": 1, "budgets": {}, "policy": {"extends": ["base.toml"]}}, Kind.POLICY),
        ({"trust": 1, "keys": {}}, Kind.TRUST),
        ({"trust": "one"}, Kind.TRUST),
        ({"threshold": 1, "keys": {}}, Kind.TRUST),
    ],
)
def test_a_kind_is_told_by_what_a_file_holds(tree: dict[str, Any], kind: Kind) -> None:
    assert kind_of(tree) is kind


def test_a_good_policy_is_one_line() -> None:
    outcome = validate(POLICY)
    assert (outcome.exit_code, outcome.stdout, outcome.stderr) == (0, "it.toml: valid, a policy of 3 budgets\n", "")


@pytest.mark.parametrize("file", sorted(POLICIES.glob("*.toml")), ids=lambda file: file.stem)
def test_the_packaged_policies_are_valid(file: Path) -> None:
    outcome = CliRunner().invoke(group, ["validate", str(file)])
    assert (outcome.exit_code, outcome.stderr) == (0, "")
    assert "valid, a policy of" in outcome.stdout


def test_a_bad_policy_gets_every_fault_with_its_place() -> None:
    outcome = validate(FAULTY_POLICY)
    assert (outcome.exit_code, outcome.stdout) == (2, "")
    assert (
        outcome.stderr
        == """\
error[unknown-version]: version 2 is not known
 --> it.toml:1:14
  |
1 | deployspec = 2
  |              ^ known: 1

error[bad-confidence]: confidence is one-sided and lies in [0.5, 1)
 --> it.toml:4:14
  |
4 | confidence = 0.4
  |              ^^^ e.g. 0.95, or "point" for the bare estimate

error[bad-share]: 'much' is not a share: write a number above 0 and up to 100, and %
 --> it.toml:5:15
  |
5 | churn_noise = "much"
  |               ^^^^^^ e.g. "1 %"

error[unknown-budget]: unknown budget 'sise'
 --> it.toml:8:1
  |
8 | sise = "< 10 MB"
  | ^^^^ perhaps you meant 'size'

error[bad-limit]: '90 %' is not a limit: write a comparator (< <= > >=), a number and a unit (%)
 --> it.toml:9:12
  |
9 | accuracy = "90 %"
  |            ^^^^^^ e.g. ">= 90 %"

error[not-on-field]: 'size' does not depend on a data split
  --> it.toml:12:1
   |
12 | size = "< 1 MB"
   | ^^^^ leave out 'field.'

it.toml: 6 faults
"""
    )


def test_a_policy_that_extends_another_is_told_that_it_cannot() -> None:
    text = 'deployspec = 1\npolicy.extends = ["deployspec:mobile"]\nbudgets.size = "< 9 MB"\n'
    assert told(text) == [("error", "unknown-key", 2, 1)]


def test_a_policy_without_version() -> None:
    outcome = validate('[budgets]\nsize = "< 9 MB"\n')
    assert outcome.stderr == (
        "error[missing-key]: 'deployspec' is missing\n --> it.toml\n  = help: add deployspec = …\n\nit.toml: 1 fault\n"
    )


def test_a_budget_that_a_specs_metric_could_have_is_noted() -> None:
    outcome = validate('deployspec = 1\n[budgets]\nwer = "<= 0.2"\n')
    assert (outcome.exit_code, outcome.stdout) == (0, "it.toml: valid, a policy of 1 budget\n")
    assert (
        outcome.stderr
        == """\
note[not-built-in]: 'wer' is not built in: each spec that extends this must have such a metric
 --> it.toml:3:1
  |
3 | wer = "<= 0.2"
  | ^^^ a metric is declared in the spec: [metrics.NAME]

"""
    )


@pytest.mark.parametrize(
    ("budget", "told_of"),
    [
        ('bleu = ">= 0.4"', ("note", "not-built-in")),
        ('bleu = { good = "> 0.5", limit = ">= 0.4" }', ("note", "not-built-in")),
        ('bleu_drop = "< 5 %"', ("note", "not-built-in")),
        ('bleu_drop = "< 0.1"', ("note", "not-built-in")),
        ('field.bleu = ">= 0.4"', ("note", "not-built-in")),
        ('bleu = ">= 40 %"', ("error", "unknown-budget")),
        ("bleu = 0.4", ("error", "unknown-budget")),
        ('bleu.cat = ">= 0.4"', ("error", "unknown-budget")),
        ('BLEU = ">= 0.4"', ("error", "unknown-budget")),
        ('size_drop = "< 5 %"', ("error", "unknown-budget")),
        ('accuracy_dorp = "< 2 pp"', ("error", "unknown-budget")),
        ('field.field = "< 1"', ("error", "unknown-budget")),
    ],
)
def test_a_budget_that_is_not_built_in(budget: str, told_of: tuple[str, str]) -> None:
    ((severity, code, line, _),) = told(f"deployspec = 1\n[budgets]\n{budget}\n")
    assert (severity, code, line) == (*told_of, 3)


def test_a_metric_is_better_in_one_direction_only() -> None:
    text = 'deployspec = 1\n[budgets]\nwer = "<= 0.2"\nfield.wer = ">= 0.3"\n'
    assert told(text) == [("error", "bad-limit", 4, 13)]


def test_a_good_trust_policy_is_one_line() -> None:
    shutil.copytree(VECTORS / "trust-two-keys", "trusted")
    outcome = CliRunner().invoke(group, ["validate", "trusted/trust.toml"])
    said = "trusted/trust.toml: valid, a trust policy of 2 keys\n"
    assert (outcome.exit_code, outcome.stdout, outcome.stderr) == (0, said, "")


def test_a_bad_trust_policy_gets_every_fault_with_its_place() -> None:
    outcome = validate('threshold = 0\n\n[keys.anna]\nfile = "anna.pub.pem"\nroles = ["boss"]\n')
    assert (outcome.exit_code, outcome.stdout) == (2, "")
    assert (
        outcome.stderr
        == """\
error[missing-key]: 'trust' is missing
 --> it.toml
  = help: add trust = 1

error[illegal-value]: this must be at least 1
 --> it.toml:1:13
  |
1 | threshold = 0
  |             ^

error[bad-key]: cannot read the key 'anna.pub.pem': No such file or directory
 --> it.toml:4:8
  |
4 | file = "anna.pub.pem"
  |        ^^^^^^^^^^^^^^

error[illegal-value]: 'boss' is no role
 --> it.toml:5:9
  |
5 | roles = ["boss"]
  |         ^^^^^^^^ release, approver, lab

it.toml: 4 faults
"""
    )


def test_a_spec_without_a_model_is_told_so() -> None:
    text = 'deployspec = 1\n[budgets]\nsize = "< 9 MB"\n[targets.server]\nformat = "torchscript"\n'
    assert validate(text).stderr == (
        "error[missing-key]: 'model' is missing\n --> it.toml\n  = help: add a [model] table\n\nit.toml: 1 fault\n"
    )


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "spec.toml")
    command = [sys.executable, "-m", "deployspec", "validate", str(tmp_path / "spec.toml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 2
    assert "not a regular file" in done.stderr


def test_json_tells_the_kinds() -> None:
    shutil.copytree(VECTORS / "trust-two-keys", ".", dirs_exist_ok=True)
    Path("policy.toml").write_text(POLICY)
    Path("faulty.toml").write_text(FAULTY_POLICY)
    Path("not.toml").write_text("[budgets")
    files = ["policy.toml", "faulty.toml", "trust.toml", "not.toml"]
    outcome = CliRunner().invoke(group, ["validate", *files, "--format", "json"])
    assert outcome.exit_code == 2
    found = [(each["spec"], each["kind"], each["valid"]) for each in json.loads(outcome.stdout)]
    kinds = [("policy", True), ("policy", False), ("trust", True), ("spec", False)]
    assert found == [(file, *kind) for file, kind in zip(files, kinds, strict=True)]


def test_github_and_sarif_name_the_place() -> None:
    text = 'deployspec = 1\n[budgets]\nsise = "< 10 MB"\n'
    assert validate(text, "--format", "github").stdout == (
        "::error file=it.toml,title=unknown-budget,line=3,col=1,endColumn=5"
        "::unknown budget 'sise'; perhaps you meant 'size'\n"
    )
    (result,) = json.loads(validate(text, "--format", "sarif").stdout)["runs"][0]["results"]
    (location,) = result["locations"]
    assert location["physicalLocation"] == {
        "artifactLocation": {"uri": "it.toml"},
        "region": {"startLine": 3, "startColumn": 1, "endColumn": 5},
    }


@pytest.mark.parametrize("command", ["plan", "check"])
@pytest.mark.parametrize(
    ("text", "what"),
    [(POLICY, "a policy, which specs extend"), ("trust = 1\nthreshold = 1\n", "a trust policy, which `verify`")],
)
def test_other_commands_say_that_it_is_no_spec(here: Path, command: str, text: str, what: str) -> None:
    (here / "other.toml").write_text(text)
    program = [sys.executable, "-m", "deployspec", command, "other.toml"]
    ran = subprocess.run(program, capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert ran.stderr.startswith(f"error[not-a-spec]: this file is {what}")
    assert ran.stderr.count("error[") == 1
