"""The Core ML evaluator against coremltools: its registry of operators, and its own tests of them."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version
from typing import Any

import pytest
from coreml_compare import Outcome, difference
from coreml_rules import BEYOND, RULES, rule_for
from coreml_run import CONFORMANCE, OPERATORS, SAMPLE, conformance, run, sample, tally

from deployspec.evaluators.mlprogram import implemented

UNSUPPORTED_AT_MOST = 0.08
IMPLEMENTED_AT_LEAST = 150

NORM = "iOS14/test_normalization.py::TestNormalizationLocalResponseNorm::test_builder_to_backend_"
RNN = "iOS17/test_recurrent.py::TestRNN::test_builder_to_backend_smoke"


def test_nearly_all_core_operators_are_implemented() -> None:
    core = set(json.loads(OPERATORS.read_text())["operators"])
    assert len(core) == 168
    assert len(core & implemented()) >= IMPLEMENTED_AT_LEAST


def test_the_data_are_of_one_version_of_coremltools_and_hold_no_mismatch() -> None:
    found, chosen, core = (json.loads(each.read_text()) for each in (CONFORMANCE, SAMPLE, OPERATORS))
    assert {each["coremltools"] for each in (found, chosen, core)} == {version("coremltools")}
    assert (found["outcomes"]["mismatch"], found["outcomes"]["error"]) == (0, 0)
    assert set(found["skipped"]) <= {each.name for each in (*RULES, BEYOND)}


@pytest.mark.parametrize(
    ("expected", "got", "precision", "same"),
    [
        ([1.0, -2.0], [1.0, -2.0002], "fp32", True),
        ([1.0, -2.0], [1.0, -2.0003], "fp32", False),
        ([1.0, -2.0], [1.0, -2.009], "fp16", True),
        ([1.0, -2.0], [1.0, -2.011], "fp16", False),
        ([0.0], [1e-7], "fp32", True),
        ([0.0], [1e-6], "fp32", False),
        ([float("inf"), 1.0], [float("inf"), 1.0], "fp16", True),
        ([float("inf"), 1.0], [6e4, 1.0], "fp16", False),
        ([float("nan")], [float("nan")], "fp32", True),
        ([1.0], [float("nan")], "fp32", False),
        ([[1.0, 2.0]], [1.0, 2.0], "fp32", False),
        (1.0, [1.0], "fp32", True),
    ],
)
def test_numbers_are_compared_with_the_largest_expected(
    expected: object, got: object, precision: str, same: bool
) -> None:
    assert (difference(expected, got, precision) == "") is same


@pytest.mark.parametrize(
    ("case", "expected", "precision", "rule"),
    [
        (f"{NORM}smoke[a]", 1, "fp32", "no neighbours"),
        (f"{NORM}stress[a]", 1, "fp32", None),
        (f"{RNN}[input_size=64-hidden_size=1-a]", 1, "fp16", "rounded weights"),
        (f"{RNN}[input_size=64-hidden_size=16-a]", 1, "fp16", None),
        (f"{RNN}[input_size=64-hidden_size=1-a]", 1, "fp32", None),
        ("any.py::test[a]", 65505.0, "fp16", "beyond half precision"),
        ("any.py::test[a]", 65505.0, "fp32", None),
        ("any.py::test[a]", float("inf"), "fp16", None),
    ],
)
def test_a_rule_leaves_out_the_cases_it_names_and_no_others(
    case: str, expected: float, precision: str, rule: str | None
) -> None:
    found = rule_for(case, [expected], precision)
    assert (found and found.name) == rule


@pytest.mark.slow
def test_the_list_of_core_operators_is_the_registrys() -> None:
    script = "import json, coreml_run; print(json.dumps(coreml_run.registered()))"
    command = [sys.executable, "-W", "ignore", "-c", script]
    told = subprocess.run(command, cwd=OPERATORS.parent, capture_output=True, text=True, check=True).stdout
    assert json.loads(told.splitlines()[-1]) == json.loads(OPERATORS.read_text())


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_sample_gives_what_coremltools_expects() -> None:
    records = run("--coreml-sample")
    counts = tally(records)
    wrong = [f"{each.case}: {each.why}" for each in records if each.outcome in (Outcome.MISMATCH, Outcome.ERROR)]
    assert wrong == []
    assert counts[Outcome.UNSUPPORTED] <= UNSUPPORTED_AT_MOST * counts.total()
    assert sample(records) == json.loads(SAMPLE.read_text())
    assert matched(conformance(records, complete=False)) == matched(json.loads(CONFORMANCE.read_text()))


def matched(found: dict[str, Any]) -> set[str]:
    """The operators that have a matching case."""
    return {op for op, opsets in found["operators"].items() if any(each.get("match") for each in opsets.values())}
