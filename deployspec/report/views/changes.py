"""What changed between two reports or specs: for a terminal, a pull request, and programs."""

from __future__ import annotations

import json
from itertools import groupby
from typing import TYPE_CHECKING, Final

from deployspec.report.diff import Change, Kind, Sense
from deployspec.report.figures import plain
from deployspec.report.views.markdown import escape
from deployspec.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

VERSION: Final = 1
"""Of the form that programs read."""

_SIGN: Final = {Sense.WORSE: "-", Sense.BETTER: "+", Sense.OTHER: "~"}
_MARK: Final = {Sense.WORSE: "worse", Sense.BETTER: "better", Sense.OTHER: "changed"}
_PROMISES: Final = (Kind.BUDGET, Kind.RULE, Kind.WAIVER)
_HEADINGS: Final = {
    Kind.RESULT: "Release",
    Kind.TARGET: "Targets",
    Kind.BUDGET: "Budgets",
    Kind.RULE: "Rules of proof",
    Kind.WAIVER: "Waivers",
    Kind.VERDICT: "Verdicts",
    Kind.EVIDENCE: "Evidence",
    Kind.FIGURE: "Figures",
    Kind.INPUT: "Made from",
}
_SHORT: Final = 12
"""Digits of a digest that tell it from another."""


def headline(changes: Sequence[Change], *, strict: bool = False) -> str:
    """The weightiest in one line; to a strict reader a figure that got worse is a regression like any other."""
    if not changes:
        return "nothing changed"
    regressions = sum(each.regresses(strict=strict) for each in changes)
    figures = 0 if strict else sum(each.is_worse_figure for each in changes)
    worse = f"; {counted(figures, 'figure')} worse by more than noise" if figures else ""
    first = counted(regressions, "regression") if regressions else "no regression"
    return f"{first} in {counted(len(changes), 'change')}{worse}"


def text(changes: Sequence[Change], *, strict: bool = False) -> str:
    """Lines for a terminal; the sign before each says it without colour."""
    lines = [headline(changes, strict=strict)]
    for kind, group in groupby(changes, key=lambda each: each.kind):
        lines += ["", _HEADINGS[kind]]
        lines += [plain(f"  {_SIGN[_told(each)]} {_subject(each)}: {_change(each)}{_note(each)}") for each in group]
    return "\n".join(lines) + "\n"


def markdown(changes: Sequence[Change], *, strict: bool = False) -> str:
    """A table for a pull request."""
    lines = [f"### deployspec: {escape(headline(changes, strict=strict))}", ""]
    if changes:
        lines += ["| | what | before | after | |", "|---|---|---|---|---|"]
    for each in changes:
        mark = _MARK[_told(each)]
        word = f"**{mark}**" if each.is_regression or each.is_worse_figure else mark
        what = f"{each.kind.value} {_subject(each)}"
        lines.append(
            f"| {word} | {escape(what)} | {escape(_value(each, each.before))} | {escape(_value(each, each.after))} |"
            f" {escape(_noise(each))} |"
        )
    return "\n".join(lines) + "\n"


def to_json(changes: Sequence[Change], *, strict: bool = False) -> str:
    """Every change with all that is known of it."""
    document = {
        "deployspecDiff": VERSION,
        "regression": any(each.regresses(strict=strict) for each in changes),
        "changes": [
            {
                "kind": each.kind.name.lower(),
                "sense": each.sense.value,
                "target": each.target,
                "name": each.name,
                "before": each.before,
                "after": each.after,
                "regression": each.regresses(strict=strict),
                **({"beyondNoise": each.beyond_noise} if each.kind is Kind.FIGURE else {}),
            }
            for each in changes
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _told(change: Change) -> Sense:
    """The sense that its mark claims: a figure that changed by no more than noise got neither worse nor better."""
    return Sense.OTHER if change.kind is Kind.FIGURE and change.beyond_noise is not True else change.sense


def _subject(change: Change) -> str:
    return f"{change.target} {change.name}".strip()


def _change(change: Change) -> str:
    before, after = _value(change, change.before), _value(change, change.after)
    if not change.before or not change.after:
        return f"{'added' if change.after else 'removed'}, {after if change.after else before}"
    return f"{before} -> {after}"


def _value(change: Change, value: str) -> str:
    return value[:_SHORT] if change.kind is Kind.INPUT else value


def _note(change: Change) -> str:
    """What the sign alone does not say."""
    if change.kind in _PROMISES and change.sense is not Sense.OTHER and change.before and change.after:
        return "  loosened" if change.sense is Sense.WORSE else "  tightened"
    noise = _noise(change)
    return f"  {noise}" if noise else ""


def _noise(change: Change) -> str:
    if change.kind is not Kind.FIGURE:
        return ""
    if change.sense is Sense.OTHER:
        return "other evidence"
    return {True: "more than noise", False: "within noise", None: "cannot be told from noise"}[change.beyond_noise]
