"""The program's side of one worker process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.reduction import send_handle
from pathlib import Path
from typing import TYPE_CHECKING, Final

from deployspec.isolation import available, end_beneath
from deployspec.lanes.environment import confined

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deployspec.build.messages import Task
    from deployspec.build.place import Place

EXIT_S: Final = 5
"""How long a worker that closed its connection may take to end by itself."""

_SUPERVISOR: Final = Path(__file__).with_name("supervisor.py")

TRIED_AGAIN: Final = "--- tried again, alone in a fresh worker ---"
"""In a log, between what two tries of a step wrote."""

_FATAL: Final = "Fatal Python error"
"""Where Python's fault handler begins its dump: what a step said last stands before."""


class WorkerLost(Exception):
    """The worker ended before it answered; the text says how."""


class WorkerProcess:
    """A live worker and all that it starts, in a `place` of its own. What it prints first goes to `log`.

    `served` counts its answers; `loaded` holds the distributions of the toolchains that it served.
    """

    def __init__(self, log: Path, place: Place, *, memory_limit_bytes: int | None = None) -> None:
        self.place = place
        self.served = 0
        self.loaded: set[str] = set()
        self._killed = False
        self._connection, theirs = Pipe()
        leash, self._leash = Pipe(duplex=False)
        command = [sys.executable, "-P", "-X", "faulthandler", "-m", "deployspec.build.worker"]
        command += map(str, (theirs.fileno(), leash.fileno(), memory_limit_bytes or 0))
        with log.open("ab") as stream:
            self._process = subprocess.Popen(
                _supervised(place.policy.command(command), leash.fileno()) if place.policy else command,
                pass_fds=(theirs.fileno(), leash.fileno()),
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
                env=worker_environment(os.environ, place.scratch),
            )
        theirs.close()
        leash.close()

    def ask(self, task: Task) -> bytes:
        """Run `task`, wait for the answer. Raises TimeoutError or WorkerLost; then only `close` is of use."""
        try:
            with task.log.open("ab") as stream:  # the worker gets the open file: it may reach none by its name
                self._connection.send(task)
                send_handle(self._connection, stream.fileno(), self._process.pid)
            if not self._connection.poll(task.step.time_limit_s):
                raise TimeoutError(f"no answer within {task.step.time_limit_s} s")
            answer = self._connection.recv_bytes()
        except (EOFError, ConnectionError):
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(EXIT_S)  # its own end tells more than ours would
            raise WorkerLost(self.kill()) from None
        self.served += 1
        self.loaded.update(task.step.toolchain.distributions)
        return answer

    def kill(self) -> str:
        """End every process that the worker started, and say how the worker itself ended. May be called again."""
        if not self._killed:  # once: later, the group's number may be somebody else's
            self._killed = True
            if self._process.poll() is None:
                self._end_strays()
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        code = self._process.wait()
        return f"exited with code {code}" if code >= 0 else f"was killed by {signal.Signals(-code).name}"

    def _end_strays(self) -> None:
        """End also what has left the group: it is beneath the process that we started, though that be stopped."""
        os.kill(self._process.pid, signal.SIGSTOP)
        ended: set[int] = set()
        while (found := end_beneath(self._process.pid)) - ended:
            ended |= found

    def close(self) -> None:
        """Kill the group and give the pipes back; no thread may be in `ask`."""
        self.kill()
        self._connection.close()
        self._leash.close()


def _supervised(command: list[str], leash: int) -> list[str]:
    """The command line of a policy, run by a supervisor: it ends what a worker that ends by itself has left running."""
    return [*command[:3], str(_SUPERVISOR), str(leash), *command[3:]] if available() else command


def worker_environment(environment: Mapping[str, str], scratch: Path) -> dict[str, str]:
    """What a worker may see of `environment`, with a fixed hash seed and output that is not held back."""
    return confined(environment, scratch) | {"PYTHONHASHSEED": "0", "PYTHONUNBUFFERED": "1"}


def last_lines(log: Path, count: int = 3) -> str:
    """The last `count` lines that the step's last try wrote itself, joined by ` | `; empty where it wrote none."""
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - 16384))
        text = stream.read().decode(errors="replace")
    lines = [line.strip() for line in text.rpartition(TRIED_AGAIN)[2].partition(_FATAL)[0].splitlines()]
    return " | ".join([line for line in lines if line][-count:])
