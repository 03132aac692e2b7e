"""Small projects on disk: a spec, a model's code and its data, for tests that start from a file as a user does."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

SPEC = """\
deployspec = 1

[model]
name = "tiny"
source = "net.py:build"

[[model.inputs]]
name = "x"
shape = ["batch", 4]

[[model.outputs]]
name = "scores"

[task]
kind = "classification"
labels = ["low", "middle", "high"]

[data]
test = "test.npz"

[budgets]
size = "< 1 MB"

[targets.server]
format = "torchscript"
"""
"""A spec that `write_project` completes to a project that passes; tests change a line of it."""

NET = """\
import torch


def build():
    torch.manual_seed(0)
    return torch.nn.Linear(4, 3)
"""


@dataclass(frozen=True)
class Project:
    """A folder with a spec and what it names."""

    folder: Path

    @property
    def spec(self) -> Path:
        return self.folder / "spec.toml"

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def save(self, name: str, **arrays: Any) -> Path:
        """Write an .npz of the given arrays."""
        np.savez(self.folder / name, **arrays)
        return self.folder / name

    def edit(self, *changes: tuple[str, str]) -> None:
        """Replace pieces of the spec's text, each of which must be there."""
        text = self.spec.read_text()
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        self.spec.write_text(text)


def write_project(folder: Path, spec: str = SPEC) -> Project:
    """A linear model, and a test split of 60 samples whose classes are the model's business, not ours."""
    folder.mkdir(parents=True, exist_ok=True)
    project = Project(folder)
    project.write("spec.toml", spec)
    project.write("net.py", NET)
    generator = np.random.default_rng(0)
    project.save("test.npz", x=generator.standard_normal((60, 4), np.float32), y=np.arange(60) % 3)
    return project


def register_harmful_target(site: Path) -> dict[str, str]:
    """Install the targets of our tests, as another distribution would, in the folder `site`; the environment that sees
    them.
    """
    info = site / "harmful_target-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: harmful-target\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[deployspec.targets]\n"
        "harmful = harmful_target:Harmful\n"
        "corrupted = corrupted_target:Corrupted\n"
        "careless = careless_target:Careless\n"
        "unsteady = unsteady_target:Unsteady\n"
    )
    path = os.pathsep.join(filter(None, (str(site), str(Path(__file__).parent), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path}
