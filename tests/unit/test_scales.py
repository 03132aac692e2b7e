"""Figures as people read them: one scale for tables and sentences, and never a limit that a figure does not equal."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_evidence import budget, measured, processes, scores, verdict

from deployspec.ir.evidence import Count, EvidenceClass
from deployspec.report import figures
from deployspec.units import Dimension, scale_of, shown, written

if TYPE_CHECKING:
    from deployspec.ir.budget import Budget
    from deployspec.ir.evidence import Measurement

numbers = st.decimals("-1e12", "1e12", allow_nan=False, allow_infinity=False, places=9)


@pytest.mark.parametrize(
    ("value", "limit", "text"),
    [
        ("12.34", "12.3", "12.34 ms"),
        ("12.34", "12.4", "12.3 ms"),
        ("12.2999", "12.3", "12.2999 ms"),
        ("12.3", "12.3", "12.3 ms"),
        ("12.304", "12.302", "12.304 ms"),
        ("799.95", "800", "799.95 ms"),
        ("1234.56", "1235", "1,234.6 ms"),
        ("0.0999996", "0.1", "99.9996 us"),
    ],
)
def test_a_figure_never_reaches_or_passes_a_limit_that_it_does_not_equal(value: str, limit: str, text: str) -> None:
    assert shown(Decimal(value), Dimension.TIME, [Decimal(limit)]) == text


@pytest.mark.parametrize(
    ("dimension", "value", "text"),
    [
        (Dimension.SHARE, "0.00001", "0.001 %"),
        (Dimension.DROP, "-0.0000049", "-0.0005 pp"),
        (Dimension.TIME, "0", "0 ms"),
    ],
)
def test_nor_does_it_look_like_nothing(dimension: Dimension, value: str, text: str) -> None:
    assert shown(Decimal(value), dimension) == text


@given(
    value=numbers,
    limit=numbers,
    dimension=st.sampled_from(Dimension),
    rounding=st.sampled_from([ROUND_FLOOR, ROUND_CEILING, ROUND_HALF_EVEN]),
)
def test_what_is_shown_stands_to_the_limit_as_the_figure_does(
    value: Decimal, limit: Decimal, dimension: Dimension, rounding: str
) -> None:
    scale = scale_of(dimension, value)
    said = Decimal(scale.number(value, rounding, [limit]).replace(",", "")) * scale.factor
    assert (said.compare(limit), said.compare(Decimal(0))) == (value.compare(limit), value.compare(Decimal(0)))


def test_what_has_no_end_is_said() -> None:
    assert scale_of(Dimension.DROP, Decimal("Infinity")).number(Decimal("Infinity")) == "Infinity"


@pytest.mark.parametrize(
    ("number", "text"), [("1234.50", "1,234.5"), ("100", "100"), ("98.00", "98"), ("0.10", "0.1"), ("1E+3", "1,000")]
)
def test_a_sentence_has_no_zeros_at_the_end_of_a_number(number: str, text: str) -> None:
    assert written(Decimal(number)) == text


@pytest.mark.parametrize(
    ("asked", "evidence", "row", "said"),
    [
        (
            budget("latency_p95", "< 12.3 ms"),
            measured("latency.p95", processes(*["12.3456"] * 6)),
            ("12.35 ms", "12.34 to 12.4 ms"),
            "12.35 ms, the median of 6 processes; at 95 % confidence at least 12.34 ms, the ceiling is 12.3 ms",
        ),
        (
            budget("latency_p95", "< 1 ms"),
            measured("latency.p95", processes("0.08", "0.08", "0.09", "0.09", "0.13", "0.13")),
            ("90.0 us", "80.0 to 130 us"),
            "90 us, the median of 6 processes; at 95 % confidence at most 130 us, the ceiling is 1 ms",
        ),
        (
            budget("size", "< 65.4 kB"),
            measured("size", Count(value=Decimal(65_432)), EvidenceClass.STATIC),
            ("65.43 kB", "-"),
            "65.43 kB, the ceiling is 65.4 kB",
        ),
        (
            budget("size", "< 20 MB", good="< 65.43 kB"),
            measured("size", Count(value=Decimal(65_432)), EvidenceClass.STATIC),
            ("65.432 kB", "-"),
            "65.432 kB, the ceiling is 20 MB, not proven within 65.43 kB",
        ),
        (
            budget("mae", "< 54.3"),
            measured("absolute_error", scores([54.3004] * 10), split="test"),
            ("54.3004", "-"),
            "mean 54.3004 over 10 samples; at 95 % confidence no bound, the ceiling is 54.3",
        ),
    ],
)
def test_a_reason_says_what_the_table_shows(
    asked: Budget, evidence: Measurement, row: tuple[str, str], said: str
) -> None:
    found = verdict(asked, [evidence])
    assert (figures.estimate(found), figures.interval(found)) == row
    assert found.reason.partition(": ")[2].startswith(said)
