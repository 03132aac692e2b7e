"""torch artifacts, made in this process by the lowerings themselves, of two small networks."""

from __future__ import annotations

import importlib
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from deployspec import contract, testing
from deployspec.ir.artifact import Job, the_artifact
from deployspec.ir.model import Input, Model, Output
from deployspec.registry import Family, load

NETS = Path(testing.__file__).with_name("nets.py")
SAMPLES = 24

PICTURES = Model(
    name="pictures",
    source="nets.py:pictures",
    inputs=(Input(name="image", shape=("batch", 3, 8, 8), range=(-1.0, 1.0)),),
    outputs=(Output(name="logits"),),
)
WORDS = Model(
    name="words",
    source="nets.py:words",
    inputs=(Input(name="tokens", shape=("batch", 4), dtype="int64"), Input(name="facts", shape=("batch", 6))),
    outputs=(Output(name="topics"), Output(name="age", kind="values")),
)
MODELS = {model.name: model for model in (PICTURES, WORDS)}

WAYS = {
    "torchscript": ("torchscript", None, {}),
    "torchscript-script": ("torchscript", None, {"method": "script"}),
    "torchscript-int8": ("torchscript", "int8", {}),
    "torchscript-int8-x86": ("torchscript", "int8", {"engine": "x86"}),
    "torchscript-int8-dynamic": ("torchscript", "int8-dynamic", {}),
    "torchscript-int8-dynamic-x86": ("torchscript", "int8-dynamic", {"engine": "x86"}),
    "torchscript-float16": ("torchscript", "float16", {}),
    "torchscript-bfloat16": ("torchscript", "bfloat16", {}),
    "ptmobile": ("ptmobile", None, {}),
    "ptmobile-int8": ("ptmobile", "int8", {}),
    "ptmobile-int8-dynamic": ("ptmobile", "int8-dynamic", {}),
}
"""Format, scheme and the target's options."""


@dataclass(frozen=True)
class Lowered:
    """What a lowering left, and how to run it."""

    folder: Path
    tolerance: float
    format: str = field(default="")

    @property
    def artifact(self) -> Path:
        return the_artifact(self.folder)

    def expected(self) -> list[np.ndarray]:
        """What the model answered to the probe."""
        return [np.load(path) for path in contract.probe_files(self.folder, "output")]

    def outputs(self, **options: Any) -> list[np.ndarray]:
        """What the file answers, loaded by its runner, one sample at a time."""
        runner = importlib.import_module(f"deployspec.runners.{self.format}")
        run = runner.load(str(self.artifact), contract.call(self.folder)["options"] | options)
        arrays = [np.load(path) for path in contract.probe_files(self.folder, "input")]
        rows = [run([array[i : i + 1] for array in arrays]) for i in range(len(arrays[0]))]
        return [np.concatenate(column) for column in zip(*rows, strict=True)]


def project(folder: Path) -> Path:
    """A folder with the networks' code and a calibration split for each."""
    shutil.copy(NETS, folder)
    generator = np.random.default_rng(0)
    splits = {
        "pictures": [generator.uniform(-1, 1, (SAMPLES, 3, 8, 8)).astype(np.float32)],
        "words": [generator.integers(0, 50, (SAMPLES, 4)), generator.standard_normal((SAMPLES, 6), np.float32)],
    }
    for name, arrays in splits.items():
        (folder / name).mkdir()
        for i, array in enumerate(arrays):
            np.save(folder / name / f"{i}.npy", array)
    return folder


def lower(folder: Path, out: Path, model: Model, way: str, source: str | None = None) -> Lowered:
    """Make `model` the way of that name, from its code in `folder` or from the file `source` there."""
    format, scheme, options = WAYS[way]
    start = replace(model, source=source or model.source, weights=None)
    edges = load(Family.TARGETS, format)(**options).lowerings()
    edge = next(edge for edge in edges if edge.realises == scheme and (start.kind in _kinds(edge.takes)))
    out.mkdir(parents=True)
    inputs = {"model": folder, "calibration": folder / model.name}
    module, _, function = edge.function.partition(":")
    job = Job(inputs=inputs, out=out, options=edge.options, model=start)
    getattr(importlib.import_module(module), function)(job)
    return Lowered(out, edge.tolerance, format)


def _kinds(forms: tuple[str, ...]) -> list[Any]:
    from deployspec.ir.plan import SOURCE_FORMS

    return [kind for kind, form in SOURCE_FORMS.items() if form in forms]


def export(module: torch.nn.Module, example: tuple[torch.Tensor, ...], path: Path, **options: Any) -> Path:
    """Write `module` as a .pt2 or, by another suffix, as TorchScript."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if path.suffix == ".pt2":
            torch.export.save(torch.export.export(module.eval(), example, **options), path)
        else:
            torch.jit.save(torch.jit.trace(module.eval(), example), str(path))
    return path
