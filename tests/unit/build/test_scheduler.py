"""The scheduler, over real workers: order, sharing, caching, early cut-off, what a failure blocks."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from deployspec.build.scheduler import Due, build, foresee
from deployspec.build.store import Store
from deployspec.errors import DataFault, SourceFault, UsageError
from deployspec.ir.artifact import Done, Failed
from deployspec.ir.plan import Plan, Route, Toolchain

if TYPE_CHECKING:
    from collections.abc import Collection
    from concurrent.futures import Future
    from pathlib import Path

    from conftest import World

    from deployspec.build.messages import Answer, Task
    from deployspec.ir.plan import Step


class NoExecutor:
    """Room for everything; refuses to run anything."""

    def has_room(self) -> bool:
        return True

    def submit(self, task: Task, to_come: Collection[str]) -> Future[Answer]:
        raise AssertionError(f"step '{task.step.id}' was to be run")

    def close(self) -> None:
        pass


def test_a_diamond_runs_each_step_once_and_in_order(world: World) -> None:
    steps = (
        world.write("base"),
        world.write("left", "base", toolchain="left"),
        world.write("right", "base", toolchain="right"),
        world.write("top", "left", "right"),
    )
    results = world.build(*steps)
    assert list(results) == ["base", "left", "right", "top"]
    assert all(isinstance(result, Done) for result in results.values())
    assert (results["top"].folder / "text.txt").read_text() == "hello+hello"
    assert len(world.ledger()) == 3, "left and right are the same work, and so one entry"
    started = world.progress.of("started")
    assert started[0] == "base"
    assert started[-1] == "top"


def test_steps_of_one_toolchain_share_a_worker_and_others_do_not(world: World) -> None:
    one, two = world.write("one", text="1"), world.write("two", text="2")
    other = world.write("other", text="3", toolchain="other")
    results = world.build(one, two, other, jobs=1)
    pids = [results[step].facts["pid"] for step in ("one", "two", "other")]
    assert pids[0] == pids[1] != pids[2]


def test_longest_chain_first(world: World) -> None:
    short, long = world.write("short", text="s", cost_s=5), world.write("long", text="l", cost_s=1)
    after = world.write("after", "long", cost_s=20)
    world.build(short, long, after, jobs=1)
    assert world.progress.of("started") == ["long", "after", "short"]


def test_an_unchanged_second_run_starts_nothing(world: World) -> None:
    steps = world.write("a"), world.write("b", "a")
    first = world.build(*steps)
    second = world.build(*steps, executor=NoExecutor())
    assert [result.cached for result in first.values()] == [False, False]
    assert [result.cached for result in second.values()] == [True, True]
    assert {step: result.sha256 for step, result in first.items()} == {s: r.sha256 for s, r in second.items()}
    assert first["a"].facts == second["a"].facts
    assert first["a"].seconds == second["a"].seconds


def test_an_equal_output_cuts_off_what_follows(world: World) -> None:
    world.build(world.write("a", text="hello"), world.write("b", "a"))
    results = world.build(world.write("a", text="  hello  "), world.write("b", "a"))
    assert (results["a"].cached, results["b"].cached) == (False, True)
    assert len(world.ledger()) == 3


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"seed": 1}, id="the seed"),
        pytest.param({"digests": {"model": "1" * 64}}, id="the source"),
    ],
)
def test_what_a_step_depends_on_makes_it_run_again(world: World, change: dict[str, Any]) -> None:
    (world.folder / "weights.txt").write_text("w")
    step = world.step("read", "read_source", "model")
    world.build(step)
    result = world.build(step, context=replace(world.context, **change))["read"]
    assert not result.cached
    assert result.facts["seed"] == change.get("seed", 0)


def test_a_job_holds_the_model_and_the_specs_folder(world: World) -> None:
    (world.folder / "weights.txt").write_text("w")
    facts = world.build(world.step("read", "read_source", "model"))["read"].facts
    assert facts == {"text": "w", "model": "m", "scale": 0.5, "seed": 0}


def test_a_failure_blocks_what_needs_it_and_nothing_else(world: World) -> None:
    steps = (
        world.step("bad", "fail", options={"text": "shape (1, 3) does not fit"}),
        world.write("next", "bad"),
        world.write("last", "next"),
        world.write("good"),
    )
    results = world.build(*steps)
    bad = results["bad"]
    assert isinstance(bad, Failed)
    assert bad.reason == "ValueError: shape (1, 3) does not fit"
    assert bad.log is not None
    log = bad.log.read_text()
    assert "about to fail" in log
    assert "more that only the log shows" in log
    for blocked in ("next", "last"):
        expected = Failed(step=blocked, reason="needs 'bad', which failed", blocked_by="bad")
        assert results[blocked] == expected
    assert isinstance(results["good"], Done)


def test_a_failed_step_is_tried_again_by_the_next_run(world: World) -> None:
    for _ in range(2):
        result = world.build(world.step("bad", "fail"))["bad"]
        assert isinstance(result, Failed)
        assert result.log is not None
        assert result.log.read_text().count("about to fail") == 1, "the log is of the last try"
    assert world.progress.of("started") == ["bad", "bad"]


@pytest.mark.parametrize(("function", "kind"), [("bad_data", DataFault), ("bad_source", SourceFault)])
def test_a_fault_of_the_users_stops_the_run_as_itself(world: World, function: str, kind: type[Exception]) -> None:
    with pytest.raises(kind, match=r"(row 3|cut short)\n  step: \S+\n  log: /.*\.log$"):
        world.build(world.step("read", function), world.write("other", toolchain="other"))
    assert not list((world.store.root / "tmp").iterdir())
    assert isinstance(world.build(world.write("other"))["other"], Done), "no lock is left behind"


def test_an_output_that_no_manifest_can_name_fails_the_step(world: World) -> None:
    result = world.build(world.step("link", "link"))["link"]
    assert isinstance(result, Failed)
    assert "only regular files" in result.reason


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["b.pt", "a.pt"], "one file or folder is the artifact, and the conversion left 2: 'a.pt', 'b.pt'"),
        ([], "the conversion left no artifact"),
    ],
)
def test_a_step_that_leaves_other_than_one_artifact_fails(world: World, names: list[str], reason: str) -> None:
    step = world.step("lowered", "lower", options={"names": names})
    route = Route(target="t", format="f", steps=("lowered",), artifact="lowered", structure="lowered", runner=None)
    found = build(Plan(steps=(step,), routes=(route,)), world.store, world.context)["lowered"]
    assert isinstance(found, Failed)
    assert found.reason == f"its output: {reason}"


def test_nor_does_one_pass_that_only_leads_to_an_artifact(world: World) -> None:
    found = world.build(world.step("first", "lower", options={"names": ["a", "b"]}))["first"]
    assert isinstance(found, Failed)
    assert "left 2: 'a', 'b'" in found.reason


def test_a_missing_distribution_names_the_extra(world: World) -> None:
    tools = Toolchain(name="odd", distributions=("no-such-distribution",), extra="odd")
    step = world.step("a", "write", tools=tools)
    assert foresee(Plan(steps=(step,), routes=()), world.store, world.context) == {"a": Due(step="a")}
    with pytest.raises(UsageError, match=r"no-such-distribution: pip install 'deployspec\[odd\]'"):
        world.build(step)


def test_to_foresee_writes_nothing_and_starts_nothing(world: World) -> None:
    steps = world.write("a"), world.write("b", "a")
    plan = Plan(steps=steps, routes=())
    assert foresee(plan, world.store, world.context) == {"a": Due(step="a"), "b": Due(step="b")}
    assert not world.store.root.exists()
    built = world.build(steps[0])["a"]
    assert isinstance(built, Done)
    assert foresee(plan, world.store, world.context) == {"a": replace(built, cached=True), "b": Due(step="b")}


def due(world: World, *steps: Step, **change: Any) -> dict[str, tuple[str, ...]]:
    """What each step that is not held is due for."""
    ahead = foresee(Plan(steps=steps, routes=()), world.store, replace(world.context, **change))
    return {step: each.changes for step, each in ahead.items() if isinstance(each, Due)}


def test_a_step_that_is_due_tells_what_changed_since_it_was_last_run(world: World) -> None:
    steps = world.write("a"), world.write("b", "a")
    world.build(*steps)
    assert due(world, *steps) == {}
    other = world.write("a", text="other")
    assert due(world, other, steps[1]) == {"a": ("its option 'text' changed",), "b": ("its input 'a' is made anew",)}
    world.build(other)
    assert due(world, other, steps[1]) == {"b": ("its input 'a' changed",)}
    assert due(world, steps[0], steps[1]) == {}, "what was made before is held still"
    third = world.write("a", text="third")
    assert due(world, third, seed=1) == {"a": ("its option 'text' changed", "seed 0 → 1")}


def test_what_no_step_makes_is_told_by_its_name(world: World) -> None:
    (world.folder / "weights.txt").write_text("w")
    step = world.step("read", "read_source", "model")
    world.build(step)
    model = replace(world.context.model, version="2")
    changed = due(world, step, digests={"model": "1" * 64}, model=model)
    assert changed == {"read": ("its input 'model' changed", "model.version changed")}
    assert due(world, step, model=replace(model, name="another")) == {"read": ()}, "it was never run for this one"


@pytest.mark.parametrize("record", ["ingredients", "step"])
def test_an_entry_that_does_not_tell_what_it_was_made_of_is_held_and_compared_with_nothing(
    world: World, record: str
) -> None:
    step = world.write("a")
    made = world.build(step)["a"]
    assert isinstance(made, Done)
    path = made.folder.parent / "step.json"
    path.write_text(json.dumps({name: value for name, value in json.loads(path.read_text()).items() if name != record}))
    assert due(world, step) == {}
    assert due(world, world.write("a", text="other")) == {"a": ()}


def test_a_step_that_another_run_gives_up_is_begun_while_others_run(world: World, tmp_path: Path) -> None:
    long = {"started": str(world.folder / "started"), "go": str(world.folder / "go")}
    steps = world.step("long", "meet", toolchain="one", options=long), world.write("held", toolchain="two")
    elsewhere = replace(world, store=Store(tmp_path / "elsewhere"), progress=type(world.progress)())
    held = world.store.lock(elsewhere.build(steps[1])["held"].folder.parent.name)
    assert held is not None
    with ThreadPoolExecutor(1) as thread:
        run = thread.submit(world.build, *steps)
        try:
            world.until(lambda: {("waiting", "held"), ("started", "long")} <= set(world.progress.events))
            held.release()
            world.until(lambda: ("finished", "held") in world.progress.events)
            assert ("finished", "long") not in world.progress.events
        finally:
            (world.folder / "go").touch()
        assert all(isinstance(result, Done) for result in run.result().values())
    assert world.progress.of("waiting") == ["held"], "said once"


def test_two_equal_steps_of_different_toolchains_run_once(world: World) -> None:
    results = world.build(world.write("a", toolchain="one"), world.write("b", toolchain="two"))
    assert len(world.ledger()) == 1
    assert results["a"].sha256 == results["b"].sha256


def test_an_entry_whose_bytes_changed_is_made_again(world: World) -> None:
    first = world.build(world.write("a"))["a"]
    (first.folder / "text.txt").write_text("tampered")
    again = world.build(world.write("a"))["a"]
    assert not again.cached
    assert (again.folder / "text.txt").read_text() == "hello"
    assert not list((world.store.root / "tmp").iterdir())
