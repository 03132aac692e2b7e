"""The report as GitHub-flavoured Markdown, for a pull request or a job summary."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from deployspec.ir.verdict import Outcome
from deployspec.report import figures
from deployspec.report.anatomy import anatomy
from deployspec.report.figures import counted, plain
from deployspec.report.summary import Standing, confidence, facts, headline, overview, reasons, waiver_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from deployspec.ir.report import Report, TargetReport
    from deployspec.ir.verdict import Verdict

_SPECIAL = re.compile(r"([\\`*_\[\]<>|~#&!])")


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
        verdicts = [each for each in report.verdicts if each.target == target.name]
        yield from _target(target, verdicts, anatomy(report, target.name))
    yield from _section("Findings", report.findings)
    yield from _section("Waivers", waiver_lines(report))


def _overview(report: Report) -> Iterator[str]:
    rows = overview(report)
    if rows:
        yield "\n| target | format | budgets |\n|---|---|---|"
        yield from (f"| {' | '.join(map(escape, row))} |" for row in rows)


def _target(target: TargetReport, verdicts: Sequence[Verdict], contents: str) -> Iterator[str]:
    yield f"\n### {escape(f'{target.name} ({target.format})')}\n"
    if target.artifact:
        yield f"{escape(target.artifact.name)} sha256:{escape(target.artifact.sha256)}\n"
        if contents:
            yield f"{escape(contents)}\n"
        yield f"{confidence(target)}\n"
        yield "| budget | limit | estimate | interval | n | evidence | verdict |"
        yield "|---|---|---:|---|---:|---|---|"
        yield from map(_row, verdicts)
    else:
        yield f"**not built: {escape(target.failure)}**\n"
        yield f"so {counted(len(verdicts), 'budget')} could not be measured"
    explained = reasons(target, verdicts)
    if explained:
        yield ""
    yield from (f"- {escape(str(each))}" for each in explained)


def _row(verdict: Verdict) -> str:
    said = escape(figures.outcome(verdict))
    cells = (
        escape(verdict.budget),
        escape(figures.limit(verdict)),
        escape(figures.estimate(verdict)),
        escape(figures.interval(verdict)),
        figures.support(verdict),
        figures.evidence(verdict),
        said if verdict.verdict is Outcome.PASS else f"**{said}**",
    )
    return f"| {' | '.join(cells)} |"


def _section(heading: str, lines: Iterable[str]) -> Iterator[str]:
    items = [f"- {escape(line)}" for line in lines]
    if items:
        yield f"\n### {heading}\n"
        yield from items
