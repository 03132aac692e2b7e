"""The report as a page: `show --format html` and what it needs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sample_reports import DSSE_KEY, envelope, passing

from deployspec.cli import main, page
from deployspec.ir.evidence import Share

if TYPE_CHECKING:
    from pathlib import Path


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert isinstance(exit_.value.code, int)
    return exit_.value.code


@pytest.fixture
def report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "report.dsse.json").write_bytes(envelope(passing(), DSSE_KEY))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "report.dsse.json"


def test_show_writes_the_page_and_says_that_nothing_was_verified(
    report: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("show", "report.dsse.json", "--format", "html", "--out", "report.html") == 0
    written = (report.parent / "report.html").read_text(encoding="utf-8")
    assert written.startswith("<!doctype html>")
    assert "not verified; it claims to be signed by" in written
    told = capsys.readouterr()
    assert told.out == ""
    assert "was not verified" in told.err


def test_show_prints_the_page(report: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("show", "report.dsse.json", "--format", "html") == 0
    assert capsys.readouterr().out.rstrip().endswith("</html>")


def test_any_form_can_be_written_to_a_file(report: Path) -> None:
    assert run("show", "report.dsse.json", "--format", "markdown", "--out", "report.md") == 0
    assert (report.parent / "report.md").read_text(encoding="utf-8").startswith("## RELEASED")


def test_no_page_is_made_of_a_report_that_contradicts_itself(report: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lying = tuple(
        replace(each, statistic=Share(hits=701, n=700)) if each.name == "agreement" else each
        for each in passing().measurements
    )
    report.write_bytes(envelope(replace(passing(), measurements=lying)))
    assert run("show", "report.dsse.json", "--format", "html", "--out", "report.html") == 5
    assert "contradicts itself" in capsys.readouterr().err
    assert not (report.parent / "report.html").exists()


def test_what_a_page_needs_is_said_before_any_work(
    report: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "_NEEDED", ("jinja2", "a_library_that_nobody_has"))
    assert run("show", "report.dsse.json", "--format", "html") == 2
    said = "error: a page needs a_library_that_nobody_has: pip install 'deployspec[page]'\n"
    assert capsys.readouterr().err == said
    assert run("check", "no-such-spec.toml", "--html") == 2
    assert capsys.readouterr().err == said
