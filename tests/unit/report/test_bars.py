"""Bars: what lies where, and that no bar shows a limit as kept or broken that is not."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_evidence import budget, measured, processes, quality, rules, table, verdict

from deployspec.ir.evidence import Count, NotMeasured
from deployspec.report.bars import ASCII, UNICODE, bar
from deployspec.units import Dimension

FLOOR = budget("accuracy", ">= 80 %")
CEILING = budget("latency_p95", "< 100 ms")


def drawn(hits: int, n: int, asked: object = FLOOR) -> str:
    return bar(verdict(asked, [quality(table([[hits, n - hits], [0, 0]], "ab"))]), asked, 20, ASCII)


def timed(*values: int | str) -> str:
    return bar(verdict(CEILING, [measured("latency.p95", processes(*values))]), CEILING, 20, ASCII)


def sized(size: int, limit: str, good: str = "") -> str:
    asked = budget("size", limit, good=good)
    return bar(verdict(asked, [measured("size", Count(value=Decimal(size)))]), asked, 20, ASCII)


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (drawn(99, 100), ".|------------===o=-"),
        (drawn(83, 100), ".======+==o========-"),
        (drawn(20, 100), ".==o==............|-"),
        (timed(40, 41, 42, 43, 44, 60), "-=o=====----------|."),
        (timed(90, 91, 92, 93, 94, 110), "-==o=====+=========."),
        (timed(150, 160, 170, 180, 190, 200), "-|.......=====o====."),
    ],
)
def test_intervals_lie_where_they_are(shown: str, expected: str) -> None:
    assert shown == expected


def test_a_census_has_no_interval_and_a_good_band_a_mark_of_its_own() -> None:
    assert sized(5, "< 20 B") == "-o----------------|."
    assert sized(30, "< 20 B") == "-|................o."
    assert sized(15, "< 20 B", good="< 10 B") == "-:-------o--------|."
    assert sized(5, "< 20 B", good="< 10 B") == "-o-----:----------|."


def test_as_a_point_there_is_no_interval_either() -> None:
    point = verdict(FLOOR, [quality(table([[9, 1], [0, 0]], "ab"))], rules(None))
    assert bar(point, FLOOR, 20, ASCII) == ".|----------------o-"


def test_what_proves_nothing_is_open_on_both_sides() -> None:
    assert timed(40, 41) == "<o================+>"


def test_a_bound_that_is_not_there_leaves_the_interval_open() -> None:
    known = verdict(FLOOR, [quality(table([[99, 1], [0, 0]], "ab"))])
    assert bar(replace(known, lower=None), FLOOR, 20, ASCII) == "<+===============o=-"
    assert bar(replace(known, upper=None), FLOOR, 20, ASCII) == ".|-------------===o>"


def test_a_figure_on_the_limit_is_marked_as_such() -> None:
    assert sized(20, "<= 20 B") == "----------#........."
    assert sized(20, "< 20 B") == "----------#........."


def test_what_has_no_place_on_a_scale_has_no_bar() -> None:
    absent = verdict(FLOOR, [quality(NotMeasured(reason="crashed"))])
    assert bar(absent, FLOOR, 20) == ""
    assert bar(replace(absent, estimate=Decimal(1)), replace(FLOOR, dimension=Dimension.FLAG), 20) == ""


def test_both_alphabets_draw_the_same() -> None:
    known = verdict(CEILING, [measured("latency.p95", processes(90, 91, 92, 93, 94, 110))])
    in_ascii = bar(known, CEILING, 32, ASCII)
    same = str.maketrans({getattr(UNICODE, name): getattr(ASCII, name) for name in vars(ASCII)})
    assert bar(known, CEILING, 32, UNICODE).translate(same) == in_ascii


@given(n=st.integers(1, 2000), wrong=st.integers(0, 2000), percent=st.integers(1, 99), width=st.integers(12, 40))
def test_a_bar_never_contradicts_its_verdict(n: int, wrong: int, percent: int, width: int) -> None:
    """Proven: nothing beyond the limit. Broken: nothing within it. Undecided: on both sides, or on it."""
    asked = budget("accuracy", f">= {percent} %")
    hits = n - min(wrong, n)
    found = verdict(asked, [quality(table([[hits, n - hits], [0, 0]], "ab"))])
    cells = bar(found, asked, width, ASCII)
    assert len(cells) == width
    at = next(i for i, cell in enumerate(cells) if cell in "|+#")
    below, above = cells[:at], cells[at + 1 :]
    inked = "proven" if set(below) == {"."} else "broken" if set(above) == {"-"} else "undecided"
    assert inked == {"pass": "proven", "fail": "broken", "inconclusive": "undecided"}[found.verdict]
