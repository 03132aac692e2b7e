"""The report on a terminal: readable without colour, and stacked where the terminal is narrow."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from deployspec.ir.verdict import Outcome
from deployspec.report import figures
from deployspec.report.anatomy import anatomy
from deployspec.report.figures import counted, plain
from deployspec.report.summary import Standing, confidence, facts, headline, overview, reasons, waiver_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from deployspec.ir.report import Report, TargetReport
    from deployspec.ir.verdict import Verdict

WIDE: Final = 90
"""Columns from which a table is easier to read than a list."""

_STYLES: Final = {
    Outcome.PASS: "green",
    Outcome.WARN: "yellow",
    Outcome.FAIL: "bold red",
    Outcome.INCONCLUSIVE: "magenta",
    Outcome.NOT_MEASURED: "magenta",
    Outcome.WAIVED: "yellow",
}


def render(report: Report, standing: Standing, *, width: int = 100, colour: bool = False) -> str:
    """The whole view, lines of at most `width` columns wherever words can be broken."""
    out = StringIO()
    console = Console(
        file=out, width=width, force_terminal=colour, color_system="standard" if colour else None,
        highlight=False, markup=False, emoji=False, legacy_windows=False,
    )  # fmt: skip
    _head(console, report, standing)
    _overview(console, report)
    for target in report.targets:
        verdicts = [each for each in report.verdicts if each.target == target.name]
        _target(console, target, verdicts, anatomy(report, target.name))
    _lines(console, "Findings", report.findings)
    _lines(console, "Waivers", waiver_lines(report))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _head(console: Console, report: Report, standing: Standing) -> None:
    released = report.result.exit_code == 0
    console.print(Text(headline(report), style="bold green" if released else "bold red"))
    console.print(Text(standing.line, style="" if standing.signers else "bold yellow"))
    for name, value in facts(report):
        console.print(Text(f"{name}: {plain(value)}", style="dim"))


def _overview(console: Console, report: Report) -> None:
    rows = overview(report)
    if rows:
        console.print()
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
        for row in rows:
            table.add_row(*(Text(plain(cell)) for cell in row))
        console.print(table)


def _target(console: Console, target: TargetReport, verdicts: Sequence[Verdict], contents: str) -> None:
    console.print()
    console.print(Text(plain(f"{target.name} ({target.format})"), style="bold"), Text(confidence(target), style="dim"))
    if target.artifact:
        console.print(Text(plain(f"{target.artifact.name} sha256:{target.artifact.sha256}"), style="dim"))
        if contents:
            console.print(Text(plain(contents), style="dim"))
        console.print(_table(verdicts) if console.width >= WIDE else _list(verdicts))
    else:
        console.print(Text(plain(f"not built: {target.failure}"), style="bold red"))
        console.print(Text(f"so {counted(len(verdicts), 'budget')} could not be measured"))
    for each in reasons(target, verdicts):
        console.print(Padding(Text(plain(str(each))), (0, 0, 0, 2)))


def _table(verdicts: Iterable[Verdict]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("budget", "limit", "estimate", "interval", "n", "evidence", "verdict"):
        table.add_column(heading, justify="right" if heading in ("estimate", "n") else "left", overflow="fold")
    for each in verdicts:
        table.add_row(*map(Text, _cells(each)), Text(figures.outcome(each), style=_STYLES[each.verdict]))
    return table


def _cells(verdict: Verdict) -> list[str]:
    return [
        plain(cell)
        for cell in (
            verdict.budget,
            figures.limit(verdict),
            figures.estimate(verdict),
            figures.interval(verdict),
            figures.support(verdict),
            figures.evidence(verdict),
        )
    ]


def _list(verdicts: Iterable[Verdict]) -> Text:
    """One budget after the other, for where a table has no room."""
    lines = Text()
    for each in verdicts:
        budget, limit, estimate, interval, n, evidence = _cells(each)
        lines.append(figures.outcome(each), style=_STYLES[each.verdict])
        lines.append(f" {budget} {limit}\n  {estimate}, interval {interval}, n {n}, {evidence}\n")
    lines.rstrip()
    return lines


def _lines(console: Console, heading: str, lines: Sequence[str]) -> None:
    if not lines:
        return
    console.print()
    console.print(Text(heading, style="bold"))
    for line in lines:
        console.print(Padding(Text(plain(line)), (0, 0, 0, 2)))
