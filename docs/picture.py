"""The README's picture: reports of `deployspec check` as one light SVG that asks nobody for a font or a script."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

from deployspec.ir.verdict import Outcome
from deployspec.report import figures
from deployspec.report.summary import Standing, confidence, headline, reasons
from deployspec.verify import read_unverified

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from deployspec.ir.report import Report, TargetReport
    from deployspec.ir.verdict import Verdict

WIDTH: Final = 850
LINE: Final = 21
MARGIN: Final = 28
COLUMN: Final = dict(budget=28, limit=190, estimate=350, interval=385, n=595, evidence=630, verdict=725)
"""Where each column begins; those of `RIGHT` end there."""

RIGHT: Final = frozenset({"estimate", "n"})
SHOWN_ALIKE: Final = 2
"""Of the classes of one budget that pass: the first and the weakest."""

COLOURS: Final = {
    Outcome.PASS: "#1a7f37",
    Outcome.WARN: "#9a6700",
    Outcome.FAIL: "#cf222e",
    Outcome.INCONCLUSIVE: "#8250df",
    Outcome.NOT_MEASURED: "#8250df",
    Outcome.WAIVED: "#9a6700",
}
STYLE: Final = (
    "text{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#1f2328}"
    ".d{fill:#656d76}.b{font-weight:700}"
)


@dataclass(frozen=True)
class Span:
    """Text that begins at `x`, or ends there; `tint` puts it on a tint of its colour."""

    x: int
    text: str
    style: str = ""
    colour: str = ""
    right: bool = False
    tint: bool = False

    def at(self, y: int) -> str:
        """Its SVG, on the line at `y`."""
        anchor = ' text-anchor="end"' * self.right
        style = f' class="{self.style}"' * bool(self.style) + f' style="fill:{self.colour}"' * bool(self.colour)
        text = escape(figures.plain(self.text))
        return f'{self._box(y)}<text x="{self.x}" y="{y}"{anchor}{style}>{text}</text>'

    def _box(self, y: int) -> str:
        if not self.tint:
            return ""
        size = f'x="{self.x - 7}" y="{y - 13}" width="{8 * len(self.text) + 14}" height="17" rx="8"'
        return f'<rect {size} fill="{self.colour}" fill-opacity=".12"/>'


@dataclass
class Canvas:
    """Lines of text from the top down."""

    y: int = 10
    drawn: str = ""

    def line(self, *spans: Span) -> None:
        """One line of spans."""
        self.y += LINE
        self.drawn += "".join(each.at(self.y) for each in spans) + "\n"

    def gap(self) -> None:
        """Half a line of nothing."""
        self.y += LINE // 2

    def rule(self) -> None:
        """A thin line across."""
        self.y += 8
        self.drawn += f'<path d="M{MARGIN} {self.y}H{WIDTH - MARGIN}" stroke="#d0d7de"/>\n'


def draw(paths: list[Path]) -> str:
    """The SVG of each report: its head, its other targets in a line, the table of its last one."""
    canvas = Canvas()
    for number, path in enumerate(paths):
        if number:
            canvas.gap()
            canvas.rule()
            canvas.gap()
        envelope, report = read_unverified(path.read_bytes())
        _report(canvas, report, Standing(signers=envelope.keyids, verified=True))
    height = canvas.y + 20
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'role="img" aria-label="Reports of deployspec check">\n<style>{STYLE}</style>\n'
        f'<rect x=".5" y=".5" width="{WIDTH - 1}" height="{height - 1}" rx="8" fill="#fff" stroke="#d0d7de"/>\n'
        f"{canvas.drawn}</svg>\n"
    )


def _report(canvas: Canvas, report: Report, standing: Standing) -> None:
    released = report.result.exit_code == 0
    canvas.line(Span(MARGIN, f"$ deployspec check {report.spec.name} --key release.pem", "d"))
    canvas.gap()
    canvas.line(Span(MARGIN, headline(report), "b", COLOURS[Outcome.PASS if released else Outcome.FAIL]))
    canvas.line(Span(MARGIN, f"{report.model} {report.model_version}, {report.checked_at}, {standing.line}", "d"))
    *others, last = report.targets
    for each in others:
        canvas.gap()
        outcomes = Counter(figures.outcome(verdict) for verdict in report.verdicts if verdict.target == each.name)
        _head(canvas, each, ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items()))
    canvas.gap()
    _head(canvas, last, confidence(last))
    _target(canvas, last, [verdict for verdict in report.verdicts if verdict.target == last.name])


def _head(canvas: Canvas, target: TargetReport, told: str) -> None:
    name = f"{target.name} ({target.format})"
    canvas.line(Span(MARGIN, name, "b"), Span(MARGIN + 8 * (len(name) + 2), told, "d"))


def _target(canvas: Canvas, target: TargetReport, verdicts: list[Verdict]) -> None:
    canvas.line(*(Span(x, name, "d", right=name in RIGHT) for name, x in COLUMN.items()))
    for cells in _rows(verdicts):
        canvas.line(*cells)
    for each in reasons(target, verdicts):
        canvas.gap()
        why = Span(MARGIN + 8 * (len(each.said) + 2), each.why)
        canvas.line(Span(MARGIN, each.said, "b", COLOURS[each.outcome]), why)


def _rows(verdicts: list[Verdict]) -> Iterator[list[Span]]:
    """A row for each verdict; of classes that all pass, the first, how many more, and the weakest."""
    for each in verdicts:
        alike = [other for other in verdicts if _alike(each, other)]
        weakest = min(alike, key=lambda other: other.lower or 0)
        if each in (alike[0], weakest):
            yield _row(each)
        elif each is alike[1]:
            yield [Span(COLUMN["budget"], f"… {len(alike) - SHOWN_ALIKE} more classes, which pass too", "d")]


def _alike(one: Verdict, other: Verdict) -> bool:
    metric, _, label = one.budget.partition(".")
    same = label and other.budget.startswith(f"{metric}.") and other.verdict is one.verdict is Outcome.PASS
    return bool(same) or one is other


def _row(verdict: Verdict) -> list[Span]:
    cells = {
        "budget": verdict.budget,
        "limit": figures.limit(verdict),
        "estimate": figures.estimate(verdict),
        "interval": figures.interval(verdict),
        "n": figures.support(verdict),
        "evidence": figures.evidence(verdict),
    }
    drawn = [Span(COLUMN[name], text, right=name in RIGHT) for name, text in cells.items()]
    said = Span(COLUMN["verdict"], figures.outcome(verdict), "b", COLOURS[verdict.verdict], tint=True)
    return [*drawn, said]
