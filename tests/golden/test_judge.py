"""Evidence that was handed in, judged to the letter: each folder of `judge/` is one worked case.

A folder holds evidence.json and the same spec twice, at 95 % (spec.toml) and by the bare estimates (point.toml); beside
each what `deployspec judge` prints, and its verdicts. `pytest tests/golden --update-golden` rewrites these.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner

from deployspec.cli import group
from deployspec.trust.dsse import read

FOLDER = Path(__file__).parent / "judge"
CASES = sorted(path.parent.name for path in FOLDER.glob("*/evidence.json"))
SPECS = ("spec", "point")

FIGURES = {
    ("pruning-0-repaired", "accuracy"): "0.875",
    ("pruning-0-repaired", "precision.positive"): "0.85",
    ("pruning-0-repaired", "recall.positive"): "0.895",
    ("pruning-0-repaired", "accuracy_drop"): "0.05",
    ("fraud-recall", "accuracy"): "0.98",
    ("fraud-recall", "recall.fraud"): "0.12",
    ("slow-and-large", "accuracy"): "0.98",
    ("slow-and-large", "size"): "120000000",
    ("three-classes-155", "accuracy"): "0.9097",
    ("three-classes-150", "accuracy"): "0.86",
    ("torchscript-agreement", "agreement"): "1",
}
"""As the documents print them that the cases come from."""

OUTCOMES = {
    ("pruning-0-repaired", "spec", "accuracy_drop"): "fail",
    ("pruning-1-repaired", "spec", "accuracy_drop"): "fail",
    ("pruning-2-repaired", "spec", "accuracy_drop"): "fail",
    ("pruning-3-repaired", "spec", "accuracy_drop"): "inconclusive",
    ("pruning-3-repaired", "point", "accuracy_drop"): "fail",
    ("pruning-margins", "spec", "accuracy_drop"): "not_measured",
    ("pruning-margins", "point", "accuracy_drop"): "fail",
    ("fraud-recall", "spec", "accuracy"): "pass",
    ("fraud-recall", "spec", "recall.fraud"): "fail",
    ("slow-and-large", "spec", "accuracy"): "pass",
    ("slow-and-large", "spec", "size"): "fail",
    ("slow-and-large", "spec", "latency_p95"): "fail",
    ("three-classes-155", "spec", "accuracy"): "inconclusive",
    ("three-classes-155", "point", "accuracy"): "pass",
    ("three-classes-150", "spec", "accuracy"): "inconclusive",
    ("three-classes-150", "point", "accuracy"): "pass",
    ("torchscript-agreement", "spec", "agreement"): "inconclusive",
    ("torchscript-agreement", "point", "agreement"): "pass",
}


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("case", CASES)
def test_the_case_is_judged_exactly_so(case: str, spec: str, tmp_path: Path, update_golden: bool) -> None:
    folder = FOLDER / case
    asked = ["judge", str(folder / f"{spec}.toml"), "--evidence", str(folder / "evidence.json"), "--out", str(tmp_path)]
    outcome = CliRunner().invoke(group, asked)
    report = json.loads(read((tmp_path / "report.dsse.json").read_bytes()).payload)["predicate"]
    concluded = {"exitCode": outcome.exit_code, "result": report["result"], "verdicts": report["verdicts"]}
    said = re.sub(r"^(checked|judged on|report): .*", r"\1: …", outcome.stdout, flags=re.MULTILINE)
    for name, text in ((f"{spec}.verdicts.json", json.dumps(concluded, indent=2) + "\n"), (f"{spec}.stdout.txt", said)):
        if update_golden:
            (folder / name).write_text(text)
        assert text == (folder / name).read_text()


@pytest.mark.parametrize(("case", "budget"), FIGURES)
def test_the_figures_are_those_of_the_documents(case: str, budget: str) -> None:
    expected = FIGURES[case, budget]
    for spec in SPECS:
        estimate = Decimal(verdict(case, spec, budget)["estimate"])
        assert round(estimate, max(0, len(expected) - 2) if "." in expected else 0) == Decimal(expected)


@pytest.mark.parametrize(("case", "spec", "budget"), OUTCOMES)
def test_the_verdicts_are_those_of_the_documents(case: str, spec: str, budget: str) -> None:
    assert verdict(case, spec, budget)["verdict"] == OUTCOMES[case, spec, budget]


def test_every_case_has_a_stated_outcome() -> None:
    assert {case for case, *_ in OUTCOMES} == set(CASES)


def verdict(case: str, spec: str, budget: str) -> dict[str, str]:
    concluded = json.loads((FOLDER / case / f"{spec}.verdicts.json").read_text())
    (found,) = [each for each in concluded["verdicts"] if each["budget"] == budget]
    return dict(found)
