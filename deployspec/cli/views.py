"""What a report says, for people and for programs, as wide and as colourful as standard output takes it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from deployspec.cli.page import render_page

if TYPE_CHECKING:
    from deployspec.ir.report import Report
    from deployspec.report.summary import Standing

View = Callable[["Report", "Standing"], str]


def render(report: Report, standing: Standing, form: str) -> str:
    """The report in one of the forms of `VIEWS`."""
    return VIEWS[form](report, standing)


def _text(report: Report, standing: Standing) -> str:
    from deployspec.report.views import text

    width = shutil.get_terminal_size((120, 24)).columns
    return text.render(report, standing, width=width, colour=sys.stdout.isatty(), ascii_only=not _can_draw())


def _can_draw() -> bool:
    """Whether standard output takes the characters of which bars are made."""
    from deployspec.report.bars import UNICODE

    try:
        UNICODE.legend.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def _markdown(report: Report, standing: Standing) -> str:
    from deployspec.report.views import markdown

    return markdown.render(report, standing)


def _json(report: Report, _: Standing) -> str:
    from deployspec.report.views import predicate

    return predicate.render(report)


VIEWS: Final[dict[str, View]] = {"text": _text, "markdown": _markdown, "html": render_page, "json": _json}
"""For people, and the predicate as it is: what a report says."""
