"""`deployspec diff` on files: its exit codes, and what it reads."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sample_reports import envelope, failing, judged, passing

from deployspec.cli.diff import command
from deployspec.errors import UsageError
from deployspec.ir.evidence import Count

SPECS = Path(__file__).parents[3] / "specs"


def diff(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(each) for each in arguments])


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    for name, report in (("good", passing()), ("bad", failing())):
        (tmp_path / name).mkdir()
        (tmp_path / name / "report.dsse.json").write_bytes(envelope(report))
    return tmp_path


def test_a_regression_exits_1_and_none_exits_0(reports: Path) -> None:
    worse, better = (
        diff(reports / "good", reports / "bad"),
        diff(reports / "bad" / "report.dsse.json", reports / "good"),
    )
    assert (worse.exit_code, better.exit_code) == (1, 0)
    assert worse.stdout.splitlines()[0].startswith("2 regressions")
    assert better.stdout.splitlines()[0].startswith("no regression")


def test_a_strict_reader_counts_a_figure_that_got_worse_within_its_budget(reports: Path) -> None:
    report = passing()
    grown = tuple(
        replace(each, statistic=Count(value=Decimal(20_000))) if each.name == "size" else each
        for each in report.measurements
    )
    (reports / "grown.json").write_bytes(envelope(judged(replace(report, measurements=grown))))
    assert diff(reports / "good", reports / "grown.json").exit_code == 0
    strict = diff(reports / "good", reports / "grown.json", "--strict")
    assert (strict.exit_code, strict.stdout.splitlines()[0]) == (1, "2 regressions in 2 changes")
    document = json.loads(diff(reports / "good", reports / "grown.json", "--strict", "--format", "json").stdout)
    assert document["regression"]
    assert all(each["regression"] for each in document["changes"])
    assert diff(reports / "good", reports / "good", "--strict").exit_code == 0


def test_two_specs_are_compared_by_what_they_promise(tmp_path: Path) -> None:
    spec = SPECS / "digits.toml"
    looser = SPECS / ".looser.toml"
    looser.write_text(spec.read_text().replace('accuracy      = ">= 90 %"', 'accuracy      = ">= 80 %"'))
    try:
        assert looser.read_text() != spec.read_text()
        found = diff(spec, looser, "--format", "json")
    finally:
        looser.unlink()
    assert found.exit_code == 1
    changes = json.loads(found.stdout)["changes"]
    assert {(each["kind"], each["name"], each["sense"]) for each in changes} == {("budget", "accuracy", "worse")}


def test_what_is_no_report_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(UsageError, match=r"x.json' is not a report: name a report.dsse.json \(the envelope: 'sig"):
        raise diff(tmp_path / "x.json", tmp_path / "x.json").exception or AssertionError
    with pytest.raises(UsageError, match=r"' holds no report.dsse.json"):
        raise diff(tmp_path, tmp_path).exception or AssertionError
