"""A live runner's process: what it may see of the environment, and what becomes of what it says."""

from __future__ import annotations

import json
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deployspec.lanes.environment import ONE_THREAD
from deployspec.lanes.live import LiveRunner
from deployspec.lanes.program import ProgramFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

TELLS = """\
import json, os, sys
print("printed by an import")
print(json.dumps({"ready": "runtime"}), flush=True)
for job in sys.stdin:
    print("said beside", file=sys.stderr, flush=True)
    print(json.dumps(dict(os.environ)))
    print(json.dumps({"done": True, "nonce": "n1"}), flush=True)
"""

SECRETS = ("DEPLOYSPEC_KEY", "DEPLOYSPEC_KEY_PASSPHRASE", "HF_TOKEN", "AWS_ACCESS_KEY_ID", "MY_API_KEY", "Db_Password")


def runner(folder: Path, program: str) -> LiveRunner:
    (folder / "protocol.py").write_text(program)
    (folder / "runtime.py").write_text("")
    return LiveRunner([folder / "runtime.py", folder / "protocol.py"], folder)


@pytest.fixture
def telling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LiveRunner]:
    for name in (*SECRETS, "MONKEY", "KEYBOARD"):
        monkeypatch.setenv(name, "x")
    live = runner(tmp_path, TELLS)
    yield live
    live.close()


def test_no_secret_reaches_the_models_code(telling: LiveRunner, tmp_path: Path) -> None:
    seen = json.loads(telling.do(tmp_path, "n1", 30).splitlines()[0])
    assert not set(SECRETS) & set(seen)
    assert {"MONKEY", "KEYBOARD", "PATH"} <= set(seen)
    assert {seen[each] for each in ONE_THREAD} == {"1"}


def test_each_job_has_its_own_share_of_what_is_said(telling: LiveRunner, tmp_path: Path) -> None:
    for _ in range(2):
        telling.do(tmp_path, "n1", 30, tmp_path / "log")
    assert (tmp_path / "log").read_text() == "said beside\n" * 2


def test_a_runner_that_ends_tells_how_and_what_it_said_last(tmp_path: Path) -> None:
    live = runner(tmp_path, "import sys\nprint('{\"ready\": 1}', flush=True)\ninput()\nsys.exit('no such runtime')\n")
    with pytest.raises(ProgramFailed, match=r"exited with code 1 before its closing line: no such runtime$"):
        live.do(tmp_path, "n1", 30)
    live.close()


def test_a_runtime_that_cannot_be_imported_tells_why(tmp_path: Path) -> None:
    live = runner(tmp_path, "raise SystemExit('no such library')\n")
    with pytest.raises(ProgramFailed, match=r"exited with code 1 before its closing line: no such library$"):
        live.do(tmp_path, "n1", 30)
    live.close()


def test_a_runner_that_was_ended_for_want_of_time_is_told_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deployspec.lanes.live.GRACE_S", 0.2)
    live = runner(tmp_path, "import signal\nprint('{\"ready\": 1}', flush=True)\ninput()\nsignal.pause()\n")
    live.wait(30)
    with pytest.raises(ProgramFailed, match=r"^no answer within 0 s$"):
        live.do(tmp_path, "n1", 0)
    live.close()


DEAF = """\
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print('{{"ready": 1}}', flush=True)
open("{folder}/pid", "w").write(str(os.getpid()))
input()
time.sleep(5)
open("{folder}/late", "w").close()
"""


def test_a_runner_that_does_not_listen_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deployspec.lanes.live.GRACE_S", 0.2)
    live = runner(tmp_path, DEAF.format(folder=tmp_path))
    live.wait(30)
    with pytest.raises(ProgramFailed, match=r"^no answer within 0 s$"):
        live.do(tmp_path, "n1", 0)
    live.close()
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text()}").exists()
    assert not (tmp_path / "late").exists()


def test_an_import_that_hangs_is_ended(tmp_path: Path) -> None:
    live = runner(tmp_path, "import signal\nsignal.pause()\n")
    with pytest.raises(ProgramFailed):
        live.do(tmp_path, "n1", 1)
    live.close()


def test_a_wait_that_is_broken_into_waits_no_longer(tmp_path: Path) -> None:
    def break_in(number: int, _: object) -> None:
        raise InterruptedError(number)

    live = runner(tmp_path, "input()\n")  # it never says that it is ready
    before = signal.signal(signal.SIGALRM, break_in)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        with pytest.raises(InterruptedError):
            live.wait(600)
        assert not timers_left()
    finally:
        signal.signal(signal.SIGALRM, before)
        live.close()


def test_a_wait_that_is_broken_into_as_it_begins_does_not_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = threading.Timer.start

    def broken_into(timer: threading.Timer) -> None:
        start(timer)
        raise InterruptedError

    monkeypatch.setattr(threading.Timer, "start", broken_into)
    live = runner(tmp_path, "input()\n")
    with pytest.raises(InterruptedError):
        live.wait(600)
    assert not timers_left()
    live.close()


def timers_left() -> list[threading.Thread]:
    """Those that would keep the program from ending, a while from now."""
    timers = [each for each in threading.enumerate() if isinstance(each, threading.Timer)]
    for each in timers:
        each.join(5)
    return [each for each in timers if each.is_alive()]


def test_two_runners_files_of_one_name_are_never_mixed_up(telling: LiveRunner, tmp_path: Path) -> None:
    telling.bring([tmp_path / "runtime.py"])
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "runtime.py").write_text("RUNTIME = 'another'\n")
    with pytest.raises(ProgramFailed, match=r"both ship a file 'runtime\.py': rename one"):
        telling.bring([tmp_path / "other" / "runtime.py"])
