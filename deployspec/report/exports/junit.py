"""The verdicts as JUnit XML, which every CI system shows: a suite a target, a case a budget.

What fails is a failure; what was not proven is an error, since no test that ran says so; what a waiver covers is
skipped. Form: https://github.com/testmoapp/junitxml.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, assert_never

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from deployspec.digests import sha256_bytes
from deployspec.ir.verdict import Outcome
from deployspec.report import figures
from deployspec.report.exports import NOTE
from deployspec.report.summary import headline

if TYPE_CHECKING:
    from deployspec.ir.report import Report, TargetReport
    from deployspec.ir.verdict import Verdict

_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no XML 1.0 document may hold, not even escaped."""


def render(report: Report, envelope: bytes) -> str:
    """The report in `envelope` as one document that ends in a newline."""
    document = JUnitXml(_text(f"deployspec: {headline(report)}"))
    for target in report.targets:
        document.add_testsuite(_suite(target, report, envelope))
    document.update_statistics()
    text: str = document.tostring().decode()
    return text if text.endswith("\n") else f"{text}\n"


def _suite(target: TargetReport, report: Report, envelope: bytes) -> TestSuite:
    suite = TestSuite(_text(f"{target.name} ({target.format})"))
    suite.timestamp = report.checked_at.removesuffix("Z")
    for name, value in (
        ("note", NOTE),
        ("report.sha256", sha256_bytes(envelope)),
        ("spec.sha256", report.spec.sha256),
        ("artifact.sha256", target.artifact.sha256 if target.artifact else ""),
    ):
        suite.add_property(name, value)
    suite.add_testcases([_case(each, target) for each in report.verdicts if each.target == target.name])
    return suite


def _case(verdict: Verdict, target: TargetReport) -> TestCase:
    case = TestCase(_text(f"{verdict.budget} {figures.limit(verdict)}"), classname=_text(target.name))
    found = _result(verdict, target)
    if found is None:
        case.system_out = _text(verdict.reason)
    else:
        found.text = _text(f"estimate {figures.estimate(verdict)}, interval {figures.interval(verdict)}")
        case.result = [found]
    return case


def _result(verdict: Verdict, target: TargetReport) -> Failure | Error | Skipped | None:
    """What CI shows of it; None for what passed."""
    said = _text(verdict.reason if target.artifact else f"not built: {target.failure}")
    match verdict.verdict:
        case Outcome.PASS | Outcome.WARN:
            return None
        case Outcome.WAIVED:
            return Skipped(f"waived: {said}")
        case Outcome.FAIL:
            return Failure(said, verdict.verdict.value)
        case Outcome.INCONCLUSIVE | Outcome.NOT_MEASURED:
            return Error(said, verdict.verdict.value)
        case other:
            assert_never(other)


def _text(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
