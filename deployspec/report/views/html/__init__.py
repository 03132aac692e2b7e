"""The report as one page: no script, no request, no font from elsewhere; for a phone, a screen and a printer."""

from __future__ import annotations

import base64
import hashlib
import re
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from deployspec.errors import TrustError
from deployspec.ir.budget import BUDGETS
from deployspec.ir.evidence import EvidenceClass
from deployspec.ir.verdict import Outcome
from deployspec.report import figures, summary
from deployspec.report.consistency import contradictions
from deployspec.report.deviation import in_words
from deployspec.report.views.html import content, measured
from deployspec.report.views.html.costs import columns
from deployspec.report.views.html.words import CLASSES, MARKS, OUTCOMES, PROMISES
from deployspec.wording import counted

if TYPE_CHECKING:
    from deployspec.ir.report import Report
    from deployspec.report.summary import Standing

_HERE: Final = Path(__file__).parent


def render(report: Report, standing: Standing) -> str:
    """The page's HTML. Whatever text the report holds stays text, its unprintable characters escaped.

    Raises TrustError for a report that contradicts itself: its tables cannot be drawn.
    """
    wrong = contradictions(report)
    if wrong:
        raise TrustError(f"no page is made of a report that contradicts itself: {figures.plain(wrong[0])}")
    style = (_HERE / "page.css").read_text(encoding="utf-8")
    targets = content.targets(report)
    latency = content.latency_name(report)
    return _environment().get_template("page.html.j2").render(
        report=report,
        standing=standing,
        headline=summary.headline(report),
        released=report.result.exit_code == 0,
        targets=targets,
        columns=columns(targets, latency),
        pictures=content.compare(targets, latency),
        hygiene=content.hygiene(report),
        waivers=content.waivers(report),
        steps=content.steps(report),
        classes=content.evidence_classes(report),
        style=Markup(style),  # noqa: S704 - a file of ours
        style_digest=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
    )  # fmt: skip


def _environment() -> Environment:
    """Templates that escape everything, refuse what is undefined and know the words of the other views."""
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_harmless,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"decimal": Decimal, "foldable": _foldable}
    environment.globals |= {
        "BUDGETS": BUDGETS,
        "CLASSES": CLASSES,
        "MARKS": MARKS,
        "OUTCOMES": OUTCOMES,
        "PROMISES": PROMISES,
        "EvidenceClass": EvidenceClass,
        "Outcome": Outcome,
        "counted": counted,
        "deviation": in_words,
        "elsewhere": summary.elsewhere,
        "figures": figures,
        "isolation": summary.isolation,
        "measured": measured,
    }
    return environment


def _harmless(value: Any) -> Any:
    """Text without characters that a browser obeys instead of showing, such as those that turn its direction."""
    return figures.plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _foldable(name: str) -> Markup:
    """The name of a budget, which may go on in a new line after a point or an underscore."""
    return Markup(re.sub(r"(?<=[._])", "<wbr>", escape(figures.plain(name))))  # noqa: S704 - escaped
