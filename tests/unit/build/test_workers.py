"""Workers that crash, hang, print and allocate: a failed step with its story, never a dead program."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deployspec.build.messages import Answer, decode_answer, encode_answer, encode_error
from deployspec.build.process import last_lines, worker_environment
from deployspec.errors import DataFault
from deployspec.ir.artifact import Done, Failed, StepResult
from deployspec.ir.plan import Toolchain
from deployspec.isolation import available
from deployspec.lanes.environment import ONE_THREAD

if TYPE_CHECKING:
    from conftest import World


def alive(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def failure(results: dict[str, StepResult], step: str) -> Failed:
    result = results[step]
    assert isinstance(result, Failed)
    return result


def test_a_killed_worker_fails_its_step_and_no_other(world: World) -> None:
    results = world.build(world.step("dead", "kill_itself"), world.write("next"), world.write("more", text="2"))
    dead = failure(results, "dead")
    assert dead.reason == (
        "its worker was killed by SIGKILL (the system may have run out of memory); last lines: converting layer 7"
    )
    assert dead.log is not None
    assert dead.log.read_text() == "converting layer 7\n"
    assert isinstance(results["next"], Done)
    assert isinstance(results["more"], Done)


def test_a_step_that_dies_in_a_shared_worker_is_tried_again_alone(world: World) -> None:
    tries = world.folder / "tries"
    dies = world.step("dies", "kill_a_shared_worker", "first", options={"tries": str(tries)})
    results = world.build(world.write("first"), dies, world.write("after", "dies"))
    assert results["dies"].facts["pid"] != results["first"].facts["pid"]
    assert [path.name for path in results["dies"].folder.iterdir()] == ["text.txt"], "the first try's half is gone"
    assert len(tries.read_text().split()) == 2
    assert isinstance(results["after"], Done)


def test_a_step_that_dies_alone_is_not_tried_again(world: World) -> None:
    tries = world.folder / "tries"
    results = world.build(world.step("dies", "kill_a_shared_worker", options={"tries": str(tries)}))
    assert "SIGKILL" in failure(results, "dies").reason
    assert len(tries.read_text().split()) == 1


def test_a_segfault_shows_what_the_step_said_and_keeps_the_dump(world: World) -> None:
    result = failure(world.build(world.step("bad", "segfault")), "bad")
    assert result.reason == "its worker was killed by SIGSEGV; last lines: reading the null page"
    assert result.log is not None
    assert "in segfault" in result.log.read_text()


def test_a_worker_that_exits_is_a_failed_step(world: World) -> None:
    results = world.build(world.step("leave", "leave"), world.step("vanish", "vanish"))
    assert failure(results, "leave").reason == "SystemExit: 3"
    assert failure(results, "vanish").reason == "its worker exited with code 3; last lines: good bye"


def test_a_worker_that_ends_slowly_is_not_blamed_on_a_signal(world: World) -> None:
    result = failure(world.build(world.step("slow", "vanish_slowly")), "slow")
    assert result.reason == "its worker exited with code 7"


def test_a_step_that_hangs_is_ended_with_all_that_it_started(world: World) -> None:
    pids = world.folder / "pids"
    hang = world.step("hang", "hang", "first", options={"pids": str(pids)}, time_limit_s=2)
    results = world.build(world.write("first"), hang, world.write("next", text="2", cost_s=0.1))
    assert failure(results, "hang").reason == "no answer within 2 s"
    assert isinstance(results["next"], Done)
    world.until(lambda: not any(alive(int(pid)) for pid in pids.read_text().split()))


@pytest.mark.skipif(not available(), reason="nothing supervises workers here")
def test_what_a_worker_leaves_that_ends_by_itself_is_ended_too(world: World) -> None:
    leave = world.step("leave", "leave_a_daemon_and_end", cost_s=9)
    left, after = world.build(leave, world.step("next", "environment"), executor=None, jobs=1).values()
    assert isinstance(left, Done)
    assert isinstance(after, Done)
    assert not alive(left.facts["daemon"])


def test_whatever_a_step_prints_goes_to_its_log(world: World) -> None:
    results = world.build(world.step("shout", "shout"), world.write("next"))
    shout = results["shout"]
    assert isinstance(shout, Done)
    assert shout.facts == {"forged": False}
    assert shout.log is not None
    log = shout.log.read_text()
    assert all(word in log for word in ('"forged": true', '"native"', "child", "error", "forked"))
    assert isinstance(results["next"], Done)
    assert (results["next"].log or Path()).read_text() == ""


def test_facts_that_are_no_json_fail_the_step(world: World) -> None:
    assert failure(world.build(world.step("nan", "not_json")), "nan").reason.startswith(
        "ValueError: Out of range float"
    )


@pytest.mark.parametrize(
    "message",
    [
        b"", b"\xff", b"[" * 100_000, b"[]", b"{}", b"3", b'{"facts": {}}', b'{"facts": [], "seconds": 1}',
        b'{"facts": {}, "seconds": NaN}', b'{"facts": {}, "seconds": "1"}', b'{"fault": "DataFault"}', b'{"reason": 3}',
    ],
)  # fmt: skip
def test_an_answer_of_another_form_fails_the_step(message: bytes) -> None:
    assert decode_answer(message) == "its worker answered with something else than what a step found"


def test_what_is_no_text_is_made_text_where_it_comes_in() -> None:
    """A file's name that is not UTF-8 holds halves of surrogate pairs, which no report can be written with."""
    answer = Answer(facts={"remarks": ["caf\udce9 \U0001f600"]}, seconds=1)
    assert decode_answer(encode_answer(answer)) == Answer(facts={"remarks": ["caf? \U0001f600"]}, seconds=1)
    assert decode_answer(encode_error(ValueError(), "no 'caf\udce9'")) == "no 'caf?'"
    fault = decode_answer(encode_error(DataFault("no 'caf\udce9'"), ""))
    assert (type(fault), str(fault)) == (DataFault, "no 'caf?'")


def test_a_memory_limit_holds(world: World) -> None:
    context = replace(world.context, memory_limit_bytes=400_000_000)
    small = world.step("small", "hog", options={"bytes": 10_000_000})
    large = world.step("large", "hog", options={"bytes": 800_000_000})
    results = world.build(small, large, context=context, executor=None)
    assert isinstance(results["small"], Done)
    assert failure(results, "large").reason == "out of memory (MemoryError)"
    assert isinstance(world.build(large)["large"], Done), "without a limit it fits"


def test_no_secret_reaches_a_worker(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = ("DEPLOYSPEC_KEY", "DEPLOYSPEC_KEY_PASSPHRASE", "GITHUB_TOKEN", "aws_secret_access_key", "DB_PASSWORD")
    for name in secrets:
        monkeypatch.setenv(name, "hush")
    monkeypatch.setenv("HARMLESS", "seen")
    seen = world.build(world.step("look", "environment"), executor=None)["look"].facts
    assert "hush" not in json.dumps(seen)
    assert seen["HARMLESS"] == "seen"
    assert {*(seen[each] for each in ONE_THREAD), seen["PYTHONUNBUFFERED"]} == {"1"}
    assert seen["PYTHONHASHSEED"] == "0"
    assert Path(seen["TMPDIR"]).is_relative_to(world.store.root / "tmp")


def test_the_environment_keeps_what_is_no_secret() -> None:
    kept = worker_environment({"PATH": "/bin", "HF_TOKEN": "x", "MONKEY": "y"}, Path("/scratch"))
    assert kept["PATH"] == "/bin"
    assert kept["MONKEY"] == "y"
    assert "HF_TOKEN" not in kept


def test_preload_runs_without_the_blocked_modules_and_takes_the_block_away(world: World) -> None:
    tools = Toolchain(name="t", preload=("wave",), block=("colorsys",))
    options = {"modules": ["wave", "colorsys"]}
    facts = world.build(world.step("a", "loaded", tools=tools, options=options))["a"].facts
    assert facts == {"wave": True, "colorsys": False}


def test_a_preload_that_meets_a_block_fails_the_step(world: World) -> None:
    tools = Toolchain(name="t", preload=("wave",), block=("wave",))
    reason = failure(world.build(world.step("a", "loaded", tools=tools, options={"modules": []})), "a").reason
    assert reason.startswith("ModuleNotFoundError: import of wave halted")


def test_nothing_is_left_running(world: World) -> None:
    results = world.build(world.write("a"), world.write("b", text="2", toolchain="other"))
    assert not any(alive(result.facts["pid"]) for result in results.values())


def test_what_a_step_imports_stays_in_its_worker(world: World) -> None:
    before = set(sys.modules)
    world.build(world.step("a", "loaded", options={"modules": ["this"]}))
    assert not {"this", "build_steps", "torch"} & (set(sys.modules) - before)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("one\n\n  two \n", "one | two"),
        ("a\nb\nc\nd\n", "b | c | d"),
        ("first\n--- tried again, alone in a fresh worker ---\nsecond\n", "second"),
        ("said\nFatal Python error: Aborted\n\nThread 1:\n  File x\n", "said"),
    ],
)
def test_last_lines(tmp_path: Path, text: str, expected: str) -> None:
    log = tmp_path / "log"
    log.write_text(text)
    assert last_lines(log) == expected
