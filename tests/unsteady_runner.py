"""A runner of numpy alone, of a linear layer in an .npz (or a folder's `source.npz`); an option makes it unsteady."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

RUNTIME = "unsteady 1"


def load(artifact: str, options: dict[str, Any]) -> Any:
    if options.get("trouble") == "unloadable":
        raise MemoryError("too large")
    path = Path(artifact)
    layer = np.load(path / "source.npz" if path.is_dir() else path)
    weight, bias = layer["weight"], layer["bias"]
    trouble = TROUBLES.get(options.get("trouble") or options["source"].partition(".")[0], _none)
    calls = 0

    def run(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        nonlocal calls
        calls += 1
        return [trouble(arrays[0], (arrays[0] @ weight.T + bias).astype(np.float32), calls)]

    return run


def _none(x: np.ndarray, y: np.ndarray, calls: int) -> np.ndarray:
    return y


def _hot(x: np.ndarray, y: np.ndarray, calls: int) -> np.ndarray:
    """NaN for what lies at the upper end of the range, 1, throughout."""
    return np.where((x == 1).all(axis=1, keepdims=True), np.float32("nan"), y)


def _forgetful(x: np.ndarray, y: np.ndarray, calls: int) -> np.ndarray:
    """A little more at each call, far below what the contract sees."""
    return y + np.float32(1e-5) * calls


def _moody(x: np.ndarray, y: np.ndarray, calls: int) -> np.ndarray:
    """The same in one process, and another in the next."""
    return y + np.float32(1e-5) * (os.getpid() % 1000)


def _crowded(x: np.ndarray, y: np.ndarray, calls: int) -> np.ndarray:
    """Three samples together lose a column."""
    return y[:, :-1] if len(x) == 3 else y


def _wide(x: np.ndarray, y: np.ndarray, calls: int) -> np.ndarray:
    return y if x.any() else y.astype(np.float64)


def _picky(x: np.ndarray, y: np.ndarray, calls: int) -> np.ndarray:
    if not x.any():
        raise ValueError("nothing\nin it")
    return y


def _fragile(x: np.ndarray, y: np.ndarray, calls: int) -> np.ndarray:
    """Numbers below the normal ones end the process."""
    if 0 < np.abs(x).max() < np.finfo(np.float32).tiny:
        os.kill(os.getpid(), signal.SIGSEGV)
    return y


def _nervous(x: np.ndarray, y: np.ndarray, calls: int) -> np.ndarray:
    """Decides otherwise for whatever is not made of whole 64ths."""
    odd = (x * 64 != np.rint(x * 64)).any(axis=1, keepdims=True)
    return np.where(odd, np.roll(y, 1, axis=1), y)


TROUBLES: dict[str, Callable[[np.ndarray, np.ndarray, int], np.ndarray]] = {
    "none": _none,
    "hot": _hot,
    "forgetful": _forgetful,
    "moody": _moody,
    "crowded": _crowded,
    "wide": _wide,
    "picky": _picky,
    "fragile": _fragile,
    "nervous": _nervous,
}
