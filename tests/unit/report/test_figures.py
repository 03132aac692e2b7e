"""Figures as people read them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from deployspec.ir.evidence import EvidenceClass
from deployspec.ir.verdict import Outcome, Verdict
from deployspec.report import figures
from deployspec.units import Dimension


def verdict(unit: Dimension = Dimension.SHARE, **fields: Any) -> Verdict:
    numbers = {name: Decimal(value) for name, value in fields.items() if name in ("estimate", "lower", "upper")}
    plain: dict[str, Any] = dict(
        target="t", budget="b", verdict=Outcome.PASS, comparator="<", limit="20 MB", reason="", unit=unit.value
    )
    return Verdict(**(plain | fields | numbers))


@pytest.mark.parametrize(
    ("unit", "value", "text"),
    [
        (Dimension.BYTES, "12345", "12.3 kB"),
        (Dimension.BYTES, "999", "999 B"),
        (Dimension.BYTES, "20000000", "20.0 MB"),
        (Dimension.BYTES, "1500000000", "1.50 GB"),
        (Dimension.BYTES, "0", "0 B"),
        (Dimension.SHARE, "0.98449", "98.45 %"),
        (Dimension.SHARE, "1", "100.00 %"),
        (Dimension.SHARE, "-0.0001", "-0.01 %"),
        (Dimension.DROP, "0.0123", "1.23 pp"),
        (Dimension.CHANGE, "-0.05", "-5.00 pp"),
        (Dimension.TIME, "3.1049", "3.10 ms"),
        (Dimension.TIME, "0.04125", "41.2 us"),
        (Dimension.TIME, "0.412", "0.412 ms"),
        (Dimension.TIME, "1234.5", "1,234 ms"),
        (Dimension.ENERGY, "50", "50.0 mJ"),
        (Dimension.COUNT, "1234", "1,234"),
        (Dimension.NUMBER, "0.27", "0.2700"),
        (Dimension.FLAG, "1", "yes"),
        (Dimension.FLAG, "0", "no"),
        (Dimension.TIME, "0", "0 ms"),
    ],
)
def test_an_estimate_is_told_in_a_unit_that_suits_its_size(unit: Dimension, value: str, text: str) -> None:
    assert figures.estimate(verdict(unit, estimate=value)) == text


@pytest.mark.parametrize(
    ("unit", "bounds", "text"),
    [
        (Dimension.SHARE, {"lower": "0.79999", "upper": "0.90001"}, "79.99 to 90.01 %"),
        (Dimension.DROP, {"lower": "-0.00301", "upper": "0.007"}, "-0.31 to 0.70 pp"),
        (Dimension.TIME, {"lower": "3.0871", "upper": "3.1541"}, "3.08 to 3.16 ms"),
        (Dimension.TIME, {"lower": "3.0871"}, "at least 3.08 ms"),
        (Dimension.TIME, {"upper": "3.1541"}, "at most 3.16 ms"),
        (Dimension.TIME, {"lower": "0.00636", "upper": "0.137"}, "0.00636 to 0.137 ms"),
        (Dimension.BYTES, {"lower": "900", "upper": "1200"}, "0.900 to 1.20 kB"),
        (Dimension.SHARE, {}, "-"),
    ],
)
def test_bounds_are_rounded_outward_and_share_a_unit(unit: Dimension, bounds: dict[str, str], text: str) -> None:
    assert figures.interval(verdict(unit, **bounds)) == text


@pytest.mark.parametrize(
    ("unit", "numbers", "text"),
    [
        (Dimension.TIME, ("0.0824", "0.0358", "0.126"), ("82.4 us", "35.8 to 126 us")),
        (Dimension.TIME, ("0.11", "0.0958", "0.126"), ("0.110 ms", "0.0958 to 0.126 ms")),
        (Dimension.BYTES, ("900", "800", "1200"), ("900 B", "800 to 1,200 B")),
    ],
)
def test_an_estimate_and_its_bounds_share_a_unit(
    unit: Dimension, numbers: tuple[str, ...], text: tuple[str, str]
) -> None:
    shown = verdict(unit, **dict(zip(("estimate", "lower", "upper"), numbers, strict=True)))
    assert (figures.estimate(shown), figures.interval(shown)) == text


def test_absence_is_shown_as_such() -> None:
    nothing = verdict(verdict=Outcome.NOT_MEASURED)
    shown = figures.estimate(nothing), figures.interval(nothing), figures.support(nothing), figures.evidence(nothing)
    assert shown == ("-", "-", "-", "-")
    assert figures.outcome(nothing) == "not measured"


def test_a_waiver_does_not_hide_what_it_covers() -> None:
    assert figures.outcome(verdict(verdict=Outcome.WAIVED, waived=Outcome.NOT_MEASURED)) == "waived (not measured)"


def test_both_bands_are_shown() -> None:
    assert figures.limit(verdict(good="<= 1 MB")) == "< 20 MB (good <= 1 MB)"
    assert figures.limit(verdict()) == "< 20 MB"


def test_support_and_evidence() -> None:
    shown = verdict(n=1250, evidence=EvidenceClass.DEVICE)
    assert (figures.support(shown), figures.evidence(shown)) == ("1,250", "device")


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("é ≥ 3", "é ≥ 3"),
        ("two\nlines", "two\\nlines"),
        ("\x1b[2J", "\\x1b[2J"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\x9b", "\\x9b"),
    ],
)
def test_text_cannot_steer_a_terminal(text: str, safe: str) -> None:
    assert figures.plain(text) == safe
