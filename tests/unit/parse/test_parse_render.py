"""How diagnostics are written: text with a caret, GitHub annotations, JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deployspec.diagnostics import At, Diagnostic, Severity
from deployspec.parse import render

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "specs").mkdir()
    path = tmp_path / "specs" / "a,b.toml"
    path.write_text("# first\n" * 9 + '[budgets]\nsise = "< 20 MB"\n\tx = "\\u001b[31m"\n')
    return path


def fault(spec: Path, *path: str | int, **more: object) -> Diagnostic:
    facts: dict[str, object] = {
        "file": spec,
        "code": "unknown-budget",
        "message": "unknown budget 'sise'",
        "help": "perhaps you meant 'size'",
    }
    return Diagnostic(path=path, **(facts | more))  # type: ignore[arg-type]


def test_the_form_of_the_language_document(spec: Path) -> None:
    assert render.render([fault(spec, "budgets", "sise")]) == (
        "error[unknown-budget]: unknown budget 'sise'\n"
        "  --> specs/a,b.toml:11:1\n"
        "   |\n"
        '11 | sise = "< 20 MB"\n'
        "   | ^^^^ perhaps you meant 'size'\n"
    )


def test_diagnostics_follow_the_text(spec: Path) -> None:
    later, whole, first = fault(spec, "budgets", "x"), fault(spec), fault(spec, "budgets")
    assert [each.diagnostic for each in render.locate([later, whole, first])] == [whole, first, later]


def test_a_tab_and_control_characters_cannot_rewrite_the_terminal(spec: Path) -> None:
    spec.write_text('[budgets]\n\tsise = "a" # \u202e\n')
    text = render.render([fault(spec, "budgets", "sise", message="a\x1b[31m\nb")])
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "\t" not in text
    assert "a�[31m�b" in text
    assert "2 |  sise" in text


def test_a_long_line_is_cut_around_its_caret(spec: Path) -> None:
    spec.write_text(f'a = [{"1, " * 10_000} "x", {"2, " * 10_000}]\n')
    text = render.render([fault(spec, "a", 10_000, at=At.VALUE)])
    line, caret = text.splitlines()[3:5]
    assert max(map(len, text.splitlines())) < 200
    assert line[caret.index("^") :].startswith('"x"')


def test_a_message_without_end_is_cut(spec: Path) -> None:
    text = render.render([fault(spec, message="x" * 10_000, help="y" * 10_000)])
    assert len(text) < 1000
    assert "…" in text


def test_a_github_annotation_has_its_place_and_is_escaped(spec: Path) -> None:
    note = fault(spec, "budgets", "sise", severity=Severity.NOTE, message="100 %\nof it", help="")
    assert render.as_github([fault(spec, "budgets", "sise"), note]) == (
        "::error file=specs/a%2Cb.toml,title=unknown-budget,line=11,col=1,endColumn=5"
        "::unknown budget 'sise'; perhaps you meant 'size'\n"
        "::notice file=specs/a%2Cb.toml,title=unknown-budget,line=11,col=1,endColumn=5::100 %25�of it\n"
    )


def test_objects_for_machines(spec: Path) -> None:
    located, whole = render.as_objects([fault(spec, "budgets", "sise"), fault(spec, file=spec.with_name("gone.toml"))])
    assert (located["line"], located["column"], located["length"]) == (11, 1, 4)
    assert located["path"] == ["budgets", "sise"]
    assert (whole["line"], whole["file"]) == (None, "specs/gone.toml")
