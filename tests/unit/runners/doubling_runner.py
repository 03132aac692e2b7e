"""A runner of numpy alone: it gives back its inputs, doubled; an option makes it misbehave."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

RUNTIME = "doubling 1"


def load(artifact: str, options: dict[str, Any]) -> Any:
    assert Path(artifact).exists()
    seen = 0

    def run(arrays: Any) -> list[np.ndarray]:
        nonlocal seen
        seen += 1
        if len(arrays[0]) > options.get("widest", 1):
            raise ValueError(f"more than {options.get('widest', 1)} samples at a time")
        time.sleep(options.get("seconds", 0))
        if "tell" in options:
            file, name = options["tell"]
            with Path(file).open("a") as stream:
                stream.write(name)
        if "samples" in options:
            with Path(options["samples"]).open("a") as stream:
                stream.write(f"{arrays[0].flat[0]}\n")
        if seen == options.get("trouble_at"):
            trouble(options["trouble"])
        once = 3 if options.get("mode") == "thrice" else 2
        factor = options.get("factor", once) if len(arrays[0]) > 1 else once
        width = 1 if seen == options.get("narrow_at") else None
        dtype = "float64" if seen == options.get("widen_at") else "float32"
        return [factor * array[..., :width].astype(dtype) for array in arrays]

    run.facts = options.get("facts", {})
    return run


def trouble(kind: str) -> None:
    """Raise, print, hang, or take a process down."""
    if kind == "raise":
        raise ValueError("no such operator")
    if kind == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    if kind == "exit":
        os._exit(0)
    if kind == "kill the runner":
        os.kill(os.getppid(), signal.SIGKILL)
    if kind == "print":
        os.write(1, b'{"done": true}\n{"task"')
        print("a layer was skipped", end="", flush=True)
    if kind == "hang":
        Path(os.environ["DOUBLING_PID"]).write_text(str(os.getpid()))
        threading.Event().wait()
