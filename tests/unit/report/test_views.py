"""The views, against what they looked like when somebody looked (`--update-golden` writes them anew)."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sample_reports import DSSE_KEY, WAIVER, budget, failing, judged, measured, passing, target_report, unmeasured

from deployspec.ir import codec
from deployspec.ir.evidence import Classified
from deployspec.ir.verdict import Outcome, Result
from deployspec.report.summary import Standing, headline, reasons
from deployspec.report.views import markdown, predicate, text

if TYPE_CHECKING:
    from deployspec.ir.report import Report

GOLDEN = Path(__file__).parents[2] / "golden" / "views"

WIDE_TEXT = partial(text.render, width=120)

SIGNED = Standing(signers=(DSSE_KEY.public.keyid,), verified=True)
UNSIGNED = Standing()


def unbuilt() -> Report:
    report = failing()
    broken = replace(report.targets[0], artifact=None, failure="convert: killed by SIGKILL")
    return replace(report, targets=(broken, report.targets[1]))


CASES = {
    "passing": (passing(), SIGNED),
    "failing": (failing(), UNSIGNED),
    "unproven": (unmeasured(), Standing(signers=(DSSE_KEY.public.keyid,))),
    "waived": (unmeasured((WAIVER,)), SIGNED),
    "unbuilt": (unbuilt(), UNSIGNED),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("view", ["wide.txt", "narrow.txt", "report.md"])
def test_views_are_as_recorded(case: str, view: str, pytestconfig: pytest.Config) -> None:
    report, standing = CASES[case]
    shown = {
        "wide.txt": lambda: text.render(report, standing, width=120),
        "narrow.txt": lambda: text.render(report, standing, width=60),
        "report.md": lambda: markdown.render(report, standing),
    }[view]()
    golden = GOLDEN / case / view
    if pytestconfig.getoption("--update-golden", default=False):
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(shown)
    assert shown == golden.read_text()


@pytest.mark.parametrize("render", [WIDE_TEXT, markdown.render])
def test_a_failed_recall_shows_class_figure_support_and_interval(render: object) -> None:
    shown = render(failing(), UNSIGNED)  # type: ignore[operator]
    line = next(line for line in shown.splitlines() if "recall.rare" in line and "3.35 to 28.18 %" in line)
    assert "12.00 %" in line
    assert "25" in line
    assert "fail" in line
    assert "16.00 %" in line, "the reference's"
    assert "recall of class 'rare': 3 of 25" in shown
    assert "class 'rare': 22 of 25 missed, called 'common' (22x)" in shown


@pytest.mark.parametrize("render", [text.render, markdown.render])
def test_the_first_lines_say_released_or_not_and_who_vouches(render: object) -> None:
    first, _, second = render(failing(), UNSIGNED).partition("\n")  # type: ignore[operator]
    assert "NOT RELEASED: 1 of 10 budgets failed: android recall.rare" in first
    assert "UNSIGNED" in second.splitlines()[0] + second.splitlines()[1]
    assert render(passing(), SIGNED).lstrip("# ").startswith("RELEASED: 10 budgets hold\n")  # type: ignore[operator]


def test_a_claimed_signature_is_not_called_one() -> None:
    assert Standing(signers=("SHA256:x",)).line == "not verified; it claims to be signed by SHA256:x"


def test_long_lists_of_failures_are_cut() -> None:
    report = failing()
    bad = report.verdicts[8]
    many = replace(report, verdicts=(bad,) * 5)
    assert headline(many).endswith(
        "5 of 5 budgets failed: " + "android recall.rare, " * 2 + "android recall.rare and 2 more"
    )


def test_the_headline_counts_every_outcome_that_forbids_the_release_failures_first() -> None:
    report = failing()
    known = report.verdicts
    absent = replace(known[1], verdict=Outcome.NOT_MEASURED)
    unsure = replace(known[2], verdict=Outcome.INCONCLUSIVE)
    warned = replace(known[0], verdict=Outcome.WARN)  # releases, unless it is all that a strict check refuses
    mixed = replace(report, verdicts=(warned, absent, unsure, *known[3:]))
    assert headline(mixed) == (
        "NOT RELEASED: 1 of 10 budgets failed, 1 inconclusive, 1 not measured: "
        "android recall.rare, server accuracy, server latency_p95"
    )
    unproven = replace(report, result=Result.UNPROVEN, verdicts=(absent, unsure))
    assert headline(unproven).startswith("NOT RELEASED: 1 of 2 budgets inconclusive, 1 not measured: server accuracy")


def test_what_an_unbuilt_target_could_not_measure_is_not_counted() -> None:
    report = unbuilt()
    name = report.targets[0].name
    absent = tuple(
        replace(each, verdict=Outcome.NOT_MEASURED) if each.target == name else each for each in report.verdicts
    )
    assert headline(replace(report, verdicts=absent)) == headline(report)


def test_what_several_budgets_lack_is_told_once_whatever_their_labels() -> None:
    labels = ("cat", "dog: big", "dog: old", "dog: small", "dog: thin")
    confusion = ((9, 0, 0, 0, 0), *((0, 0, 0, 0, 0),) * 4)
    table = Classified(labels=labels, confusion=confusion, reference_confusion=confusion, paired=None)
    budgets = tuple(budget("recall", ">= 80 %", label=each) for each in labels[1:])
    target = target_report("server", budgets)
    verdicts = judged(
        replace(passing(), targets=(target,), measurements=(measured("server", "quality", table),))
    ).verdicts
    assert list(map(str, reasons(target, verdicts))) == [
        "not measured recall.dog: big, recall.dog: old, recall.dog: small and 1 more: "
        "the split has no sample of this class"
    ]


def test_one_budget_holds() -> None:
    report = passing()
    assert headline(replace(report, verdicts=report.verdicts[:1])) == "RELEASED: 1 budget holds"


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 200])
@pytest.mark.parametrize("case", CASES)
def test_no_line_is_wider_than_the_terminal(case: str, width: int) -> None:
    assert max(map(len, text.render(*CASES[case], width=width).splitlines())) <= width


@pytest.mark.parametrize("width", [40, 80, 160])
def test_every_width_shows_bars_and_the_reference(width: int) -> None:
    shown = text.render(failing(), UNSIGNED, width=width)
    assert "·│─" in shown, "a proven floor"
    assert "the reference 16.00 %" in shown or "  16.00 %  " in shown


def test_a_digest_is_whole_where_it_fits() -> None:
    digest = failing().spec.sha256
    assert digest in text.render(failing(), UNSIGNED, width=100)
    narrow = text.render(failing(), UNSIGNED, width=60)
    assert f"{digest[:12]}…" in narrow
    assert digest[:13] not in narrow


def test_a_stream_without_box_drawing_gets_ascii() -> None:
    shown = text.render(replace(failing(), model="café"), UNSIGNED, width=120, ascii_only=True)
    assert shown.isascii()
    assert "-o:" in shown, "a size within its good band"
    assert "caf\\xe9" in shown


def test_colour_is_an_addition() -> None:
    plain, coloured = text.render(failing(), UNSIGNED), text.render(failing(), UNSIGNED, colour=True)
    assert "\x1b[" not in plain
    assert "\x1b[" in coloured


@pytest.mark.parametrize(
    "hostile", ["<script>alert(1)</script>", "a | b", "`x` **y**", "[x](http://e)", "\x1b[2J", "[red]x"]
)
def test_text_of_a_report_stays_text(hostile: str) -> None:
    report = replace(passing(), findings=(hostile,), model=hostile)
    in_markdown, on_terminal = markdown.render(report, SIGNED), text.render(report, SIGNED)
    assert hostile not in in_markdown.replace("\\[red\\]x", "")
    assert "\x1b" not in in_markdown + on_terminal
    if hostile.isprintable():
        assert hostile in on_terminal


def test_json_is_the_predicate_as_it_is() -> None:
    assert json.loads(predicate.render(failing())) == codec.encode(failing())


@pytest.mark.parametrize("view", [text, markdown])
def test_a_check_of_some_targets_never_passes_for_the_whole(view: object) -> None:
    part = replace(passing(), left_out=("ios", "web"))
    first = view.render(part, Standing()).splitlines()[0]
    assert "server, android only; ios, web left out" in first


@pytest.mark.parametrize(
    ("outcomes", "said"),
    [
        ((Outcome.WAIVED,), "9 budgets hold, 1 is waived"),
        ((Outcome.WAIVED, Outcome.WAIVED, Outcome.WARN), "8 budgets hold, 1 with a warning, 2 are waived"),
    ],
)
def test_a_waived_budget_is_not_said_to_hold(outcomes: tuple[Outcome, ...], said: str) -> None:
    report = passing()
    changed = (replace(each, verdict=outcome) for each, outcome in zip(report.verdicts, outcomes, strict=False))
    verdicts = (*changed, *report.verdicts[len(outcomes) :])
    assert headline(replace(report, verdicts=verdicts)) == f"RELEASED: {said}"
