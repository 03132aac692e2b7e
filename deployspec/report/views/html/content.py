"""What the page shows, in its order: the report's values with the pictures and words that stand for them."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Final

from deployspec.ir.evidence import Classified, Count, EvidenceClass, Multilabel, Operators, Processes, Share, Stability
from deployspec.ir.verdict import Outcome
from deployspec.report.anatomy import anatomy
from deployspec.report.confusions import confusions
from deployspec.report.deviation import deviation
from deployspec.report.rows import Row, rows
from deployspec.report.summary import Reason, confidence, reasons, weightiest_first
from deployspec.report.views.html import pictures
from deployspec.report.views.html.bars import Bar, bars
from deployspec.report.views.html.classes import Decisions, decisions
from deployspec.report.views.html.parts import Part, parts
from deployspec.report.views.html.timings import Strip, strips

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from decimal import Decimal

    from markupsafe import Markup

    from deployspec.ir.evidence import Check, Measurement
    from deployspec.ir.report import Report, StepRecord, TargetReport
    from deployspec.ir.verdict import Waiver

_MEGA: Final = 1e6

_SECONDS: Final = re.compile(r"\d{1,9}(\.\d{1,9})?", re.ASCII)
_OF_DATA: Final = ("leakage", "near_duplicates", "drift_psi", "split_uses")

_WARM: Final = ("latency.p95", "latency.p50", "latency.p90", "latency.p99")
"""The figure that stands for a target's latency: the first that every timed target has."""


@dataclass(frozen=True, kw_only=True)
class BudgetView:
    """One budget's row and its picture."""

    row: Row
    bar: Bar | None


@dataclass(frozen=True, kw_only=True)
class Compared:
    """What targets are compared by; None for what is not known. `right` is a share of the same samples."""

    size_bytes: Decimal | None
    latency_ms: tuple[Decimal, ...]
    right: float | None
    agreement: float | None


@dataclass(frozen=True, kw_only=True)
class TargetView:
    """One target, with all that the page says of it."""

    number: int
    report: TargetReport
    tally: tuple[tuple[Outcome, int], ...]
    confidence: str
    anatomy: str
    deviation: str
    budgets: tuple[BudgetView, ...]
    reasons: tuple[Reason, ...]
    card: tuple[Reason, ...]
    """The same as its card tells them, the weightiest first."""
    confusions: tuple[str, ...]
    compared: Compared
    decisions: tuple[Decisions, ...]
    strips: tuple[Strip, ...]
    promises: tuple[Check, ...]
    parts: tuple[Part, ...]
    operators: tuple[tuple[str, int], ...]
    measurements: tuple[Measurement, ...]

    @property
    def released(self) -> bool:
        """Whether this target alone would be released."""
        return self.report.artifact is not None and all(outcome.releases for outcome, _ in self.tally)


@dataclass(frozen=True, kw_only=True)
class Picture:
    """An SVG of ours, its heading and what it says in words."""

    svg: Markup
    heading: str
    caption: str


@dataclass(frozen=True, kw_only=True)
class StepView:
    """A step as it ran; `seconds` if it ran, and its share of the slowest step's."""

    record: StepRecord
    seconds: float | None
    share: float


@dataclass(frozen=True, kw_only=True)
class WaiverView:
    """A waiver and what became of it: used, unused or expired."""

    waiver: Waiver
    state: str


def targets(report: Report) -> tuple[TargetView, ...]:
    """Every target, in the report's order."""
    return tuple(_target(report, target, number) for number, target in enumerate(report.targets, start=1))


def latency_name(report: Report) -> str:
    """The percentile that targets are compared by: one that all timed targets have; empty if none was timed."""
    timed: dict[str, set[str]] = {}
    for each in report.measurements:
        if isinstance(each.statistic, Processes) and not each.variant:
            timed.setdefault(each.name, set()).add(each.target)
    most = max((len(found) for name, found in timed.items() if name in _WARM), default=0)
    return next((name for name in _WARM if most and len(timed.get(name, ())) == most), "")


def compare(views: Sequence[TargetView], latency: str) -> tuple[Picture, ...]:
    """What several targets cost for what they are worth, and how their processes differ; nothing for a single one."""
    return tuple(_pictures(views, latency.removeprefix("latency."))) if len(views) > 1 else ()


def evidence_classes(report: Report) -> tuple[EvidenceClass, ...]:
    """The classes that the report names, best first."""
    named = {each.evidence for each in report.measurements}
    return tuple(each for each in EvidenceClass if each in named)


def steps(report: Report) -> tuple[StepView, ...]:
    """Every step, in the plan's order."""
    seconds = [_seconds(each) for each in report.steps]
    slowest = max((each for each in seconds if each), default=1.0)
    return tuple(
        StepView(record=record, seconds=took, share=(took or 0.0) / slowest)
        for record, took in zip(report.steps, seconds, strict=True)
    )


def _seconds(step: StepRecord) -> float | None:
    """What a step that ran took; None for a step that did not, and for a text that is no time."""
    plain = step.result == "built" and _SECONDS.fullmatch(step.seconds)
    return float(step.seconds) if plain else None


def hygiene(report: Report) -> tuple[Measurement, ...]:
    """What was found of the data itself, which is alike for every target: each figure of each split once."""
    found = {(each.name, each.split): each for each in reversed(report.measurements) if each.name in _OF_DATA}
    return tuple(found[key] for key in sorted(found, key=lambda key: (_OF_DATA.index(key[0]), key[1])))


def waivers(report: Report) -> tuple[WaiverView, ...]:
    """Every waiver of the spec."""
    used = {(each.target, each.budget) for each in report.verdicts if each.verdict is Outcome.WAIVED}
    return tuple(WaiverView(waiver=each, state=_state(each, used, report.checked_at)) for each in report.waivers)


def _state(waiver: Waiver, used: set[tuple[str, str]], checked_at: str) -> str:
    if waiver.expires.isoformat() < checked_at[:10]:
        return "expired"
    return "used" if (waiver.target, waiver.budget) in used else "unused"


def _target(report: Report, target: TargetReport, number: int) -> TargetView:
    verdicts = [each for each in report.verdicts if each.target == target.name]
    measured = [each for each in report.measurements if each.target == target.name]
    counts = Counter(each.verdict for each in verdicts)
    judged, told = rows(report, target), tuple(reasons(target, verdicts))
    return TargetView(
        number=number,
        report=target,
        tally=tuple((outcome, counts[outcome]) for outcome in Outcome if counts[outcome]),
        confidence=confidence(target),
        anatomy=anatomy(report, target.name),
        deviation=deviation(report, target),
        budgets=tuple(BudgetView(row=row, bar=drawn) for row, drawn in zip(judged, bars(judged), strict=True)),
        reasons=told,
        card=tuple(weightiest_first(report, told)),
        confusions=confusions(report, target),
        compared=_compared(measured, latency_name(report)),
        decisions=tuple(_decisions(measured)),
        strips=strips(measured),
        promises=tuple(_promises(measured)),
        parts=parts(measured),
        operators=next((each.statistic.counts for each in measured if isinstance(each.statistic, Operators)), ()),
        measurements=tuple(measured),
    )


def _decisions(measured: Sequence[Measurement]) -> Iterator[Decisions]:
    """Each table once, however many ways of running the artifact led to it."""
    alike: dict[tuple[str, Classified | Multilabel], list[Measurement]] = {}
    for each in measured:
        if isinstance(each.statistic, Classified | Multilabel) and not each.variant and each.statistic.n:
            alike.setdefault((each.split, each.statistic), []).append(each)
    yield from (decisions(group, table) for (_, table), group in alike.items())


def _promises(measured: Sequence[Measurement]) -> Iterator[Check]:
    for each in measured:
        if isinstance(each.statistic, Stability):
            yield from each.statistic.checks


def _compared(measured: Sequence[Measurement], latency: str) -> Compared:
    known = {name: each.statistic for name, each in _best(measured).items()}
    size, timed = known.get("size"), known.get(latency)
    quality, agreement = known.get("quality"), known.get("agreement")
    right = sum(quality.confusion[i][i] for i in range(len(quality.labels))) if isinstance(quality, Classified) else 0
    return Compared(
        size_bytes=size.value if isinstance(size, Count) else None,
        latency_ms=timed.values if isinstance(timed, Processes) else (),
        right=right / quality.n if isinstance(quality, Classified) and quality.n else None,
        agreement=agreement.hits / agreement.n if isinstance(agreement, Share) and agreement.n else None,
    )


def _best(measured: Sequence[Measurement]) -> dict[str, Measurement]:
    """Each figure that is not of the field, by its name: of several the first of the best class of evidence."""
    best: dict[str, Measurement] = {}
    for each in measured:
        if each.split == "field" or each.variant:
            continue
        if each.name not in best or not best[each.name].evidence.reaches(each.evidence):
            best[each.name] = each
    return best


def _pictures(views: Sequence[TargetView], latency: str) -> Iterator[Picture]:
    label = "accuracy" if any(each.compared.right is not None for each in views) else "agreement"
    worth = {each.number: each.compared.right if label == "accuracy" else each.compared.agreement for each in views}
    sizes = {each.number: float(each.compared.size_bytes or 0) / _MEGA for each in views}
    times = {each.number: _median(each.compared.latency_ms) for each in views}
    for costs, x_label, name, short in (
        (sizes, "size in MB", "size", "smaller"),
        (times, f"latency {latency} in ms", "latency", "faster"),
    ):
        points = _points(costs, worth)
        if len(points) > 1:
            yield Picture(
                svg=pictures.scatter(points, x_label, label, f"by-{name}"),
                heading=f"{label} against {name}".capitalize(),
                caption=f"Higher is better, further left {short}.",
            )
    timed = [
        pictures.Row(each.number, tuple(map(float, each.compared.latency_ms))) for each in views if times[each.number]
    ]
    if timed:
        yield Picture(
            svg=pictures.processes(timed, f"latency {latency} in ms", "by-process"),
            heading="Latency over processes",
            caption="A dot is a fresh process, the stroke the median.",
        )


def _points(costs: Mapping[int, float], worth: Mapping[int, float | None]) -> list[pictures.Point]:
    """The targets of which both figures are known."""
    return [
        pictures.Point(number, costs[number], share)
        for number, share in worth.items()
        if share is not None and costs[number] > 0
    ]


def _median(values: Sequence[Decimal]) -> float:
    """The median of positive times; 0 when there are none."""
    return float(median(values)) if values and min(values) > 0 else 0.0
