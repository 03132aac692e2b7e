"""The page as a browser shows it: on a phone, on a screen and on paper, in the light and in the dark."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe
from browser import chromium, opened
from sample_reports import WAIVER, budget, failing, judged, many, passing, unmeasured

from deployspec.report.summary import Standing
from deployspec.report.views import html

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

    from deployspec.ir.report import Report

pytestmark = pytest.mark.slow

WORST = "a-label-that-nobody-would-give-and-somebody-will-" * 3 + "<script>alert(1)</script>"


def labelled() -> Report:
    """Texts of a report at their longest, and one that would like to be a program."""
    report = failing()
    tables = {
        index: replace(each, statistic=replace(each.statistic, labels=(WORST, "rare")))  # type: ignore[type-var]
        for index, each in enumerate(report.measurements)
        if each.name == "quality"
    }
    found = tuple(tables.get(index, each) for index, each in enumerate(report.measurements))
    return replace(report, measurements=found, findings=(WORST,), model=WORST)


PAGES = {
    "passing": passing,
    "failing": failing,
    "waived": lambda: unmeasured((WAIVER,)),
    "labelled": labelled,
    "twenty": lambda: many(20),
}

CONTRAST = """() => {
  const parse = text => { const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number); return [r, g, b, a]; };
  const over = ([r, g, b, a], [x, y, z]) => [r * a + x * (1 - a), g * a + y * (1 - a), b * a + z * (1 - a), 1];
  const ground = node => {
    const layers = [];
    for (let at = node; at; at = at.parentElement) layers.unshift(parse(getComputedStyle(at).backgroundColor));
    return layers.reduce((under, layer) => over(layer, under), [255, 255, 255, 1]);
  };
  const channel = value => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const found = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const node = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !node.checkVisibility()) continue;
    const style = getComputedStyle(node), below = ground(node);
    const ink = over(parse(node instanceof SVGElement ? style.fill : style.color), below);
    const [dim, bright] = [light(ink), light(below)].sort((a, b) => a - b);
    found.push([(bright + 0.05) / (dim + 0.05), texts.currentNode.data.trim().slice(0, 40)]);
  }
  return found;
}"""
"""The contrast of every text to what is behind it, by the formula of WCAG 2.2."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("pages")
    for name, report in PAGES.items():
        (made / f"{name}.html").write_text(html.render(report(), Standing()), encoding="utf-8")
    return made


@pytest.mark.parametrize("width", [360, 390, 1280])
@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_asked_for_nothing_is_said_and_nothing_sticks_out(
    browser: Browser, folder: Path, name: str, width: int
) -> None:
    path = folder / f"{name}.html"
    with opened(browser, path, width=width) as seen:
        seen.page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
        assert seen.said == []
        assert seen.asked == [path.as_uri()]


FOLDS = """cell => {
  const letters = [];
  const texts = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
  for (let text = texts.nextNode(); text; text = texts.nextNode()) {
    for (let at = 0; at < text.length; at++) {
      const range = document.createRange();
      range.setStart(text, at);
      range.setEnd(text, at + 1);
      letters.push([range.toString(), range.getBoundingClientRect().top]);
    }
  }
  return letters.filter(([_, top], at) => at + 1 < letters.length && letters[at + 1][1] > top).map(([each]) => each);
}"""
"""The letter before each new line of a cell."""


@pytest.mark.parametrize("width", [360, 1280])
def test_a_budgets_name_goes_on_in_a_new_line_after_a_point_or_an_underscore_only(
    browser: Browser, tmp_path: Path, width: int
) -> None:
    page = tmp_path / "page.html"
    labels = ("horizontal", "stripes_that_are_horizontal_or_nearly_so")
    report = passing()
    server, android = report.targets
    budgets = tuple(budget("precision", ">= 90 %", label=label) for label in labels)
    told = judged(replace(report, targets=(replace(server, budgets=budgets), android)))
    page.write_text(html.render(told, Standing()), encoding="utf-8")
    with opened(browser, page, width=width) as seen:
        folds = [seen.page.locator(".budgets .budget").nth(number).evaluate(FOLDS) for number in range(len(labels))]
    assert set(chain(*folds)) <= {".", "_"}
    assert folds[1], "one name is too long for a line"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["passing", "failing", "waived"])
def test_every_text_can_be_read(browser: Browser, folder: Path, name: str, scheme: str) -> None:
    with opened(browser, folder / f"{name}.html", width=1280, scheme=scheme) as seen:  # type: ignore[arg-type]
        seen.page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        found = seen.page.evaluate(CONTRAST)
    assert len(found) > 100
    assert [each for each in found if each[0] < 4.5] == []


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["failing", "waived", "labelled"])
def test_it_is_accessible(browser: Browser, folder: Path, name: str, scheme: str, width: int) -> None:
    with opened(browser, folder / f"{name}.html", width=width, scheme=scheme) as seen:  # type: ignore[arg-type]
        seen.page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        found = Axe().run(seen.page)
    assert found.violations_count == 0, found.generate_report()


def test_a_label_that_is_a_script_shows_as_text(browser: Browser, folder: Path) -> None:
    with opened(browser, folder / "labelled.html", width=1280) as seen:
        assert seen.page.locator("script").count() == 0
        assert seen.page.get_by_text("<script>alert(1)</script>").first.is_visible()
        assert seen.said == []


def test_an_edited_page_can_add_neither_program_nor_picture(browser: Browser, folder: Path, tmp_path: Path) -> None:
    text = (folder / "passing.html").read_text(encoding="utf-8")
    edited = tmp_path / "edited.html"
    picture = "https://example.com/seen.png"
    added = f"<script>document.title='taken over'</script><img src='{picture}'>"
    edited.write_text(text.replace("<header", f"{added}<header", 1), encoding="utf-8")
    with opened(browser, edited, width=1280) as seen:
        assert seen.page.title() == "digits 1.2.0: released"
        assert seen.asked == [edited.as_uri(), picture]
        assert seen.refused == [picture]


def test_print_is_light_and_opens_what_is_folded(browser: Browser, folder: Path) -> None:
    digest = passing().sources[0].sha256
    with opened(browser, folder / "passing.html", width=1280, scheme="dark") as seen:
        whole = seen.page.get_by_text(digest).first
        assert not whole.is_visible()
        seen.page.emulate_media(media="print")
        assert whole.is_visible()
        assert seen.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert seen.page.pdf(format="A4").startswith(b"%PDF-")


def test_its_first_screen_on_a_phone_holds_the_conclusion_and_its_reason(browser: Browser, folder: Path) -> None:
    with opened(browser, folder / "failing.html", width=390) as seen:
        said = seen.page.get_by_text("recall of class 'rare': 3 of 25").first.bounding_box()
    assert said is not None
    assert said["y"] + said["height"] <= 844
