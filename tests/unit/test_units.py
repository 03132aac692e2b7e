"""Limits are exact: comparators, decimals, units."""

from __future__ import annotations

from decimal import Decimal

import pytest

from deployspec.units import Bound, Comparator, Dimension, QuantityError, parse_bound, parse_duration_s, parse_share


@pytest.mark.parametrize(
    ("text", "dimension", "limit"),
    [
        ("< 20 MB", Dimension.BYTES, 20_000_000),
        ("<20MB", Dimension.BYTES, 20_000_000),
        ("<= 1 KiB", Dimension.BYTES, 1024),
        ("< 1.5 GiB", Dimension.BYTES, 1610612736),
        ("< 3 kB", Dimension.BYTES, 3000),
        ("< 3 KB", Dimension.BYTES, 3000),
        ("< 250 us", Dimension.TIME, "0.25"),
        ("< 2 min", Dimension.TIME, 120_000),
        ("< 1 J", Dimension.ENERGY, 1000),
        (">= 92.7 %", Dimension.SHARE, "0.927"),
        ("< 2 pp", Dimension.DROP, "0.02"),
        ("<= -0.5 pp", Dimension.DROP, "-0.005"),
        ("<= 20", Dimension.COUNT, 20),
        ("< 0.2", Dimension.NUMBER, "0.2"),
        ("< 0.2", Dimension.RISE, "0.2"),
        ("< 5 %", Dimension.RISE, "0.05"),
    ],
)
def test_a_limit_is_exact(text: str, dimension: Dimension, limit: int | str) -> None:
    bound = parse_bound(text, dimension)
    assert bound.limit == Decimal(limit)
    assert bound.text == text


@pytest.mark.parametrize(
    ("text", "dimension"),
    [
        ("20 MB", Dimension.BYTES), ("< MB", Dimension.BYTES), ("< 20", Dimension.BYTES), ("< 20 mb", Dimension.BYTES),
        ("== 20 MB", Dimension.BYTES), ("< 1e3 MB", Dimension.BYTES), ("< nan MB", Dimension.BYTES),
        ("< 20 MB extra", Dimension.BYTES), ("< ２０ MB", Dimension.BYTES), ("< 20 pp", Dimension.SHARE),
        ("< 1 %", Dimension.CHANGE), ("<= 0.5", Dimension.COUNT), ("<= 3 %", Dimension.COUNT), ("", Dimension.NUMBER),
        ("< " + "9" * 31, Dimension.NUMBER),
    ],
)  # fmt: skip
def test_what_is_no_limit_is_refused(text: str, dimension: Dimension) -> None:
    with pytest.raises(QuantityError):
        parse_bound(text, dimension)


@pytest.mark.parametrize(
    ("text", "dimension", "said"),
    [
        ("< 20 mb", Dimension.BYTES, "unit 'mb' does not fit: perhaps you meant 'MB'; write B or kB"),
        ("< 20 ms", Dimension.BYTES, "unit 'ms' does not fit: write B or kB"),
        (">= 0.8", Dimension.SHARE, "the unit is missing: for 0.8 write >= 80 %"),
        (">= 0.995", Dimension.SHARE, "the unit is missing: for 0.995 write >= 99.5 %"),
        ("< 0.02", Dimension.DROP, "the unit is missing: for 0.02 write < 2 pp"),
        (">= 80", Dimension.SHARE, "the unit is missing: write %"),
        ("< 0.5", Dimension.TIME, "the unit is missing: write us or ms"),
        ("< 3 %", Dimension.NUMBER, "unit '%' does not fit: write a bare number"),
    ],
)
def test_a_wrong_unit_is_told_with_what_was_likely_meant(text: str, dimension: Dimension, said: str) -> None:
    with pytest.raises(QuantityError) as refused:
        parse_bound(text, dimension)
    assert str(refused.value).startswith(said)


def test_percent_of_a_drop_is_relative_and_percentage_points_are_not() -> None:
    assert parse_bound("< 2 %", Dimension.DROP).relative
    assert not parse_bound("< 2 pp", Dimension.DROP).relative
    assert not parse_bound("< 2 %", Dimension.SHARE).relative


@pytest.mark.parametrize(
    ("comparator", "below", "equal", "above"),
    [("<", True, False, False), ("<=", True, True, False), (">", False, False, True), (">=", False, True, True)],
)
def test_comparators_mean_what_they_say(comparator: str, below: bool, equal: bool, above: bool) -> None:
    bound = Bound(Comparator(comparator), Decimal("0.3"))
    assert [bound.holds(Decimal(value)) for value in ("0.29", "0.30", "0.31")] == [below, equal, above]


@pytest.mark.parametrize(
    ("one", "other", "loosens"),
    [
        ("< 20 MB", "< 20 MB", False), ("<= 20 MB", "< 20 MB", True), ("< 20 MB", "<= 20 MB", False),
        ("< 21 MB", "<= 20 MB", True), (">= 89 B", ">= 90 B", True), ("> 90 B", ">= 90 B", False),
        (">= 90 B", "> 90 B", True), (">= 91 B", ">= 90 B", False),
    ],
)  # fmt: skip
def test_a_limit_loosens_another_where_it_allows_more(one: str, other: str, loosens: bool) -> None:
    assert parse_bound(one, Dimension.BYTES).loosens(parse_bound(other, Dimension.BYTES)) is loosens


@pytest.mark.parametrize(
    ("text", "seconds"), [("30 min", 1800), ("90 d", 7_776_000), ("45s", 45), ("2 h", 7200), ("36500 d", 3_153_600_000)]
)
def test_durations(text: str, seconds: int) -> None:
    assert parse_duration_s(text) == seconds


@pytest.mark.parametrize("text", ["36501 d", "999999999 d", "0 s", "３ s", "1.5 h", "-1 s", "90 days", "min", ""])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(QuantityError):
        parse_duration_s(text)


@pytest.mark.parametrize(
    ("text", "share"), [("1 %", "0.01"), ("2.5%", "0.025"), ("100 %", "1"), (" 0.01 % ", "0.0001")]
)
def test_a_share_is_an_exact_fraction(text: str, share: str) -> None:
    assert parse_share(text) == Decimal(share)


@pytest.mark.parametrize("text", ["", "1", "0.01", "%", "0 %", "101 %", "-1 %", "1 pp", "< 1 %", "1e2 %", "nan %"])
def test_what_is_no_share_is_told(text: str) -> None:
    with pytest.raises(QuantityError, match="is not a share: write a number above 0 and up to 100, and %"):
        parse_share(text)
