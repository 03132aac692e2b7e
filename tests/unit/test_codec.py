"""The codec: what is written is read back the same, and nothing else is read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from sample_reports import WAIVER, failing, passing, unmeasured

from deployspec.ir import codec
from deployspec.ir.evidence import Count, EvidenceClass, Measurement, Share
from deployspec.ir.report import Report
from deployspec.ir.verdict import Waiver


@dataclass(frozen=True)
class Every:
    """One field of each kind that values have."""

    whole_number: int
    exact: Decimal
    flag: bool
    day: date
    kind: EvidenceClass
    pairs: tuple[tuple[str, int], ...]
    maybe: Decimal | None
    by_name: dict[str, EvidenceClass]


EVERY = Every(
    3, Decimal("0.10"), True, date(2026, 3, 1), EvidenceClass.HOST, (("a", 1),), None, {"x": EvidenceClass.DEVICE}
)
AS_JSON = {
    "wholeNumber": 3,
    "exact": "0.10",
    "flag": True,
    "day": "2026-03-01",
    "kind": "host",
    "pairs": [["a", 1]],
    "maybe": None,
    "byName": {"x": "device"},
}


def test_every_kind_of_field_has_one_form_and_comes_back_from_it() -> None:
    assert codec.encode(EVERY) == AS_JSON
    assert codec.decode(Every, AS_JSON) == EVERY


@pytest.mark.parametrize("report", [passing(), failing(), unmeasured(), unmeasured((WAIVER,))])
def test_reports_come_back_as_they_were(report: Report) -> None:
    text = json.dumps(codec.encode(report), allow_nan=False)
    assert codec.decode(Report, json.loads(text)) == report
    assert "." not in [token for token in text.split() if token.replace(".", "").isdigit()]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("wholeNumber", "3", "wholeNumber: expected int"),
        ("wholeNumber", True, "wholeNumber: expected int"),
        ("wholeNumber", 3.0, "wholeNumber: expected int"),
        ("flag", 1, "flag: expected bool"),
        ("exact", 0.1, "exact: expected a decimal string"),
        ("exact", "1e5", "exact: expected a decimal string"),
        ("exact", "1E+999999999", "exact: expected a decimal string"),
        ("exact", "NaN", "exact: expected a decimal string"),
        ("exact", "Infinity", "exact: expected a decimal string"),
        ("exact", "1_000", "exact: expected a decimal string"),
        ("exact", " 1", "exact: expected a decimal string"),
        ("exact", "1\n", "exact: expected a decimal string"),
        ("exact", "٣", "exact: expected a decimal string"),
        ("exact", "1" * 61, "exact: expected a decimal string"),
        ("day", "20260301", "day: expected a day as YYYY-MM-DD"),
        ("day", "2026-02-30", "day: '2026-02-30' is not a day as YYYY-MM-DD"),
        ("day", 20260301, "day: expected date"),
        ("kind", "Host", "kind: 'Host' is not one of device, "),
        ("kind", None, "kind: expected EvidenceClass"),
        ("pairs", [["a"]], r"pairs\[0\]: expected 2 items"),
        ("pairs", [["a", "1"]], r"pairs\[0\]\[1\]: expected int"),
        ("pairs", {"a": 1}, "pairs: expected an array"),
        ("maybe", "x", "maybe: expected a decimal string"),
        ("byName", {"x": "\x1b[2J"}, r"byName\['x'\]: '\\x1b\[2J' is not one of device, "),
        ("byName", [], "byName: expected an object"),
    ],
)
def test_nothing_is_coerced(field: str, value: Any, message: str) -> None:
    with pytest.raises(codec.CodecError, match=message):
        codec.decode(Every, AS_JSON | {field: value})


def test_fields_are_exactly_those_of_the_type() -> None:
    with pytest.raises(codec.CodecError, match=r"no field \['extra'\]"):
        codec.decode(Every, AS_JSON | {"extra": 1})
    with pytest.raises(codec.CodecError, match=r"the field \['flag'\]"):
        codec.decode(Every, {key: value for key, value in AS_JSON.items() if key != "flag"})
    with pytest.raises(codec.CodecError, match="the document: expected an object"):
        codec.decode(Every, [])


class TestUnions:
    MEASUREMENT = Measurement(
        target="t", name="agreement", statistic=Share(hits=3, n=4), evidence=EvidenceClass.HOST, split="test"
    )

    def test_a_member_carries_its_kind(self) -> None:
        encoded = codec.encode(self.MEASUREMENT)
        assert encoded["statistic"] == {"kind": "share", "hits": 3, "n": 4}
        assert codec.decode(Measurement, encoded) == self.MEASUREMENT

    @pytest.mark.parametrize(
        ("statistic", "message"),
        [
            ({"kind": "guess", "hits": 3, "n": 4}, "statistic.kind: expected one of count, reduction, share"),
            ({"hits": 3, "n": 4}, "statistic.kind: expected one of"),
            ({"kind": "count", "hits": 3, "n": 4}, r"statistic: expected no field \['hits', 'n'\]"),
            (None, "statistic: expected an object"),
            ("share", "statistic: expected an object"),
        ],
    )
    def test_another_kind_is_refused(self, statistic: Any, message: str) -> None:
        with pytest.raises(codec.CodecError, match=message):
            codec.decode(Measurement, codec.encode(self.MEASUREMENT) | {"statistic": statistic})


@pytest.mark.parametrize(
    "value", [Decimal("NaN"), Decimal("Infinity"), Decimal("1E+999999999"), Decimal("1E-61"), Decimal(10) ** 60, 2**53]
)
def test_numbers_that_would_not_be_read_are_not_written(value: Decimal | int) -> None:
    with pytest.raises(ValueError, match=r"readers round|digits on one side"):
        codec.encode(value)


@pytest.mark.parametrize("value", [0.5, b"x", object(), {1, 2}])
def test_foreign_types_are_not_written(value: object) -> None:
    with pytest.raises(TypeError, match="cannot encode"):
        codec.encode(value)


def test_large_exponents_are_written_out() -> None:
    assert codec.encode(Count(value=Decimal("2E+7"))) == {"kind": "count", "value": "20000000"}


def test_a_waiver_names_its_day() -> None:
    assert codec.encode(WAIVER)["expires"] == "2026-03-31"
    assert codec.decode(Waiver, codec.encode(WAIVER)) == WAIVER
