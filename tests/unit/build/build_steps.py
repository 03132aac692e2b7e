"""Steps for the tests of the build: small functions that behave, misbehave or wait, in a real worker."""

from __future__ import annotations

import ctypes
import importlib
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deployspec.errors import DataFault, SourceFault

if TYPE_CHECKING:
    from collections.abc import Callable

    from deployspec.ir.artifact import Job


def write(job: Job) -> dict[str, Any]:
    """Write the option `text` without its blanks: two spellings, one output."""
    _count(job)
    (job.out / "text.txt").write_text(job.options["text"].strip())
    return {"pid": os.getpid()}


def join(job: Job) -> dict[str, Any]:
    """Write the texts of all inputs, in the order of their roles."""
    _count(job)
    texts = [(folder / "text.txt").read_text() for _, folder in sorted(job.inputs.items())]
    (job.out / "text.txt").write_text("+".join(texts))
    return {"pid": os.getpid()}


def read_source(job: Job) -> dict[str, Any]:
    return {
        "text": (job.inputs["model"] / "weights.txt").read_text(),
        "model": job.model.name,
        "scale": job.model.inputs[0].preprocess.scale if job.model.inputs[0].preprocess else None,
        "seed": job.seed,
    }


def fail(job: Job) -> dict[str, Any]:
    print("about to fail")
    raise ValueError(f"{job.options.get('text', 'no')}\nmore that only the log shows")


def leave(job: Job) -> dict[str, Any]:
    sys.exit(3)


def vanish(job: Job) -> dict[str, Any]:
    print("good bye")
    os._exit(3)


def vanish_slowly(job: Job) -> dict[str, Any]:
    """Close what the worker talks through, as a library's clean-up may, and take a while to end."""
    os.closerange(3, 256)
    time.sleep(0.3)
    os._exit(7)


def bad_data(job: Job) -> dict[str, Any]:
    raise DataFault("data/test.npz holds a NaN in row 3")


def bad_source(job: Job) -> dict[str, Any]:
    raise SourceFault("weights.safetensors is cut short")


def kill_itself(job: Job) -> dict[str, Any]:
    print("converting layer 7")
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def kill_a_shared_worker(job: Job) -> dict[str, Any]:
    """Die in a worker that has run `write` before, as a step does that an earlier one has harmed."""
    tries = Path(job.options["tries"])
    with tries.open("a") as stream:
        stream.write(f"{os.getpid()}\n")
    if len(tries.read_text().split()) == 1:
        (job.out / "half.txt").write_text("half")
        os.kill(os.getpid(), signal.SIGKILL)
    (job.out / "text.txt").write_text("whole")
    return {"pid": os.getpid()}


def segfault(job: Job) -> dict[str, Any]:
    print("reading the null page")
    ctypes.string_at(0)
    return {}


def hang(job: Job) -> dict[str, Any]:
    """Start a process and wait with it for ever."""
    child = subprocess.Popen([sys.executable, "-c", "import threading; threading.Event().wait()"])
    Path(job.options["pids"]).write_text(f"{os.getpid()} {child.pid}")
    threading.Event().wait()
    return {}


def hold_the_interpreter(job: Job) -> dict[str, Any]:
    """Keep the interpreter's lock in native code, as a converter may."""
    Path(job.options["pids"]).write_text(f"{os.getpid()}")
    re.match(r"(a+)+b", "a" * 64)
    return {}


def meet(job: Job) -> dict[str, Any]:
    """Say that the step runs, then wait until it may go on."""
    _count(job)
    started, go = Path(job.options["started"]), Path(job.options["go"])
    (job.out / "text.txt").write_text("half")
    started.write_text(str(os.getpid()))
    while not go.exists():
        time.sleep(0.01)
    (job.out / "text.txt").write_text("whole")
    return {}


def shout(job: Job) -> dict[str, Any]:
    """Print in every way there is, also what looks like an answer."""
    print('{"facts": {"forged": true}, "seconds": 0}', flush=True)
    os.write(1, b'\x00\x00\x00\x02{}"native"\n')
    subprocess.run(["/bin/sh", "-c", "echo child; echo error >&2"], check=True)
    process = multiprocessing.get_context("fork").Process(target=print, args=("forked",))
    process.start()
    process.join()
    return {"forged": False}


def hog(job: Job) -> dict[str, Any]:
    return {"bytes": len(bytearray(job.options["bytes"]))}


def environment(job: Job) -> dict[str, Any]:
    return dict(os.environ)


def not_json(job: Job) -> dict[str, Any]:
    return {"loss": float("nan")}


def link(job: Job) -> dict[str, Any]:
    (job.out / "link").symlink_to("/etc/hosts")
    return {}


def fill_the_disk(job: Job) -> dict[str, Any]:
    """Write until nothing more fits, and have much to tell."""
    with (job.out / "big.bin").open("wb", buffering=0) as stream:
        try:
            while stream.write(b"x" * 4096):
                pass
        except OSError:
            for _ in range(job.options["lines"]):
                print("x" * 4096)
    return {"note": "x" * 8192}


def reach(job: Job) -> dict[str, Any]:
    """What comes of reading and of writing each path, and of writing to what the step was given."""
    facts = {}
    for path in map(Path, job.options["paths"]):
        facts |= {f"read {path}": _tried(path.read_text), f"write {path}": _tried(lambda path=path: path.open("a"))}
    for folder in job.inputs.values():
        given = folder / "text.txt"
        facts |= {"given": given.read_text(), "write given": _tried(lambda given=given: given.open("a"))}
    return facts


def see(job: Job) -> dict[str, Any]:
    """The names of all that the step was given."""
    return {"given": sorted(path.name for folder in job.inputs.values() for path in folder.rglob("*"))}


def split(job: Job) -> dict[str, Any]:
    """What looks like a prepared split, and has a folder in which a file is called as labels are."""
    for path in (job.out / "0.npy", job.out / "y.npy", job.out / "artifact" / "y.npy"):
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
    return {}


def _tried(act: Callable[[], object]) -> str:
    try:
        act()
    except OSError as error:
        return type(error).__name__
    return "done"


def take_away(job: Job) -> dict[str, Any]:
    """Remove the folder for the output."""
    job.out.rmdir()
    return {}


def loaded(job: Job) -> dict[str, Any]:
    """Which modules the worker has loaded before the step, and that they can be loaded now."""
    before = {name: name in sys.modules for name in job.options["modules"]}
    for name in before:
        importlib.import_module(name)
    return before


def _count(job: Job) -> None:
    """One line in the ledger for each execution."""
    if "ledger" in job.options:
        with Path(job.options["ledger"]).open("a") as ledger:
            ledger.write(f"{job.out.parent.name}\n")


def lower(job: Job) -> dict[str, Any]:
    """Write the files of the option `names` where the artifact belongs."""
    for name in job.options["names"]:
        (job.artifact / name).write_text(name)
    return {}


def plant_a_link(job: Job) -> dict[str, Any]:
    """Put a link to the folder of the option `there` in the place of the output, or of the folder that it lies in."""
    place = job.out.parent if job.options["above"] else job.out
    place.rename(place.with_name("aside"))
    place.symlink_to(job.options["there"])
    return {}


def leave_a_daemon_and_end(job: Job) -> dict[str, Any]:
    """Start a process in a session of its own that holds nothing of ours, and end once the step's answer is sent."""
    here, there = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if pid := os.fork():
            os.write(there, str(pid).encode())
            os._exit(0)
        os.closerange(0, 256)
        time.sleep(60)
        os._exit(0)
    os.wait()
    send = Connection.send_bytes
    Connection.send_bytes = lambda *answer: (send(*answer), os._exit(0))
    return {"daemon": int(os.read(here, 20))}
