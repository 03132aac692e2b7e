"""What the page's pictures and tables are drawn from."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_evidence import scores, table
from sample_reports import budget, judged, many, measured, passing

from deployspec.ir.evidence import Count, EvidenceClass, Operators, Processes, Share
from deployspec.ir.report import StepRecord
from deployspec.ir.verdict import Outcome, Verdict
from deployspec.report.rows import Row
from deployspec.report.views.html import content, costs, pictures
from deployspec.report.views.html.bars import Bar, Span, bars
from deployspec.report.views.html.classes import Decisions, decisions
from deployspec.report.views.html.measured import in_words
from deployspec.report.views.html.parts import parts
from deployspec.report.views.html.timings import strips

if TYPE_CHECKING:
    from deployspec.ir.budget import Budget
    from deployspec.ir.evidence import Classified, Measurement
    from deployspec.report.views.html.content import TargetView


def row(
    name: str,
    limit: str,
    estimate: str | None,
    lower: str | None = None,
    upper: str | None = None,
    *,
    label: str | None = None,
    outcome: Outcome = Outcome.PASS,
) -> Row:
    asked = budget(name, limit, label=label)
    known = [None if each is None else Decimal(each) for each in (estimate, lower, upper)]
    verdict = Verdict(
        target="phone", budget=asked.name, verdict=outcome, comparator=asked.limit.comparator, limit=limit,
        unit=asked.dimension, reason="", estimate=known[0], lower=known[1], upper=known[2],
    )  # fmt: skip
    return Row(verdict=verdict, budget=asked, reference="-")


def drawn(*rows: Row) -> list[Bar]:
    return [each for each in bars(rows) if each is not None]


def test_a_proven_floor_has_its_interval_right_of_what_is_forbidden() -> None:
    (bar,) = drawn(row("accuracy", ">= 90 %", "0.98", "0.97", "0.99"))
    assert bar.interval is not None
    assert bar.forbidden.start == 0
    assert bar.forbidden.end == bar.limit < bar.interval.start < bar.estimate < bar.interval.end


def test_a_broken_ceiling_lies_in_what_is_forbidden() -> None:
    (bar,) = drawn(row("latency_p95", "< 100 ms", "800", "790", "810"))
    assert bar.forbidden == Span(bar.limit, 100)
    assert bar.interval is not None
    assert bar.limit < bar.interval.start


def test_sizes_and_times_begin_at_zero() -> None:
    (bar,) = drawn(row("size", "< 20 MB", "10000000"))
    assert bar.interval is None
    assert bar.estimate == pytest.approx(bar.limit / 2, abs=0.01)


def test_an_interval_that_is_open_runs_to_the_end() -> None:
    at_least, nothing = drawn(
        row("accuracy", ">= 90 %", "0.98", lower="0.97"),
        row("recall", ">= 90 %", "1", label="a", outcome=Outcome.INCONCLUSIVE),
    )
    assert at_least.interval is not None
    assert at_least.interval.end == 100
    assert nothing.interval == Span(0, 100)


def test_classes_share_a_scale() -> None:
    one, other = drawn(row("recall", ">= 80 %", "0.99", label="a"), row("recall", ">= 80 %", "0.2", label="b"))
    assert one.limit == other.limit
    assert other.estimate < other.limit < one.estimate


def test_what_has_no_figure_or_no_scale_has_no_bar() -> None:
    stable = row("stable", "> 0", "1")
    assert bars([row("accuracy", ">= 90 %", None), stable]) == [None, None]


@given(*[st.decimals(-10, 10, places=4)] * 3)
def test_nothing_is_drawn_outside_and_bounds_stay_in_order(one: Decimal, two: Decimal, three: Decimal) -> None:
    low, middle, high = sorted((one, two, three))
    for name, limit in (("accuracy", ">= 90 %"), ("accuracy_drop", "< 2 pp"), ("latency_p50", "< 1 ms")):
        (bar,) = drawn(row(name, limit, str(middle), str(low), str(high)))
        assert bar.interval is not None
        places = (0, bar.interval.start, bar.estimate, bar.interval.end, 100)
        assert list(places) == sorted(places)
        assert 0 <= bar.limit <= 100


def decisions_of(found: Classified) -> Decisions:
    return decisions([measured("t", "quality", found)], found)


def test_a_small_matrix_is_whole_and_its_rows_say_what_was_found_and_called() -> None:
    shown = decisions_of(table([[8, 2], [1, 9]], "ab"))
    assert [[cell.count for cell in row] for row in shown.matrix] == [[8, 2], [1, 9]]
    assert [(each.found, each.support, each.called) for each in shown.rows] == [(8, 10, 9), (9, 10, 11)]
    assert (shown.right, shown.left_out, shown.mixups) == ((17, 17), 0, ())
    assert [cell.level for cell in shown.matrix[0]] == [8, 2]


def test_of_a_large_matrix_the_weakest_classes_and_the_worst_mixups_are_shown() -> None:
    size = 20
    matrix = [
        [100 - 4 * i if i == j else 4 * i if j == (i + 1) % size else 0 for j in range(size)] for i in range(size)
    ]
    shown = decisions_of(table(matrix, [f"c{i}" for i in range(size)]))
    assert shown.matrix == ()
    assert [each.label for each in shown.rows[:2]] == ["c19", "c18"]
    assert (len(shown.rows), shown.left_out) == (12, 8)
    first = shown.mixups[0]
    assert (first.actual, first.called, first.count, first.support) == ("c19", "c0", 76, 100)


def test_a_class_without_samples_has_no_recall_and_is_not_the_weakest() -> None:
    rows = [[1 if i == j else 0 for j in range(13)] for i in range(13)]
    rows[3][3] = 0
    shown = decisions_of(table(rows, [str(i) for i in range(13)]))
    assert "3" not in [each.label for each in shown.rows]


def test_percentiles_of_a_call_share_one_scale_and_others_have_their_own() -> None:
    def processes(name: str, *values: str, contended: tuple[bool, ...] = ()) -> Measurement:
        return measured("t", name, Processes(values=tuple(map(Decimal, values)), calls=100, contended=contended))

    p50, p95, load = strips([
        processes("latency.p50", "1", "1.1", contended=(False, True)),
        processes("latency.p95", "2", "2.2"),
        processes("load", "2", "2.2"),
    ])  # fmt: skip
    assert p50.dots[1].x < p95.dots[0].x
    assert load.dots[0].x < p95.dots[0].x
    assert (p50.middle, p50.span, p50.disturbed) == ("1.05 ms", "1.00 to 1.10 ms", 1)
    assert [each.disturbed for each in p50.dots] == [False, True]


def test_measurements_in_words() -> None:
    assert in_words("size", Count(value=Decimal(12_345))) == "12.3 kB"
    assert in_words("parameters", Count(value=Decimal(13_898))) == "13,898"
    assert in_words("operators", Operators(counts=(("ADD", 2), ("MUL", 1)))) == "3 operators"


def test_the_parts_of_a_file_are_its_weights_and_the_rest() -> None:
    def size(name: str, value: int) -> Measurement:
        return measured("t", name, Count(value=Decimal(value)), EvidenceClass.STATIC)

    weights = size("weights.float32", 300), size("weights.int8", 600)
    shown = parts([size("size", 1200), *weights])
    assert [(each.name, each.size_bytes, each.share) for each in shown] == [
        ("weights, int8", 600, 1.0),
        ("weights, float32", 300, 0.5),
        ("graph, code and names", 300, 0.5),
    ]
    assert [each.name for each in parts([size("size", 800), *weights])] == ["weights, int8", "weights, float32"]
    assert parts([size("size", 800)]) == ()


def test_targets_are_compared_by_the_percentile_that_most_of_them_have() -> None:
    report = many(3, classes=2)
    assert content.latency_name(report) == "latency.p95"
    fewer = tuple(each for each in report.measurements if (each.target, each.name) != ("target-0", "latency.p95"))
    assert content.latency_name(replace(report, measurements=fewer)) == "latency.p50"
    assert content.latency_name(replace(report, measurements=())) == ""


def test_steps_say_what_took_how_long_and_no_text_passes_for_a_time() -> None:
    def step(name: str, result: str, seconds: str) -> StepRecord:
        return StepRecord(id=name, takes=(), gives="", result=result, seconds=seconds)

    records = (
        step("a", "built", "2.0"),
        step("b", "built", "0.5"),
        step("c", "cached", "9"),
        step("d", "built", "nan"),
    )
    shown = content.steps(replace(passing(), steps=records))
    assert [(each.seconds, each.share) for each in shown] == [(2.0, 1.0), (0.5, 0.25), (None, 0.0), (None, 0.0)]


def test_pictures_have_no_inline_style_and_name_targets_by_number() -> None:
    points = [pictures.Point(1, 2.0, 0.9), pictures.Point(2, 2.0, 0.9), pictures.Point(3, 40.0, 0.8)]
    svg = pictures.scatter(points, "size in MB", "accuracy", "by-size")
    root = ElementTree.fromstring(svg)
    assert not [node for node in root.iter() if "style" in node.attrib or node.tag.endswith("style")]
    texts = [node.text for node in root.iter() if node.tag.endswith("text")]
    assert {"1, 2", "3", "size in MB", "accuracy"} <= set(texts)
    assert pictures.scatter(points, "size in MB", "accuracy", "by-size") == svg


def test_every_process_is_a_dot() -> None:
    svg = pictures.processes([pictures.Row(1, (3.0, 3.1, 3.2)), pictures.Row(2, (9.0,))], "ms", "by-process")
    marks = [node for node in ElementTree.fromstring(svg).iter() if node.tag.endswith("use")]
    assert len([each for each in marks if each.get("fill") == pictures.ACCENT]) == 4


def test_a_table_that_several_ways_led_to_is_shown_once() -> None:
    report = passing()
    (first, *_) = [each for each in report.measurements if each.name == "quality"]
    found = (*report.measurements, replace(first, runtime="another"))
    (server, android) = content.targets(replace(report, measurements=found))
    assert [each.source for each in server.decisions] == ["host, torch 2.13.0, and as another run gave it"]
    assert [each.source for each in android.decisions] == ["host, torch 2.13.0"]


def test_a_claim_is_not_compared_where_there_is_proof() -> None:
    report = passing()
    claims = [
        measured("server", "size", Count(value=Decimal(1)), EvidenceClass.CLAIMED),
        replace(measured("server", "agreement", Share(hits=1, n=700), EvidenceClass.CLAIMED), split="test"),
    ]
    for found in ((*report.measurements, *claims), (*claims, *report.measurements)):
        (server, _) = content.targets(replace(report, measurements=found))
        assert server.compared.size_bytes == 12_345
        assert server.compared.agreement == 699 / 700


def of_values(*asked: Budget) -> tuple[TargetView, ...]:
    """Two targets whose answers are values, with these budgets; only the second was measured."""
    errors = measured("android", "absolute_error", scores([1.0, 2.0, 3.0] * 9))
    found = (
        *(replace(errors, split=split) for split in ("test", "field")),
        measured("android", "size", Count(value=Decimal(12_345)), EvidenceClass.STATIC),
    )
    told = tuple(replace(each, budgets=asked) for each in passing().targets)
    return content.targets(judged(replace(passing(), targets=told, measurements=found)))


def test_what_costs_are_compared_by_is_what_at_least_one_target_has() -> None:
    rise, error, field = budget("mae_rise", "< 5 %"), budget("mae", "< 5"), replace(budget("mae", "< 4"), on_field=True)
    views = of_values(budget("size", "< 1 MB"), rise, field, error)
    assert costs.columns(views, "") == (costs.Column("size", ("–", "12.3 kB")), costs.Column("mae", ("–", "2.000")))
    unasked = tuple(replace(each, budgets=()) for each in passing().targets)
    decided = content.targets(replace(passing(), targets=unasked))
    assert [each.heading for each in costs.columns(decided, "latency.p95")] == [
        "size",
        "latency p95",
        "accuracy",
        "agreement",
    ]
    assert [each.heading for each in costs.columns(of_values(rise), "")] == ["size"]


def test_figures_of_the_field_are_not_compared() -> None:
    report = passing()
    field = replace(measured("server", "size", Count(value=Decimal(1)), EvidenceClass.STATIC), split="field")
    shown = content.targets(replace(report, measurements=(*report.measurements, field)))
    assert shown[0].compared.size_bytes == 12_345
