"""Routes: the shortest chain of lowerings, through the schemes in their order, or the gap by name."""

from __future__ import annotations

import itertools

import pytest

from deployspec.ir.plan import Lowering, Toolchain
from deployspec.plan import NoRoute, find_route


def edge(name: str, takes: str, gives: str, realises: str | None = None) -> Lowering:
    return Lowering(
        name=name, takes=takes, gives=gives, function="m:f", toolchain=Toolchain(name="t"), tolerance=0.0,
        realises=realises,
    )  # fmt: skip


def names(chain: tuple[Lowering, ...]) -> list[str]:
    return [lowering.name for lowering in chain]


DIRECT = edge("direct", "torch", "flat")
FIRST_HALF, SECOND_HALF = edge("first half", "torch", "graph"), edge("second half", "graph", "flat")
SMALL = edge("small", "flat", "flat", "int8")
HALVES = edge("halves", "flat", "flat", "float16")


LONG = [edge("1 of 3", "torch", "b"), edge("2 of 3", "b", "c"), edge("3 of 3", "c", "flat")]


def test_the_shortest_chain_wins_wherever_it_stands() -> None:
    for lowerings in itertools.permutations([FIRST_HALF, SECOND_HALF, *LONG]):
        assert names(find_route("torch", "flat", (), lowerings)) == ["first half", "second half"]
        assert names(find_route("torch", "flat", (), [*lowerings, DIRECT])) == ["direct"]


def test_of_equally_long_chains_the_first_one_wins() -> None:
    again = edge("again", "torch", "flat")
    assert names(find_route("torch", "flat", (), [DIRECT, again])) == ["direct"]
    assert names(find_route("torch", "flat", (), [again, DIRECT])) == ["again"]


def test_a_chain_leads_through_forms_in_between() -> None:
    assert names(find_route("torch", "flat", (), [SECOND_HALF, FIRST_HALF])) == ["first half", "second half"]


def test_a_scheme_that_nobody_asked_for_is_not_realised() -> None:
    shorter = edge("shorter, and int8", "torch", "flat", "int8")
    assert names(find_route("torch", "flat", (), [shorter, FIRST_HALF, SECOND_HALF])) == ["first half", "second half"]


@pytest.mark.parametrize(
    ("schemes", "expected"),
    [
        (["int8"], ["direct", "small"]),
        (["int8", "float16"], ["direct", "small", "halves"]),
        (["float16", "int8"], ["direct", "halves", "small"]),
    ],
)
def test_schemes_are_realised_in_their_order(schemes: list[str], expected: list[str]) -> None:
    assert names(find_route("torch", "flat", schemes, [DIRECT, HALVES, SMALL])) == expected


def test_a_scheme_before_the_last_form_is_found_too() -> None:
    pruned = edge("pruned", "torch", "torch", "sparse")
    assert names(find_route("torch", "flat", ["sparse"], [DIRECT, pruned])) == ["pruned", "direct"]


def test_a_lowering_into_its_own_form_does_not_go_round_for_ever() -> None:
    round_and_round = [edge("there", "torch", "graph"), edge("back", "graph", "torch")]
    with pytest.raises(NoRoute):
        find_route("torch", "flat", (), round_and_round)


def test_a_source_that_nothing_takes_is_named_with_what_would_be_taken() -> None:
    with pytest.raises(NoRoute) as refused:
        find_route("keras", "flat", (), [DIRECT, FIRST_HALF, SECOND_HALF, SMALL])
    assert str(refused.value) == "no lowering to flat takes keras; there are lowerings from graph, torch"


def test_a_scheme_that_nothing_realises_is_named_with_those_that_are() -> None:
    with pytest.raises(NoRoute) as refused:
        find_route("torch", "flat", ["int8", "int4"], [DIRECT, SMALL, HALVES])
    assert str(refused.value) == "flat cannot be made with int8 then int4; the schemes that it takes: float16, int8"


def test_a_format_without_lowerings_says_so() -> None:
    with pytest.raises(NoRoute) as refused:
        find_route("torch", "flat", (), [])
    assert str(refused.value) == "no lowering to flat takes torch; there are lowerings from nothing"
