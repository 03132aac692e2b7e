"""The task "watch" of `protocol.py`: call the model again and again, and say of each call what came out.

What an answer was is written down before the next call is made, so that a crash leaves all the calls before it.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def watch(
    load: Callable[..., Any], job: dict[str, Any], task: dict[str, Any], inputs: Sequence[np.ndarray]
) -> dict[str, Any]:
    """Answer each of `task["calls"]`, which are lists of rows of `inputs`, in order; `task["rounds"]` times over.

    The file `task["out"]` gets a JSON line for each: `forms` (dtype, then shape, of every output), whether all of them
    are `finite`, and the `sha256` of their bytes; or the `error` that was raised. Returns the model's own facts.
    """
    run = load(job["artifact"], job["options"])
    with Path(task["out"]).open("w") as told:
        for rows in task["calls"] * task["rounds"]:
            print(json.dumps(_answer(run, [each[rows] for each in inputs])), file=told, flush=True)
    return dict(getattr(run, "facts", {}))


def _answer(run: Callable[..., Any], arrays: Sequence[np.ndarray]) -> dict[str, Any]:
    try:
        outputs = run(arrays)
    except Exception as error:  # noqa: BLE001, RUF100 - whatever it is, it is this call's answer
        return {"error": f"{type(error).__name__}: {error}".splitlines()[0]}
    digest = hashlib.sha256()
    for each in outputs:
        digest.update(each.tobytes())
    return {
        "forms": [[str(each.dtype), *each.shape] for each in outputs],
        "finite": all(bool(np.isfinite(each).all()) for each in outputs),
        "sha256": digest.hexdigest(),
    }
