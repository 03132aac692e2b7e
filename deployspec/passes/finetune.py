"""The finetune hook: the project's own code that trains a pruned model on, and sees the training split only."""

from __future__ import annotations

import random
import sys
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from deployspec.contract import ContractBroken, compare
from deployspec.errors import SourceFault
from deployspec.runners.callables import import_file, located

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import ModuleType

    from deployspec.ir.artifact import Job


REOPENED: Final = 1e-5
"""How far the answers of the reopened model may be from the pruned one's, as a share of their spread."""


class TrainSplit(NamedTuple):
    """The training split as the model gets it: preprocessed, in its layout and dtypes."""

    inputs: tuple[np.ndarray, ...]
    """One array (n, …) for each argument of the model, in their order."""
    y: np.ndarray | None
    """The labels (n, …), None where the split has none."""


def finetune(job: Job, model: Any) -> Any:
    """What the hook of the job's option "finetune" returns for `model` and the split of the role "train".

    Python's and numpy's generators are seeded here; the caller seeds its framework's. Raises SourceFault when the hook
    raises or returns nothing.
    """
    hook = job.options["finetune"]
    random.seed(job.seed)
    np.random.seed(job.seed)  # noqa: NPY002, RUF100 - the hook may draw from numpy's own generator
    file, _, name = hook.partition(":")
    path = (job.inputs["finetune"] / file).resolve()
    try:
        tuned = getattr(_module(path), name)(model, train_split(job))
    except Exception as error:
        raise SourceFault(f"the finetune hook {hook} failed: {located(error, path)}") from error
    if tuned is None:
        raise SourceFault(f"the finetune hook {hook} returned None: return the model")
    return tuned


def train_split(job: Job) -> TrainSplit:
    """The prepared split of the role "train"; inputs are read from the disk as they are used, and may be written to."""
    folder = job.inputs["train"]
    inputs = tuple(np.load(folder / f"{i}.npy", mmap_mode="c") for i in range(len(job.model.inputs)))
    labels = folder / "y.npy"
    return TrainSplit(inputs, np.load(labels) if labels.exists() else None)


def refuse_another(job: Job, made: Sequence[np.ndarray], reopened: Sequence[np.ndarray]) -> None:
    """Raises SourceFault when the weights of what was `made`, in the spec's own model, do not answer like it."""
    names = [each.name for each in job.model.outputs]
    try:
        compare(made, reopened, names, REOPENED)
    except ContractBroken as error:
        source = f"what {job.options['finetune']} returned" if job.options["finetune"] else "the pruned model"
        raise SourceFault(
            f"{source} is not the spec's model with other weights: built again from these, {error}"
        ) from error


def _module(path: Path) -> ModuleType:
    """The file's module: the one that made the model where both are one file, so that their classes are the same."""
    loaded = (each for each in list(sys.modules.values()) if getattr(each, "__file__", None) == str(path))
    return next(loaded, None) or import_file(path)
