"""The report as GitHub-flavoured Markdown, for a pull request or a job summary."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from deployspec.ir.verdict import Outcome
from deployspec.report.anatomy import anatomy
from deployspec.report.bars import UNICODE
from deployspec.report.confusions import confusions
from deployspec.report.deviation import deviation
from deployspec.report.figures import plain
from deployspec.report.rows import rows
from deployspec.report.summary import Standing, confidence, facts, headline, overview, reasons, tally, waiver_lines
from deployspec.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from deployspec.ir.report import Report, TargetReport
    from deployspec.report.rows import Row

_BAR: Final = 20

_SPECIAL: Final = re.compile(r"([\\`*_\[\]<>|~#&!])")


def render(report: Report, standing: Standing) -> str:
    """The whole view. Text from the report is escaped: none of it becomes markup."""
    return "\n".join(_blocks(report, standing)) + "\n"


def escape(text: str) -> str:
    """`text` on one line, meaning itself in Markdown, in a table's cell too."""
    return _SPECIAL.sub(r"\\\1", plain(text))


def _blocks(report: Report, standing: Standing) -> Iterator[str]:
    yield f"## {escape(headline(report))}\n"
    yield f"**{escape(standing.line)}**\n"
    yield from (f"- {name}: {escape(value)}" for name, value in facts(report))
    yield from _overview(report)
    for target in report.targets:
        yield from _target(report, target)
    if any(target.artifact for target in report.targets):
        yield f"\nBars: {UNICODE.legend}."
    yield from _section("Findings", report.findings)
    yield from _section("Waivers", waiver_lines(report))


def _overview(report: Report) -> Iterator[str]:
    rows = overview(report)
    if rows:
        yield "\n| target | format | budgets |\n|---|---|---|"
        yield from (f"| {' | '.join(map(escape, row))} |" for row in rows)


def _target(report: Report, target: TargetReport) -> Iterator[str]:
    judged = rows(report, target)
    verdicts = [each.verdict for each in judged]
    yield f"\n### {escape(f'{target.name} ({target.format})')}\n"
    if target.artifact:
        yield f"{escape(target.artifact.name)} sha256:{escape(target.artifact.sha256)}\n"
        for known in filter(None, (anatomy(report, target.name), deviation(report, target))):
            yield f"{escape(known)}\n"
        yield f"{escape(tally(verdicts))}; {confidence(target)}\n"
        yield "| budget | limit | estimate | reference | interval | | n | evidence | verdict |"
        yield "|---|---|---:|---:|---|---|---:|---|---|"
        yield from map(_row, judged)
    else:
        yield f"**not built: {escape(target.failure)}**\n"
        yield f"so {counted(len(verdicts), 'budget')} could not be measured"
    explained = [*map(str, reasons(target, verdicts)), *confusions(report, target)]
    if explained:
        yield ""
    yield from (f"- {escape(each)}" for each in explained)


def _row(row: Row) -> str:
    bar, said = row.bar(_BAR), escape(row.outcome)
    cells = (
        escape(row.verdict.budget),
        escape(row.limit),
        escape(row.estimate),
        escape(row.reference),
        escape(row.interval),
        f"`{bar}`" if bar else "",
        row.support,
        row.evidence,
        said if row.verdict.verdict is Outcome.PASS else f"**{said}**",
    )
    return f"| {' | '.join(cells)} |"


def _section(heading: str, lines: Iterable[str]) -> Iterator[str]:
    items = [f"- {escape(line)}" for line in lines]
    if items:
        yield f"\n### {heading}\n"
        yield from items
