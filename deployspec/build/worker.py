"""The child process that runs steps: `python -m deployspec.build.worker CONNECTION LEASH MEMORY`.

They are those of one toolchain, or of several that share a process.

Tasks and answers travel on a socket of their own, so that whatever a framework prints goes to the step's log.
The process leads its own group and holds one end of a pipe, the leash, that nobody writes to: once the program
has gone, for whatever reason, the whole group is killed.
"""

from __future__ import annotations

import fcntl
import gc
import importlib
import os
import resource
import shutil
import signal
import sys
import threading
import time
import traceback
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle
from typing import TYPE_CHECKING, Any

from deployspec.build.messages import Answer, Task, encode_answer, encode_error
from deployspec.errors import DeploySpecError, StepFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deployspec.ir.plan import Toolchain


def main(connection: int, leash: int, memory_limit_bytes: int) -> None:
    """Run tasks until the program closes the connection. A limit of 0 is none."""
    for descriptor in (connection, leash):
        os.set_inheritable(descriptor, False)
    _die_with_the_program(leash)
    if memory_limit_bytes:
        _limit_memory(memory_limit_bytes)
    with Connection(connection) as pipe, suppress(EOFError):
        while True:
            task = pipe.recv()
            _print_to(recv_handle(pipe))
            pipe.send_bytes(_serve(task))


def _serve(task: Task) -> bytes:
    """Run the step; whatever it raises, even SystemExit, becomes an answer."""
    try:
        _preload(task.step.toolchain)
        return encode_answer(_run(task))
    except BaseException as error:  # the step is other people's code
        with suppress(OSError):  # the log's disk may be full
            traceback.print_exception(error)
        return encode_error(error, _reason(error))


def _preload(toolchain: Toolchain) -> None:
    """Import the toolchain's modules that are not there yet, with the garbage collector at rest.

    A framework's import makes a million objects and hardly any garbage: looking for it took a fifth of the time.
    """
    absent = [module for module in toolchain.preload if module not in sys.modules]
    if not absent:
        return
    gc.disable()
    try:
        with _only(toolchain.block):
            for module in absent:
                importlib.import_module(module)
        gc.freeze()  # what is there now stays: no later collection need walk over it
    finally:
        gc.enable()


def _run(task: Task) -> Answer:
    module, _, name = task.step.function.partition(":")
    function = getattr(importlib.import_module(module), name)
    shutil.rmtree(task.job.out, ignore_errors=True)  # what an earlier, crashed try left
    task.job.out.mkdir(parents=True)
    start = time.perf_counter()
    facts: dict[str, Any] = function(task.job)
    return Answer(facts=facts, seconds=time.perf_counter() - start)


def _print_to(log: int) -> None:
    """Send standard output and error, those of native code too, to the file that is open as `log`."""
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)


@contextmanager
def _only(block: tuple[str, ...]) -> Iterator[None]:
    """Inside, importing a module of `block` that is not loaded yet raises ImportError."""
    hidden = [name for name in block if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None is how Python marks them
    try:
        yield
    finally:
        for name in hidden:
            sys.modules.pop(name, None)


def _reason(error: BaseException) -> str:
    """One line that says what went wrong; the log has the traceback."""
    if isinstance(error, StepFailed):
        return error.reason
    if isinstance(error, DeploySpecError):
        return str(error)
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    kind = "out of memory (MemoryError)" if isinstance(error, MemoryError) else type(error).__name__
    return f"{kind}: {lines[0]}" if lines else kind


def _limit_memory(limit_bytes: int) -> None:
    """Let allocations beyond `limit_bytes` fail, for this process and those it starts."""
    for limit in (resource.RLIMIT_DATA, resource.RLIMIT_AS):
        with suppress(ValueError, OSError):
            resource.setrlimit(limit, (limit_bytes, limit_bytes))
            return


def _die_with_the_program(leash: int) -> None:
    """Kill this process's group when the other end of the pipe `leash` closes.

    On Linux the kernel does it, even while native code holds the interpreter's lock; a thread does it anywhere.
    """
    if sys.platform == "linux":
        fcntl.fcntl(leash, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(leash, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(leash, fcntl.F_SETFL, fcntl.fcntl(leash, fcntl.F_GETFL) | os.O_ASYNC)
    threading.Thread(target=_watch, args=(leash,), daemon=True).start()


def _watch(leash: int) -> None:
    with suppress(OSError):  # a step that closes whatever is open has let it go
        os.read(leash, 1)
        os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
