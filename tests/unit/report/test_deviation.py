"""How far artifacts are from what made them: from the steps' facts into the report, and out of it to readers."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from projects import SPEC, write_project
from sample_reports import CHECKED_AT, HELD, measured, passing

from deployspec.ir.artifact import Done, Failed
from deployspec.ir.evidence import Count
from deployspec.ir.plan import Action
from deployspec.ir.report import Contract, Deviation
from deployspec.ir.verdict import Result
from deployspec.parse import parse_spec
from deployspec.plan import make_plan
from deployspec.report.compose import Findings, compose
from deployspec.report.deviation import deviation, in_words
from deployspec.report.remarks import remarks
from deployspec.report.summary import Standing
from deployspec.report.views import html, markdown, text

if TYPE_CHECKING:
    from pathlib import Path

    from deployspec.ir.artifact import StepResult
    from deployspec.ir.evidence import Measurement
    from deployspec.ir.plan import Plan
    from deployspec.ir.report import Report, StepRecord
    from deployspec.ir.spec import Spec

LOOSE = """\
[targets.android]
format = "tflite"
passes = [{ pass = "quantize", scheme = "float16", tolerance = 0.5 }]
"""
SPREAD = "of the output's spread"
STRAYED = "on the probe's samples answers differ from those of its source by at most"
LOOSENED = f"target android: its float16 pass was allowed 0.5 {SPREAD}, 0.01 is usual"
FLOAT, HALF = "tflite.float32@contract", "tflite.float16@test"


@pytest.fixture
def planned(tmp_path: Path) -> tuple[Spec, Plan]:
    """The small project as tflite, its float16 pass allowed half of the spread."""
    project = write_project(tmp_path / "project")
    head, _ = SPEC.split("[targets.server]")
    project.spec.write_text(head + LOOSE)
    spec = parse_spec(project.spec)
    return spec, make_plan(spec)


def ran(plan: Plan, folder: Path, *found: dict[str, Any]) -> dict[str, StepResult]:
    """Every step of the plan as done; those that hold a contract `found` this."""
    facts = {"contract": list(found), "out_of_range": 0}
    return {
        step.id: Done(step=step.id, folder=folder, sha256="", cached=False, seconds=1, facts=facts)
        for step in plan.steps
    }


def records(spec: Spec, plan: Plan, results: dict[str, StepResult]) -> dict[str, StepRecord]:
    composed = compose(
        Findings(
            spec=spec,
            targets=(),
            measurements=(),
            verdicts=(),
            result=Result.UNPROVEN,
            remarks=remarks(spec, plan, results, ()),
            machine=passing().machine,
            checked_at=CHECKED_AT,
            plan=plan,
            results=results,
        )
    )
    return {step.id: step for step in composed.steps}


def test_what_holds_an_artifact_tells_to_what_and_what_was_found(planned: tuple[Spec, Plan], tmp_path: Path) -> None:
    spec, plan = planned
    alone = {"batch": 1, "difference": 0.1234565, "rms": 1.25e-7, "agreement": None}
    told = records(spec, plan, ran(plan, tmp_path, alone, {**alone, "batch": 8, "agreement": 0.9375}))
    first = Deviation(batch=1, difference=Decimal("0.123456"), rms=Decimal("0.000000125"))
    found = (first, replace(first, batch=8, agreement=Decimal("0.9375")))
    assert told[FLOAT].contract == Contract(tolerance=Decimal("0.0001"), found=found)
    assert told[HALF].contract == Contract(tolerance=Decimal("0.5"), found=found)
    held = {step.id for step in plan.steps if step.action is Action.EVALUATE and "artifact" in dict(step.takes)}
    assert {name for name, step in told.items() if step.contract} == held == {FLOAT, HALF}


def test_a_step_that_failed_tells_what_it_was_held_to(planned: tuple[Spec, Plan], tmp_path: Path) -> None:
    spec, plan = planned
    broken = Failed(step=HALF, reason="it differs by 0.6 of the output's spread")
    told = records(spec, plan, ran(plan, tmp_path) | {HALF: broken})
    assert (told[HALF].result, told[HALF].contract) == ("failed", Contract(tolerance=Decimal("0.5")))


def test_what_is_held_to_nothing_has_no_contract(planned: tuple[Spec, Plan], tmp_path: Path) -> None:
    spec, plan = planned
    steps = tuple(replace(step, options=step.options | {"tolerance": math.inf}) for step in plan.steps)
    told = records(spec, replace(plan, steps=steps), ran(plan, tmp_path))
    assert not any(step.contract for step in told.values())


def test_what_a_spec_loosened_is_a_remark_in_every_view(planned: tuple[Spec, Plan], tmp_path: Path) -> None:
    spec, plan = planned
    found = remarks(spec, plan, ran(plan, tmp_path), ())
    assert LOOSENED in found
    report = replace(passing(), findings=found)
    assert LOOSENED in text.render(report, Standing(), width=120)
    assert LOOSENED in markdown.render(report, Standing())
    assert LOOSENED.replace("'", "&#39;") in html.render(report, Standing())


def with_records(*contracts: Contract | None) -> Report:
    """The passing report, each of its steps holding this contract."""
    steps = (replace(step, contract=held) for step, held in zip(passing().steps, contracts, strict=True))
    return replace(passing(), steps=tuple(steps))


def far(difference: str, tolerance: str = "0.1") -> Contract:
    found = Deviation(batch=1, difference=Decimal(difference), rms=Decimal(0))
    return Contract(tolerance=Decimal(tolerance), found=(found,))


@pytest.mark.parametrize(
    ("contract", "words"),
    [
        (far("0.0213"), f"{STRAYED} 0.0213 of their spread, 0.1 allowed"),
        (far("0.021301"), f"{STRAYED} 0.0214 of their spread, 0.1 allowed"),
        (far("0", "1"), f"{STRAYED} 0 of their spread, 1 allowed"),
        (far("0.00000012", "0.0001"), f"{STRAYED} 0.000000120 of their spread, 0.0001 allowed"),
        (Contract(tolerance=Decimal("0.25")), "answers held to those of its source, 0.25 of their spread allowed"),
    ],
)
def test_it_is_told_in_words_that_claim_no_less(contract: Contract, words: str) -> None:
    assert in_words(contract) == words


def test_of_a_targets_steps_the_one_that_strayed_most_is_told() -> None:
    report = with_records(far("0.00001", "0.0001"), far("0.02"))
    assert deviation(report, report.targets[0]) == in_words(far("0.02"))
    assert deviation(report, replace(report.targets[0], steps=("float",))) == in_words(far("0.00001", "0.0001"))
    for told in (with_records(None, None), with_records(None, Contract(tolerance=Decimal(1)))):
        assert deviation(told, told.targets[0]) == ""


def over(split: str, difference: str, source: str = "") -> Measurement:
    found = measured("server", "difference", Count(value=Decimal(difference)))
    return replace(found, split=split, source=source)


def test_what_whole_splits_show_stands_beside_what_the_probe_shows() -> None:
    report = with_records(None, far("0.0057"))
    found = (over("test", "0.050548"), over("field", "0.0603933"), over("test", "0.9", source="handed in"))
    told = replace(report, measurements=(*report.measurements, *found))
    server, android = told.targets
    splits = "; from the reference's by at most 0.0506 on the test split, 0.0604 on the field split"
    assert deviation(told, server) == in_words(far("0.0057")) + splits
    assert deviation(told, android) == in_words(far("0.0057"))


def test_of_a_split_that_was_run_in_several_arithmetics_the_largest_is_told() -> None:
    found = (over("test", "0.000256"), over("field", "0.0003"), over("test", "0.000910"), over("test", "0.0000868"))
    report = with_records(None, far("0.0057"))
    told = replace(report, measurements=(*report.measurements, *found))
    splits = "; from the reference's by at most 0.000910 on the test split, 0.000300 on the field split"
    assert deviation(told, told.targets[0]) == in_words(far("0.0057")) + splits


def test_every_view_tells_it_of_a_target_and_the_page_of_a_step() -> None:
    said = in_words(HELD)
    assert said in text.render(passing(), Standing(), width=120)
    assert said in markdown.render(passing(), Standing())
    page = html.render(passing(), Standing()).replace("&#39;", "'")
    assert page.count(f"<p>{said}</p>") == len(passing().targets)
    assert f'from the store<br><span class="note">{said}</span></td>' in page
