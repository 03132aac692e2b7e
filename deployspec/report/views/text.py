"""The report on a terminal: readable without colour, and stacked where the terminal is narrow."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from deployspec.ir.verdict import Outcome
from deployspec.report.anatomy import anatomy
from deployspec.report.bars import ASCII, UNICODE
from deployspec.report.confusions import confusions
from deployspec.report.deviation import deviation
from deployspec.report.figures import ABSENT, plain
from deployspec.report.rows import rows
from deployspec.report.summary import Standing, confidence, facts, headline, overview, reasons, tally, waiver_lines
from deployspec.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from deployspec.ir.report import Report, TargetReport
    from deployspec.report.bars import Glyphs
    from deployspec.report.rows import Row

_GAP: Final = 2
_LEAST_BAR: Final = 12
_WIDEST_BAR: Final = 32

_SHOWN_DIGITS: Final = 12
"""Of a digest that its line has no room for."""

_NUMBERS: Final = frozenset({"estimate", "reference", "n"})

_STYLES: Final = {
    Outcome.PASS: "green",
    Outcome.WARN: "yellow",
    Outcome.FAIL: "bold red",
    Outcome.INCONCLUSIVE: "magenta",
    Outcome.NOT_MEASURED: "magenta",
    Outcome.WAIVED: "yellow",
}

_IN_ASCII: Final = str.maketrans({"·": "-", "×": "x", "…": "..."})


def render(
    report: Report, standing: Standing, *, width: int = 100, colour: bool = False, ascii_only: bool = False
) -> str:
    """The whole view, lines of at most `width` columns wherever words can be broken."""
    out = StringIO()
    console = Console(
        file=out, width=width, force_terminal=colour, color_system="standard" if colour else None,
        highlight=False, markup=False, emoji=False, legacy_windows=False,
    )  # fmt: skip
    _head(console, report, standing)
    _overview(console, report)
    glyphs = ASCII if ascii_only else UNICODE
    if any(target.artifact for target in report.targets):
        console.print()
        console.print(Text(f"bars: {glyphs.legend}", style="dim"))
    for target in report.targets:
        _target(console, report, target, glyphs)
    _lines(console, "Findings", report.findings)
    _lines(console, "Waivers", waiver_lines(report))
    shown = "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"
    return shown.translate(_IN_ASCII).encode("ascii", "backslashreplace").decode() if ascii_only else shown


def _head(console: Console, report: Report, standing: Standing) -> None:
    released = report.result.exit_code == 0
    console.print(Text(headline(report), style="bold green" if released else "bold red"))
    console.print(Text(standing.line, style="" if standing.signers else "bold yellow"))
    for name, value in facts(report):
        console.print(Text(_fitting(f"{name}: {plain(value)}", report.spec.sha256, console.width), style="dim"))


def _fitting(line: str, digest: str, width: int) -> str:
    """The line, its digest cut short where it would not fit otherwise."""
    return line if cell_len(line) <= width else line.replace(digest, f"{digest[:_SHOWN_DIGITS]}…")


def _overview(console: Console, report: Report) -> None:
    targets = overview(report)
    if targets:
        console.print()
        table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), show_header=False)
        for row in targets:
            table.add_row(*(Text(plain(cell)) for cell in row))
        console.print(table)


def _target(console: Console, report: Report, target: TargetReport, glyphs: Glyphs) -> None:
    judged = rows(report, target)
    verdicts = [each.verdict for each in judged]
    title = plain(f"{target.name} ({target.format}): {tally(verdicts) if target.artifact else 'not built'}")
    console.print()
    console.print(Text(title, style="bold"), Text(f"· {confidence(target)}", style="dim"))
    if target.artifact:
        line = plain(f"{target.artifact.name} sha256:{target.artifact.sha256}")
        console.print(Text(_fitting(line, target.artifact.sha256, console.width), style="dim"))
        for known in filter(None, (anatomy(report, target.name), deviation(report, target))):
            console.print(Text(plain(known), style="dim"))
        _budgets(console, judged, glyphs)
    else:
        console.print(Text(plain(f"not built: {target.failure}"), style="bold red"))
        console.print(Text(f"so {counted(len(verdicts), 'budget')} could not be measured"))
    for each in (*map(str, reasons(target, verdicts)), *confusions(report, target)):
        console.print(Padding(Text(plain(each)), (0, 0, 0, 2)))


def _budgets(console: Console, judged: Sequence[Row], glyphs: Glyphs) -> None:
    """A table with bars where there is room for them, else two lines for each budget."""
    compared = any(each.reference != ABSENT for each in judged)
    for with_reference in (True, False) if compared else (False,):
        table = [_cells(each, with_reference=with_reference) for each in judged]
        room = console.width - sum(max(map(cell_len, (name, *column))) + _GAP for name, column in _by_column(table))
        if room >= _LEAST_BAR:
            console.print(_table(judged, table, min(room, _WIDEST_BAR), glyphs))
            if compared and not with_reference:
                console.print(Text(plain(_references(judged))))
            break
    else:
        _stacked(console, judged, glyphs)


def _cells(row: Row, *, with_reference: bool) -> dict[str, str]:
    cells = {
        "budget": plain(row.verdict.budget),
        "limit": plain(row.limit),
        "estimate": row.estimate,
        "reference": row.reference,
        "interval": row.interval,
        "n": row.support,
        "evidence": row.evidence,
        "verdict": row.outcome,
    }
    return cells if with_reference else {name: cell for name, cell in cells.items() if name != "reference"}


def _by_column(table: Sequence[dict[str, str]]) -> Iterator[tuple[str, list[str]]]:
    return ((name, [row[name] for row in table]) for name in table[0])


def _table(judged: Sequence[Row], cells: Sequence[dict[str, str]], room: int, glyphs: Glyphs) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="dim")
    for name in cells[0]:
        table.add_column(name, justify="right" if name in _NUMBERS else "left", no_wrap=True)
        if name == "interval":
            table.add_column("", no_wrap=True)
    for row, texts in zip(judged, cells, strict=True):
        *told, verdict = texts.values()
        told.insert(list(texts).index("interval") + 1, row.bar(room, glyphs))
        table.add_row(*map(Text, told), Text(verdict, style=_STYLES[row.verdict.verdict]))
    return table


def _references(judged: Sequence[Row]) -> str:
    known = (f"{each.verdict.budget} {each.reference}" for each in judged if each.reference != ABSENT)
    return f"the reference: {', '.join(known)}"


def _stacked(console: Console, judged: Sequence[Row], glyphs: Glyphs) -> None:
    """The verdict and the limit, the bar beside them or in a line of its own, the figures below."""
    heads = [f" {plain(each.verdict.budget)} {plain(each.limit)}" for each in judged]
    longest = max(cell_len(each.outcome + head) for each, head in zip(judged, heads, strict=True))
    room = min(console.width - longest - _GAP, _WIDEST_BAR)
    for row, head in zip(judged, heads, strict=True):
        line = Text.assemble((row.outcome, _STYLES[row.verdict.verdict]), head)
        below = _figures(row)
        if room >= _LEAST_BAR:
            line.append(" " * (longest + _GAP - line.cell_len) + row.bar(room, glyphs))
        elif bar := row.bar(min(console.width - _GAP, _WIDEST_BAR), glyphs):
            below = f"{bar}\n{below}"
        console.print(line)
        console.print(Padding(Text(below), (0, 0, 0, _GAP)))


def _figures(row: Row) -> str:
    reference = "" if row.reference == ABSENT else f" (the reference {row.reference})"
    n = "" if row.support == ABSENT else f"n {row.support}"
    told = [row.estimate + reference, row.interval, n, row.evidence]
    return ", ".join(each for each in told if each not in ("", ABSENT)) if row.estimate != ABSENT else "no figure"


def _lines(console: Console, heading: str, lines: Sequence[str]) -> None:
    if not lines:
        return
    console.print()
    console.print(Text(heading, style="bold"))
    for line in lines:
        console.print(Padding(Text(plain(line)), (0, 0, 0, 2)))
