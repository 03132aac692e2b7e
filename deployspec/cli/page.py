"""The report's page: what it needs, and where it is written."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from deployspec.cli.output import write_whole
from deployspec.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from deployspec.ir.report import Report
    from deployspec.report.summary import Standing

_NEEDED: Final = ("jinja2", "matplotlib")


def require_page() -> None:
    """Raise UsageError, which says what to install, when no page can be made."""
    if missing := [name for name in _NEEDED if find_spec(name) is None]:
        raise UsageError(f"a page needs {' and '.join(missing)}: pip install 'deployspec[page]'")


def render_page(report: Report, standing: Standing) -> str:
    """The page's HTML. Raises UsageError, and TrustError for a report that contradicts itself."""
    require_page()
    from deployspec.report.views import html

    return html.render(report, standing)


def write_page(report: Report, standing: Standing, path: Path) -> None:
    """Write the page whole or not at all. Raises as `render_page` does, and UsageError for a path that cannot be."""
    write_whole(path, render_page(report, standing).encode())
