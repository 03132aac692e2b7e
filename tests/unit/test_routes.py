"""Routes: the shortest chain of lowerings, through the schemes in their order, or the gap by name."""

from __future__ import annotations

import itertools

import pytest

from deployspec.ir.plan import Lowering, Toolchain
from deployspec.routes import NoRoute, find_route


def edge(name: str, takes: str | tuple[str, ...], gives: str, realises: str | None = None) -> Lowering:
    forms = (takes,) if isinstance(takes, str) else takes
    return Lowering(
        name=name, takes=forms, gives=gives, function="m:f", toolchain=Toolchain(name="t"), tolerance=0.0,
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


def test_a_lowering_takes_any_of_its_forms_and_what_it_gives_itself() -> None:
    either = edge("either", ("torch", "exported"), "flat")
    pruned = edge("pruned", "torch", "torch", "prune")
    assert names(find_route("exported", "flat", (), [either])) == ["either"]
    assert names(find_route("torch", "flat", ["prune"], [either, pruned])) == ["pruned", "either"]


def gap(start: str, wanted: list[str], *lowerings: Lowering) -> NoRoute:
    with pytest.raises(NoRoute) as refused:
        find_route(start, "flat", wanted, lowerings)
    return refused.value


def test_a_source_that_nothing_takes_is_told_what_would_be_taken() -> None:
    found = gap("keras", [], DIRECT, FIRST_HALF, SECOND_HALF, SMALL)
    assert str(found) == "no lowering leads from keras to flat, which is made from graph, torch"
    assert (found.stuck, found.able) == (None, ())


def test_a_format_without_lowerings_says_so() -> None:
    assert str(gap("torch", [])) == "no lowering leads from torch to flat, which is made from nothing"


def test_a_pass_that_nothing_realises_is_told_with_its_place_and_with_what_could_stand_there() -> None:
    found = gap("torch", ["int4"], DIRECT, SMALL, HALVES)
    assert str(found) == "flat cannot be made from torch with int4"
    assert (found.stuck, found.able) == (0, ("float16", "int8"))


def test_a_pass_that_cannot_follow_another_names_that_one() -> None:
    found = gap("torch", ["prune", "int8", "float16"], edge("pruned", "torch", "torch", "prune"), DIRECT, HALVES)
    assert str(found) == "flat cannot be made from torch with int8 after prune"
    assert (found.stuck, found.able) == (1, ("float16",))


def test_a_pass_that_only_another_source_can_have_is_the_gap() -> None:
    from_keras = edge("int8", "keras", "flat", "int8")
    found = gap("torch", ["int8"], DIRECT, from_keras, HALVES)
    assert (found.stuck, found.able) == (0, ("float16",))


def test_a_format_that_is_out_of_reach_with_or_without_a_pass_is_the_gap_itself() -> None:
    found = gap("keras", ["int8"], DIRECT, SMALL)
    assert str(found) == "no lowering leads from keras to flat, which is made from torch"
    assert (found.stuck, found.able) == (None, ())


def test_a_pass_whose_order_is_wrong_is_stuck_at_the_second() -> None:
    """The file is quantized after the module is pruned, never before."""
    lowerings = (edge("pruned", "torch", "torch", "prune"), DIRECT, SMALL)
    assert names(find_route("torch", "flat", ["prune", "int8"], lowerings)) == ["pruned", "direct", "small"]
    assert gap("torch", ["int8", "prune"], *lowerings).stuck == 1
