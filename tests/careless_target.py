"""A target that keeps the contract and breaks another promise, a different one by each value of its option."""

from __future__ import annotations

import time
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np

from deployspec.contract import probe_files
from deployspec.ir.plan import TORCH_MODULE, Form, Inspector, Lowering, Runner
from deployspec.sources.torch_module import TORCH
from deployspec.targets import torchscript

if TYPE_CHECKING:
    from collections.abc import Callable

    from deployspec.ir.artifact import Job
    from deployspec.ir.model import Model
    from deployspec.ir.structure import Structure

CARELESS: Form = "careless"


@dataclass(frozen=True, kw_only=True)
class Careless:
    """Options of a `format = "careless"` target."""

    name: ClassVar[str] = "careless"
    form: ClassVar[str] = CARELESS
    suffixes: ClassVar[tuple[str, ...]] = (".pt",)
    has_delegates: ClassVar[bool] = False
    remark: ClassVar[str] = "only for tests"
    reasons: ClassVar[dict[str, str]] = {}

    about: str = "nothing"

    def lowerings(self) -> tuple[Lowering, ...]:
        """TorchScript's float32, and the same under the name of a scheme."""
        plain = Lowering(
            name="float32", takes=(TORCH_MODULE,), gives=CARELESS, function=f"{__name__}:lower",
            toolchain=TORCH, tolerance=0.5, options={"about": self.about, "method": "trace"},
        )  # fmt: skip
        return plain, replace(plain, name="int8", realises="int8")

    def runner(self) -> Runner:
        """That of TorchScript."""
        return torchscript.TorchScript().runner()

    def inspector(self) -> Inspector:
        """That of TorchScript, or one that cannot count."""
        theirs = torchscript.TorchScript().inspector()
        return replace(theirs, function=f"{__name__}:miscount") if self.about == "counting" else theirs


def lower(job: Job) -> dict[str, Any]:
    """Lower as TorchScript does, then be careless."""
    facts = torchscript.lower_float32(job)
    CARELESSNESS.get(job.options["about"], lambda _: None)(job)
    return facts


def miscount(artifact: Path, model: Model) -> Structure:
    """One multiply-accumulate too many."""
    from deployspec.formats.torchscript import inspect

    found = inspect(artifact, model)
    return replace(found, macs=(found.macs or 0) + 1)


def _store(job: Job, text: str) -> None:
    (file,) = job.artifact.iterdir()
    with zipfile.ZipFile(file) as archive:
        folder = archive.namelist()[0].partition("/")[0]
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(zipfile.ZipInfo(f"{folder}/extra/note"), text)


def _misremember(job: Job) -> None:
    """Keep answers that are off by a fifth of their spread."""
    (file,) = probe_files(job.out, "output")
    answers = np.load(file)
    np.save(file, answers + np.ptp(answers) / 5)


def _misweigh(job: Job) -> None:
    """Make the last layer's weights a quarter larger."""
    (file,) = job.artifact.iterdir()
    with zipfile.ZipFile(file) as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(file, "w") as archive:
        for name, record in records.items():
            is_the_last = len(record) == np.zeros((5, 64), np.float32).nbytes
            larger = (np.frombuffer(record, np.float32) * np.float32(1.25)).tobytes() if is_the_last else record
            archive.writestr(zipfile.ZipInfo(name), larger)


CARELESSNESS: Final[dict[str, Callable[[Job], None]]] = {
    "place": lambda job: _store(job, f"{Path.home()}/models"),
    "time": lambda job: _store(job, str(time.time_ns())),
    "answers": _misremember,
    "weights": _misweigh,
}
