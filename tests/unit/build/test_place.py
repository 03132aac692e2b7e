"""Where a worker works: it writes to no other's folder, and reads of a hidden one what it was given."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from deployspec.ir.artifact import Done, Failed
from deployspec.isolation import FILES, available

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import World

LANDLOCK = any(each.startswith(FILES) for each in available())


def reasons(world: World, paths: list[Path], *takes: str, judged: tuple[Path, ...] = ()) -> dict[str, str]:
    """What came of reading each path and of writing to it, in a worker under a policy."""
    steps = (world.write("first"), world.step("tries", "reach", *takes, options={"paths": list(map(str, paths))}))
    context = replace(world.context, judged=judged)
    result = world.build(*steps, context=context, executor=None)["tries"]
    assert isinstance(result, Done), result
    return result.facts


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
def test_no_step_that_makes_an_artifact_reads_a_judged_split(world: World) -> None:
    test, beside = world.folder / "test.npz", world.folder / "weights.bin"
    for path in (test, beside):
        path.write_text("x")
    found = reasons(world, [test, beside], judged=(test,))
    assert (found[f"read {test}"], found[f"read {beside}"]) == ("PermissionError", "done")


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
