"""Starts a worker, and once it has ended ends whatever it left: `python -I -S supervisor.py LEASH SCRIPT ARGUMENT…`.

SCRIPT, which takes rights away from itself and becomes the worker, runs in a child: no second interpreter is started.
The supervisor keeps its rights, out of reach for what is under the worker's policy, and ends as the worker did.
"""

from __future__ import annotations

import ctypes
import os
import resource
import runpy
import select
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deployspec import isolation
else:
    sys.path.append(str(Path(__file__).parents[1]))
    import isolation  # alone, without all that importing its package costs

_ADOPT_ORPHANS = 36


def main(leash: int, *script: str) -> None:
    """Until the worker ends or the program lets go of the `leash`; then end all that is beneath us, and ourselves."""
    ctypes.CDLL(None).prctl(_ADOPT_ORPHANS, 1, 0, 0, 0)
    child = os.fork()
    if child == 0:
        sys.argv = list(script)
        runpy.run_path(script[0], run_name="__main__")
    os.closerange(3, leash)  # the worker's connection ends with the worker
    os.closerange(leash + 1, 1 << 16)
    ended = select.poll()
    for descriptor in (os.pidfd_open(child), leash):
        ended.register(descriptor, select.POLLIN)
    ended.poll()
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    isolation.end_orphans()
    _end_like(status)


def _end_like(status: int) -> None:
    """End with the exit code, or by the signal, of a process with this status."""
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # one dump is enough
        with suppress(OSError):  # SIGKILL's way cannot be chosen
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
