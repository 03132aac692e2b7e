"""Where evidence comes from: what a report says of it, and what it may not pretend."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from sample_reports import judged, passing

from deployspec.digests import sha256_bytes
from deployspec.ir.device import Device
from deployspec.ir.evidence import Count, EvidenceClass, Measurement, Share
from deployspec.ir.report import Digest, Import, Report
from deployspec.report.consistency import contradictions
from deployspec.report.provenance import pretences
from deployspec.report.summary import Standing
from deployspec.report.views import html, markdown, text

if TYPE_CHECKING:
    from collections.abc import Callable

    from deployspec.ir.report import TargetReport

FILE = Digest(name="lab.dsse.json", sha256=sha256_bytes(b"the lab's file"))
LAB = "SHA256:lab"
CLAIMED, DEVICE, HOST, STATIC = (EvidenceClass(each) for each in ("claimed", "device", "host", "static"))


def handed_in(
    evidence: EvidenceClass = DEVICE, *, signers: tuple[str, ...] = (LAB,), stated: EvidenceClass = DEVICE
) -> Report:
    """The passing report, with an agreement on the device of 'server' that a lab handed in."""
    report = passing()
    server = replace(report.targets[0], device="pixel-8")
    assert server.artifact is not None
    run = Import(
        file=FILE,
        signers=signers,
        target="server",
        artifact=server.artifact,
        stated=stated,
        device=Device(name="pixel-8"),
    )
    figure = Measurement(
        target="server",
        name="agreement",
        statistic=Share(hits=90, n=100),
        evidence=evidence,
        split="field",
        source=FILE.sha256,
    )
    return judged(
        replace(
            report,
            targets=(server, *report.targets[1:]),
            measurements=(*report.measurements, figure),
            imports=(run,),
        )
    )


def accepting(report: Report) -> Report:
    """The same, by a spec that takes claims."""
    return replace(report, targets=tuple(_accepting(each) for each in report.targets))


def _accepting(target: TargetReport) -> TargetReport:
    return replace(target, rules=replace(target.rules, accept_claimed=True))


def without_steps(report: Report, *kept: Measurement) -> Report:
    """The first target as one that was not built; its own measurements but `kept` are gone."""
    others = tuple(each for each in report.measurements if each.target != "server" or each.source)
    first = replace(report.targets[0], steps=())
    return replace(report, targets=(first, *report.targets[1:]), measurements=(*others, *kept))


SIZE = Measurement(target="server", name="size", statistic=Count(value=Decimal(1)), evidence=STATIC)


@pytest.mark.parametrize(
    "report",
    [
        handed_in(),
        handed_in(STATIC),
        handed_in(CLAIMED, signers=()),
        accepting(handed_in(signers=())),
        without_steps(handed_in()),
    ],
)
def test_what_says_where_its_evidence_is_from_is_sound(report: Report) -> None:
    assert contradictions(report) == ()


@pytest.mark.parametrize(
    ("report", "message"),
    [
        (handed_in(signers=()), "comes from nowhere"),
        (handed_in(DEVICE, stated=HOST), "comes from nowhere"),
        (handed_in(CLAIMED), "comes from nowhere"),
        (replace(handed_in(), imports=()), "comes from nowhere"),
        (
            replace(handed_in(), imports=(replace(handed_in().imports[0], target="android"),)),
            "is of another artifact",
        ),
        (
            replace(handed_in(), imports=(replace(handed_in().imports[0], target="watch"),)),
            "handed in for 'watch', which is no target",
        ),
        (
            replace(handed_in(), imports=(replace(handed_in().imports[0], device=Device(name="pixel-7")),)),
            "is not of its device 'pixel-8'",
        ),
        (replace(handed_in(), imports=(replace(handed_in().imports[0], device=None),)), "is not of its device"),
        (handed_in(CLAIMED, signers=(), stated=CLAIMED), "was handed in as 'claimed'"),
        (without_steps(handed_in(), SIZE), "and not all that is said of it was handed in"),
        (without_steps(passing()), "and not all that is said of it was handed in"),
    ],
)
def test_a_pretence_is_named(report: Report, message: str) -> None:
    assert any(message in each for each in contradictions(report)), contradictions(report)


@pytest.mark.parametrize("evidence", ["device", "emulator", "claimed"])
def test_no_check_gives_by_itself_what_only_others_can_hand_in(evidence: str) -> None:
    report = passing()
    first = replace(report.measurements[0], evidence=EvidenceClass(evidence))
    forged = replace(report, measurements=(first, *report.measurements[1:]))
    assert [f"the {evidence} evidence of 'size' of target 'server' comes from nowhere"] == list(pretences(forged))


def test_a_digest_of_a_file_is_one() -> None:
    report = handed_in()
    bad = replace(report.imports[0], file=Digest(name="lab", sha256="x"))
    assert "'x', of 'lab', is no SHA-256 digest" in contradictions(replace(report, imports=(bad,)))


PHONE = Device(name="pixel-8", model="Pixel 8", system="Android 15")


@pytest.mark.parametrize("render", [text.render, markdown.render, html.render])
def test_the_head_tells_a_check_from_a_judgement_and_where_else_was_measured(
    render: Callable[[Report, Standing], str],
) -> None:
    checked = handed_in()
    phone = replace(checked.imports[0], device=PHONE)
    host = replace(phone, stated=HOST, device=None)
    server = without_steps(checked)
    alone = replace(server, targets=server.targets[:1], measurements=server.measurements[-1:])
    judgement = judged(replace(alone, steps=(), imports=(phone, phone, host)))
    said, before, without = (_words(render(each, Standing())) for each in (judgement, checked, passing()))
    assert "judged on" in said
    assert "device pixel-8 (pixel 8, android 15), host" in said
    assert "judged on" not in before
    assert "measured elsewhere" in before
    assert "device pixel-8" in before
    assert "measured elsewhere" not in without


def _words(view: str) -> str:
    """On one line, in small letters and without the backslashes of Markdown."""
    return " ".join(view.replace("\\", "").lower().split())
