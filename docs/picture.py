"""The README's picture: reports of `deployspec check` as one light SVG without fonts, scripts or requests of its own."""

from __future__ import annotations

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
COLUMNS: Final = {"budget": 28, "limit": 190, "estimate": 350, "interval": 385, "n": 595, "evidence": 630, "verdict": 725}
"""Where each column begins; `estimate` and `n` end there."""

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
    "text{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#1f2328;white-space:pre}"
    ".d{fill:#656d76}.b{font-weight:700}"
)


@dataclass
class Canvas:
    """Lines of text from the top down."""

    y: int = 10
    drawn: str = ""

    def line(self, *spans: str) -> None:
        """One line of spans."""
        self.y += LINE
        self.drawn += "".join(span.replace("@y", str(self.y)).replace("@top", str(self.y - 13)) for span in spans) + "\n"

    def gap(self) -> None:
        """Half a line of nothing."""
        self.y += LINE // 2

    def rule(self) -> None:
        """A thin line across."""
        self.y += 8
        self.drawn += f'<path d="M{MARGIN} {self.y}H{WIDTH - MARGIN}" stroke="#d0d7de"/>\n'


def badge(x: int, text: str, colour: str) -> str:
    """Bold text on a tint of its colour."""
    box = f'<rect x="{x - 7}" y="@top" width="{8 * len(text) + 14}" height="17" rx="8" fill="{colour}" fill-opacity=".12"/>'
    return box + span(x, text, "b", colour)


def span(x: int, text: str, style: str = "", colour: str = "", *, right: bool = False) -> str:
    """Text that begins (or ends) at x."""
    attributes = f' class="{style}"' * bool(style) + f' style="fill:{colour}"' * bool(colour)
    anchor = ' text-anchor="end"' * right
    return f'<text x="{x}" y="@y"{anchor}{attributes}>{escape(figures.plain(text))}</text>'


def draw(paths: list[Path]) -> str:
    """The SVG of each report's head and of its last target."""
    canvas = Canvas()
    for number, path in enumerate(paths):
        if number:
            canvas.gap()
            canvas.rule()
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
    canvas.line(span(MARGIN, f"$ deployspec check {report.spec.name} --key release.pem", "d"))
    canvas.gap()
    canvas.line(span(MARGIN, headline(report), "b", COLOURS[Outcome.PASS if released else Outcome.FAIL]))
    canvas.line(span(MARGIN, f"{report.model} {report.model_version}, {report.checked_at}, {standing.line}", "d"))
    _target(canvas, report, report.targets[-1])


def _target(canvas: Canvas, report: Report, target: TargetReport) -> None:
    verdicts = [each for each in report.verdicts if each.target == target.name]
    canvas.gap()
    head = f"{target.name} ({target.format})"
    canvas.line(span(MARGIN, head, "b"), span(MARGIN + 8 * (len(head) + 2), confidence(target), "d"))
    canvas.line(*(span(x, name, "d", right=name in RIGHT) for name, x in COLUMNS.items()))
    for cells in _rows(verdicts):
        canvas.line(*cells)
    for each in reasons(verdicts):
        canvas.gap()
        for text in each.reason.split("; "):
            canvas.line(span(MARGIN + 16, text))


def _rows(verdicts: list[Verdict]) -> Iterator[list[str]]:
    """A row for each verdict; of classes that all pass, the first, how many more, and the weakest."""
    for each in verdicts:
        alike = [other for other in verdicts if _alike(each, other)]
        weakest = min(alike, key=lambda other: other.lower or 0)
        if each in (alike[0], weakest):
            yield _row(each)
        elif each is alike[1]:
            yield [span(COLUMNS["budget"], f"… {len(alike) - SHOWN_ALIKE} more classes, which pass too", "d")]


def _alike(one: Verdict, other: Verdict) -> bool:
    metric, _, label = one.budget.partition(".")
    same = label and other.budget.startswith(f"{metric}.") and other.verdict is one.verdict is Outcome.PASS
    return bool(same) or one is other


def _row(verdict: Verdict) -> list[str]:
    cells = {
        "budget": verdict.budget,
        "limit": figures.limit(verdict),
        "estimate": figures.estimate(verdict),
        "interval": figures.interval(verdict),
        "n": figures.support(verdict),
        "evidence": figures.evidence(verdict),
    }
    drawn = [span(COLUMNS[name], text, right=name in RIGHT) for name, text in cells.items()]
    return [*drawn, badge(COLUMNS["verdict"], figures.outcome(verdict), COLOURS[verdict.verdict])]
