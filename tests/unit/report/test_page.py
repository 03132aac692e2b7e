"""The page: one file that asks nobody for anything, and text of a report that stays text."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from dataclasses import fields, is_dataclass, replace
from datetime import timedelta
from decimal import Decimal
from enum import Enum
from functools import cache
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest
from sample_reports import CHECKED_AT, WAIVER, budget, failing, judged, many, measured, passing, unmeasured

from deployspec.errors import TrustError
from deployspec.ir.budget import BUDGETS
from deployspec.ir.evidence import (
    Check,
    Churn,
    Count,
    EvidenceClass,
    Multilabel,
    NotMeasured,
    PairedOutcomes,
    Promise,
    Share,
    Stability,
)
from deployspec.ir.report import StepRecord
from deployspec.report.summary import Standing
from deployspec.report.views import html

if TYPE_CHECKING:
    from deployspec.ir.report import Report

HOSTILE = "</td><script>alert(1)</script>\"' onload=x {{ 7 * 7 }} \u202e&amp;<!--"
VOID = frozenset({"meta", "br", "wbr"})
FREE = frozenset(
    {"model", "model_version", "label", "labels", "failure", "reason", "approver", "findings", "tools", "runtime",
     "note", "system", "architecture", "processor", "python", "takes", "id", "steps", "left_out", "first", "counts"}
)  # fmt: skip
"""Fields of a report that may hold anything that somebody wrote; so may the names of sources and data."""


class Page(HTMLParser):
    """A page that is read as strictly as it is written: what is opened is closed, in order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, key, value or "") for key, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, key, value or "") for key, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def all_of(self, name: str) -> list[str]:
        return [value for _, key, value in self.attributes if key == name]


def waived() -> Report:
    today, yesterday = CHECKED_AT.date(), CHECKED_AT.date() - timedelta(days=1)
    return unmeasured((WAIVER, replace(WAIVER, target="server", expires=today), replace(WAIVER, expires=yesterday)))


def behaving() -> Report:
    """With all that is measured only on request."""
    checks = (
        Check(promise=Promise.ANSWERS, calls=9),
        Check(promise=Promise.FINITE, calls=9, broken=1, first="zeros: NaN"),
    )
    outcomes = PairedOutcomes(both=690, broken=6, repaired=3, neither=1)
    extra = (
        measured("server", "weights.int8", Count(value=Decimal(12_000)), EvidenceClass.STATIC),
        measured("server", "stable", Stability(checks=checks, inputs=("zeros", "ones"), batches=(1, 8))),
        replace(measured("server", "churn", Churn(outcomes=outcomes, noise=Decimal("0.01"))), split="test"),
        replace(measured("server", "leakage", Share(hits=0, n=700), EvidenceClass.STATIC), split="test"),
    )
    return replace(passing(), measurements=passing().measurements + extra)


def unbuilt() -> Report:
    """The first target's conversion failed, and nothing of it was measured."""
    report = failing()
    convert = StepRecord(id="convert", takes=("float",), gives="torchscript", result="failed", reason="killed")
    server = replace(report.targets[0], artifact=None, failure="convert: killed", steps=("float", "convert"))
    found = tuple(each for each in report.measurements if each.target != server.name)
    steps = (*report.steps, convert)
    return judged(replace(report, targets=(server, report.targets[1]), measurements=found, steps=steps))


REPORTS = {
    "passing": passing(),
    "failing": failing(),
    "unproven": unmeasured(),
    "waived": waived(),
    "behaving": behaving(),
    "unbuilt": unbuilt(),
    "alone": judged(replace(passing(), targets=passing().targets[:1], measurements=passing().measurements[:10])),
}


@cache
def rendered(name: str) -> str:
    return html.render(REPORTS[name], Standing())


def page(report: Report, standing: Standing | None = None) -> Page:
    return Page(html.render(report, standing or Standing()))


def test_a_card_tells_of_what_failed_before_what_is_left_open() -> None:
    open_ones = ("latency_p50", "latency_p90", "latency_p99")
    asked = (*(budget(each, "< 1 ms") for each in open_ones), budget("size", "< 1 kB"))
    found = (
        measured("server", "size", Count(value=Decimal(12_345)), EvidenceClass.STATIC),
        *(measured("server", BUDGETS[each].measured_from, NotMeasured(reason=f"no {each}")) for each in open_ones),
    )
    server = replace(passing().targets[0], budgets=asked)
    text = " ".join(page(judged(replace(passing(), targets=(server,), measurements=found))).text)
    card = text[: text.index("and 1 more reason")]
    assert card.index("12.3 kB") < card.index("no latency_p50") < card.index("no latency_p90")


@pytest.mark.parametrize("name", REPORTS)
def test_it_asks_nobody_for_anything(name: str) -> None:
    text = rendered(name)
    read = Page(text)
    assert not read.tags.keys() & {"script", "link", "img", "iframe", "object", "embed", "form", "base", "image"}
    assert {target[:1] for target in read.all_of("href")} <= {"#"}
    assert not read.all_of("src")
    assert not [key for _, key, _ in read.attributes if key == "style" or key.startswith("on")]
    assert "url(" not in text.replace("url(#", "")
    assert "@import" not in text


def test_only_its_own_style_sheet_is_let_in() -> None:
    text = rendered("passing")
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    (policy,) = (value for value in Page(text).all_of("content") if "src" in value)
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


@pytest.mark.parametrize("name", REPORTS)
def test_ids_are_unique_and_every_reference_leads_somewhere(name: str) -> None:
    read = Page(rendered(name))
    ids = read.all_of("id")
    assert len(ids) == len(set(ids))
    assert {each[1:] for each in read.all_of("href")} <= set(ids)
    assert set(read.all_of("aria-labelledby")) <= set(ids)
    clips = [each.removeprefix("url(#").removesuffix(")") for each in read.all_of("clip-path")]
    assert set(clips) <= set(ids)


def tainted(value: Any, field: str = "") -> Any:
    """The value with `HOSTILE` after every text that somebody wrote, so that names still match."""
    if isinstance(value, str) and not isinstance(value, Enum):
        return value + HOSTILE if value and field in FREE else value
    if isinstance(value, tuple):
        return tuple(tainted(each, field) for each in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{each.name: tainted(getattr(value, each.name), each.name) for each in fields(value)})
    return value


@pytest.mark.parametrize("name", REPORTS)
def test_text_of_a_report_stays_text(name: str) -> None:
    clean = REPORTS[name]
    sources = tuple(replace(each, name=each.name + HOSTILE) for each in clean.sources)
    hostile = judged(replace(tainted(clean), sources=sources))
    text = html.render(hostile, Standing(signers=(HOSTILE,)))
    read = Page(text)
    assert "script" not in read.tags
    assert "\u202e" not in text
    assert not [key for _, key, _ in read.attributes if key.startswith("on")]
    assert sum(each.count("<script>alert(1)</script>") for each in read.text) > 20
    assert "{{ 7 * 7 }}" in text
    assert read.tags == Page(rendered(name)).tags


def test_a_report_that_contradicts_itself_has_no_page() -> None:
    report = passing()
    lying = replace(report.measurements[8], statistic=Share(hits=701, n=700))
    with pytest.raises(TrustError, match="no page is made of a report that contradicts itself"):
        html.render(
            replace(report, measurements=(*report.measurements[:8], lying, *report.measurements[9:])), Standing()
        )


def test_the_first_screen_says_released_or_not_and_why_for_each_target() -> None:
    text = " ".join(" ".join(Page(rendered("failing")).text).split())
    first, _, _ = text.partition("What it costs")
    assert "NOT RELEASED: 1 of 10 budgets failed: android recall.rare" in first
    assert "UNSIGNED" in first
    assert "recall of class 'rare': 3 of 25; at 95 % confidence at most 28.18 %, the floor is 80 %" in first


def test_what_is_found_of_conduct_and_data_is_shown() -> None:
    text = " ".join(" ".join(Page(rendered("behaving")).text).split())
    assert "answers without NaN or infinity 9 1 zeros: NaN" in text
    assert "leakage of test 0 of 700, 0.00 %" in text
    assert "1 of 2 promises kept" in text
    assert "weights, int8 12.0 kB" in text
    assert "graph, code and names 345 B" in text
    assert "7 of 700 decisions change" in text


def test_waivers_are_shown_with_what_became_of_them() -> None:
    text = " ".join(Page(rendered("waived")).text)
    assert re.findall(r"\((used|unused|expired)\)", text) == ["used", "unused", "expired"]


def test_labels_that_stand_beside_each_other_have_recalls_and_no_matrix() -> None:
    report = passing()
    pairs = (
        PairedOutcomes(both=90, broken=4, repaired=2, neither=4),
        PairedOutcomes(both=500, broken=1, repaired=0, neither=0),
    )
    table = Multilabel(labels=("a",), inside=pairs[:1], outside=pairs[1:])
    several = replace(report.measurements[7], statistic=table)
    others = tuple(each for each in report.measurements if each.name not in ("quality", "agreement"))
    targets = tuple(replace(each, budgets=each.budgets[:2]) for each in report.targets)
    read = page(judged(replace(report, targets=targets, measurements=(*others, several))))
    assert "matrix" not in read.all_of("class")
    assert "92 of 100" in read.text
    assert "98.92 %" in read.text  # of 93 that are called a


def test_nothing_measured_still_makes_a_page() -> None:
    report = passing()
    absent = tuple(replace(each, statistic=NotMeasured(reason="no device")) for each in report.measurements)
    text = " ".join(page(judged(replace(report, measurements=absent))).text)
    assert "not measured: no device" in text
    assert "Latency over processes" not in text


def test_twenty_targets_stay_small() -> None:
    assert len(html.render(many(20), Standing()).encode()) < 3_000_000
