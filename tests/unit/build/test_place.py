"""Where a worker works: it writes to no other's folder, and reads of a hidden one what it was given."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from deployspec.ir.artifact import Done, Failed
from deployspec.ir.plan import Action
from deployspec.isolation import FILES, available

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import World

    from deployspec.ir.plan import Step

LANDLOCK = any(each.startswith(FILES) for each in available())


def reasons(
    world: World, paths: list[Path], *takes: str, judged: tuple[Path, ...] = (), action: Action = Action.CONVERT
) -> dict[str, str]:
    """What came of reading each path and of writing to it, in a worker under a policy."""
    tries = world.step("tries", "reach", *takes, options={"paths": list(map(str, paths))})
    return facts(world, world.write("first"), replace(tries, action=action), judged=judged)


def facts(world: World, *steps: Step, judged: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Of the last of the steps, all in workers under a policy."""
    context = replace(world.context, judged=judged)
    *_, last = world.build(*steps, context=context, executor=None).values()
    assert isinstance(last, Done), last
    return last.facts


@pytest.mark.skipif(not LANDLOCK, reason="nothing keeps files apart here")
def test_of_the_store_a_step_reaches_only_what_it_takes(world: World) -> None:
    made = world.build(world.write("first"))["first"]
    assert isinstance(made, Done)
    there = made.folder / "text.txt"
    assert reasons(world, [there], "first") == {
        f"read {there}": "PermissionError",
        f"write {there}": "PermissionError",
        "given": "hello",
        "write given": "PermissionError",
    }
    assert there.read_text() == "hello"


@pytest.mark.skipif(not LANDLOCK, reason="nothing keeps files apart here")
@pytest.mark.parametrize("action", Action)
def test_no_step_reads_a_judged_split_but_the_one_that_prepares_it(world: World, action: Action) -> None:
    test, beside = world.folder / "test.npz", world.folder / "weights.bin"
    for path in (test, beside):
        path.write_text("x")
    found = reasons(world, [test, beside], judged=(test,), action=action)
    came = "done" if action is Action.PREPARE else "PermissionError"
    assert (found[f"read {test}"], found[f"read {beside}"]) == (came, "done")


@pytest.mark.skipif(not LANDLOCK, reason="nothing keeps files apart here")
def test_a_worker_that_may_read_a_judged_split_serves_no_step_that_may_not(world: World) -> None:
    test = world.folder / "test.npz"
    test.write_text("x")
    prepares = replace(world.step("prepares", "write", options={"text": "x"}), action=Action.PREPARE)
    tries = world.step("tries", "reach", "prepares", options={"paths": [str(test)]})
    assert facts(world, prepares, tries, judged=(test,))[f"read {test}"] == "PermissionError"


@pytest.mark.parametrize("action", Action)
def test_who_neither_trains_nor_scores_is_given_no_labels(world: World, action: Action) -> None:
    """A file of their name that lies deeper is an artifact's own."""
    sees = replace(world.step("sees", "see", "split"), action=action)
    given = facts(world, world.step("split", "split"), sees)["given"]
    labels = ["y.npy"] if action in (Action.CONVERT, Action.SCORE) else []
    assert given == ["0.npy", "artifact", *labels, "y.npy"]


def test_a_worker_that_ran_code_that_nobody_knows_serves_no_other_step(world: World) -> None:
    steps = [world.write("code", volatile=True), world.write("next", "code"), world.write("last", "next")]
    code, after, last = (result.facts["pid"] for result in world.build(*steps).values())
    assert code != after == last


def test_what_cannot_be_taken_fails_its_step_and_no_other(world: World) -> None:
    steps = (world.step("gone", "take_away"), world.step("next", "write", options={"text": "x"}))
    results = world.build(*steps, executor=None)
    assert isinstance(gone := results["gone"], Failed)
    assert gone.reason == "its output cannot be read: No such file or directory"
    assert isinstance(results["next"], Done)


@pytest.mark.skipif(not LANDLOCK, reason="nothing keeps files apart here")
@pytest.mark.parametrize("above", [False, True])
def test_a_link_in_the_place_of_an_output_is_neither_taken_nor_removed_through(world: World, above: bool) -> None:
    """What it leads to holds a folder of each name that the output could be looked for under."""
    victim = world.folder / "victim"
    (victim / "out").mkdir(parents=True)
    for folder in (victim, victim / "out"):
        (folder / "secret").write_text("x")
    step = world.step("plants", "plant_a_link", options={"there": str(victim), "above": above})
    result = world.build(step, executor=None)["plants"]
    assert isinstance(result, Failed)
    assert (victim / "secret").exists()
    assert (victim / "out" / "secret").exists()
    assert not list(world.store.root.glob("steps/*/*/out/secret"))
