"""What always answering with the commonest class achieves, beside every accuracy."""

from __future__ import annotations

from dataclasses import replace

from sample_evidence import quality, rules, table

from deployspec.ir.evidence import EvidenceClass
from deployspec.judge import baseline_findings

RULES = {"phone": rules()}


def test_the_balance_of_a_split_is_told_once_for_all_targets() -> None:
    found = quality(table([[60, 0, 0], [0, 30, 0], [0, 0, 10]], "abc"))
    fewer = quality(table([[60, 0, 0], [0, 30, 0], [0, 0, 9]], "abc"))
    others = [replace(found, target="watch"), replace(fewer, variant="without near-duplicates")]
    assert baseline_findings([found, *others], RULES | {"watch": rules()}) == (
        "test: 10 ('c') to 60 ('a') samples of a class; always answering 'a' would be right 60 % of the time",
    )


def test_of_what_is_only_claimed_nothing_is_told() -> None:
    claimed = replace(quality(table([[94, 1], [1, 4]], "ab")), evidence=EvidenceClass.CLAIMED)
    assert baseline_findings([claimed], RULES) == ()


def test_a_model_that_is_not_proven_better_than_the_majority_is_named() -> None:
    """98 of 100 right where 95 are of one class: at 95 % confidence 93.8 %, which is less."""
    near = quality(table([[94, 1], [1, 4]], "ab"), split="field")
    assert baseline_findings([near], RULES)[1:] == (
        "phone: right 98 times of 100 on field, which is not proven better than always answering 'a', right 95 times",
    )
    assert len(baseline_findings([near], {"phone": rules(None)})) == 1, "the estimate itself is better"
    clear = quality(table([[950, 0], [1, 49]], "ab"))
    assert len(baseline_findings([clear], RULES)) == 1


def test_of_an_empty_split_there_is_nothing_to_tell() -> None:
    assert baseline_findings([quality(table([[0, 0], [0, 0]], "ab"))], RULES) == ()
