"""A runner's process on this machine: started once, its runtime imported, given one job after the other."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from deployspec.lanes.environment import confined
from deployspec.lanes.program import ProgramFailed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from deployspec.isolation import Policy

GRACE_S: Final = 5
"""How long after its own watchdog a runner may still be alive before it is ended."""

_READY: Final = '{"ready"'
_ENDED_BY_ITS_WATCHDOG: Final = 128 + signal.SIGALRM


class LiveRunner:
    """Runs `protocol.py` with the first of `scripts`, copies of which lie in a folder of their own in `scratch`.

    It begins to import its runtime at once and forks a child for each repetition of a job, so that programs
    share nothing but the import. A job may name another runner that was brought. It keeps no more rights than `policy`
    leaves it.
    """

    def __init__(self, scripts: Sequence[Path], scratch: Path, policy: Policy | None = None) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="runner-", dir=scratch)
        self.bring(scripts)
        self._ready = False
        command = [sys.executable, "protocol.py", scripts[0].stem]
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - without a name, so that nobody can put another in its place
        self._process = subprocess.Popen(
            policy.command(command) if policy else command,
            cwd=self._folder.name,
            env=confined(os.environ, Path(self._folder.name).parent) | {"PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )

    def bring(self, scripts: Sequence[Path]) -> None:
        """Copy what is not there yet. Raises ProgramFailed for another file of a name that is taken."""
        for script in scripts:
            there = Path(self._folder.name, script.name)
            if not there.exists():
                shutil.copy(script, there)
            elif there.read_bytes() != script.read_bytes():
                raise ProgramFailed(f"two runners that share a process both ship a file '{script.name}': rename one")

    def wait(self, time_limit_s: float) -> None:
        """Until the runtime is imported. One that is not by then is ended, which its next job tells."""
        if self._ready:
            return
        assert self._process.stdout is not None
        with self._ended_after(time_limit_s):
            # What a runtime prints while it is imported is not for us.
            self._ready = any(line.startswith(_READY) for line in self._process.stdout)

    def do(self, folder: Path, nonce: str, time_limit_s: int, log: Path | int | None = None) -> str:
        """The lines that answer the job in `folder`, up to the one with `nonce`; what is said beside goes to `log`.

        Raises ProgramFailed when the runner hangs or ends, which leaves nothing but to close it.
        """
        self.wait(time_limit_s)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        lines: list[str] = []
        said_before = len(self._said())
        try:
            with self._ended_after(time_limit_s + GRACE_S) as ended:
                with suppress(BrokenPipeError):  # it has ended already: so will its answer
                    print(folder, file=self._process.stdin, flush=True)
                for line in self._process.stdout:
                    lines.append(line)
                    if nonce in line:
                        return "".join(lines)
                hung = ended.is_set() or self._process.wait() == _ENDED_BY_ITS_WATCHDOG
        finally:
            if log is not None:
                with open(log, "ab", closefd=not isinstance(log, int)) as stream:
                    stream.write(self._said()[said_before:])
        raise ProgramFailed(f"no answer within {time_limit_s} s" if hung else self._how_it_ended())

    @contextmanager
    def _ended_after(self, seconds: float) -> Iterator[threading.Event]:
        """Inside, the runner has so many seconds, and the event is set before it is ended for want of more.

        Whatever breaks in, nothing goes on waiting for them.
        """
        ended = threading.Event()

        def end() -> None:
            ended.set()
            self._end()

        watch = threading.Timer(seconds, end)
        watch.daemon = True
        try:
            watch.start()  # here already, something may break in
            yield ended
        finally:
            watch.cancel()

    def _said(self) -> bytes:
        """All that the runner and its children wrote to standard error."""
        return os.pread(self._log.fileno(), os.fstat(self._log.fileno()).st_size, 0)

    def close(self) -> None:
        """End the runner and the child that it waits for."""
        self._end()
        self._process.communicate()
        self._log.close()
        self._folder.cleanup()

    def _end(self) -> None:
        """Tell it to end, which takes its child with it; insist after a while."""
        self._process.terminate()
        try:
            self._process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def _how_it_ended(self) -> str:
        code = self._process.wait()
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"exited with code {code}"
        lines = [line for line in self._said().decode(errors="replace").splitlines() if line.strip()]
        return f"the runner {how} before its closing line" + (f": {lines[-1].strip()}" if lines else "")
