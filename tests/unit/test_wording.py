"""The turns of phrase that messages share."""

from __future__ import annotations

from deployspec.wording import counted, some


def test_a_noun_goes_with_its_number() -> None:
    assert [counted(n, "budget") for n in (0, 1, 1250)] == ["0 budgets", "1 budget", "1,250 budgets"]
    assert [counted(n, "process", "processes") for n in (1, 2)] == ["1 process", "2 processes"]


def test_of_many_the_first_are_named_and_the_others_counted() -> None:
    assert some([]) == ""
    assert some(list("abcde")) == "a, b, c, d, e"
    assert some(list("abcdefg")) == "a, b, c, d, e and 2 more"
    assert some(list("abcd"), 3) == "a, b, c and 1 more"
