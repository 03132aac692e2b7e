"""The verdicts as GitHub workflow commands, so that a pull request and its job show them.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from deployspec.ir.verdict import Outcome
from deployspec.report import figures
from deployspec.report.figures import plain
from deployspec.report.summary import headline

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deployspec.ir.report import Report
    from deployspec.ir.verdict import Verdict

_LEVELS: Final = {
    Outcome.FAIL: "error",
    Outcome.INCONCLUSIVE: "error",
    Outcome.NOT_MEASURED: "error",
    Outcome.WARN: "warning",
    Outcome.WAIVED: "warning",
}
"""Of what is no plain pass, of which nothing is said."""


def render(report: Report) -> str:
    """The headline, then a line for each budget that did not plainly pass."""
    return "".join(f"{line}\n" for line in _lines(report))


def _lines(report: Report) -> Iterator[str]:
    yield f"::notice title=deployspec::{_data(headline(report))}"
    for target in report.targets:
        if target.failure:
            yield f"::error title={_property(f'{target.name} was not built')}::{_data(target.failure)}"
    yield from (_annotation(each) for each in report.verdicts if each.verdict in _LEVELS)


def _annotation(verdict: Verdict) -> str:
    title = f"{verdict.target} {verdict.budget}: {figures.outcome(verdict)}"
    return f"::{_LEVELS[verdict.verdict]} title={_property(title)}::{_data(verdict.reason)}"


def _data(text: str) -> str:
    return plain(text).replace("%", "%25")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
