"""What steps are given and what they leave behind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from deployspec.errors import DeploySpecError, ExitCode
from deployspec.ir.model import Model

ARTIFACT_FOLDER: Final = "artifact"
"""Inside a lowering's output: the one file or folder that ships."""

PROBE_FOLDER: Final = "probe"
"""Inside a lowering's output: sample inputs, and the outputs of what made the artifact."""


class NotOneArtifact(DeploySpecError):
    """A lowering's output holds no artifact, or several, of which nobody could tell which one ships."""

    exit_code = ExitCode.BUILD_FAILED


def the_artifact(lowered: Path) -> Path:
    """The one file or folder that ships, in a lowering's output folder. Raises NotOneArtifact."""
    folder = lowered / ARTIFACT_FOLDER
    found = sorted(folder.iterdir()) if folder.is_dir() and not folder.is_symlink() else []
    if not found:
        raise NotOneArtifact("the conversion left no artifact")
    if len(found) > 1:
        names = ", ".join(repr(path.name) for path in found)
        raise NotOneArtifact(f"one file or folder is the artifact, and the conversion left {len(found)}: {names}")
    return found[0]


@dataclass(frozen=True, kw_only=True)
class Job:
    """What a step's function gets, in its worker.

    `inputs` maps each role (model, artifact, calibration …) to the output folder of the step that fills it;
    the role "model" maps to the spec's folder. The function writes into `out`, an empty folder that becomes the
    step's output, and returns a JSON-able dict of facts that are kept with it.
    """

    inputs: dict[str, Path]
    out: Path
    options: dict[str, Any]
    model: Model
    seed: int = 0

    @property
    def artifact(self) -> Path:
        """The folder for the one file or folder that ships."""
        folder = self.out / ARTIFACT_FOLDER
        folder.mkdir(exist_ok=True)
        return folder

    @property
    def source(self) -> dict[str, Any]:
        """How a runner opens the source itself: its text, its weights, its inputs and the names of its outputs."""
        inputs = [{"name": each.name, "shape": list(each.shape), "dtype": each.dtype} for each in self.model.inputs]
        return {
            "source": self.model.source,
            "weights": self.model.weights,
            "inputs": inputs,
            "outputs": [each.name for each in self.model.outputs],
        }


@dataclass(frozen=True, kw_only=True)
class Done:
    """A step whose output is in the store: its folder, the digest of its content, and what it cost."""

    step: str
    folder: Path
    sha256: str
    cached: bool
    seconds: float
    facts: dict[str, Any] = field(default_factory=dict)
    log: Path | None = None

    @property
    def artifact(self) -> Path:
        """The one file or folder that ships."""
        return the_artifact(self.folder)


@dataclass(frozen=True, kw_only=True)
class Failed:
    """A step that did not finish: why, and where its log is. `blocked_by` names the failed step it waited for."""

    step: str
    reason: str
    log: Path | None = None
    blocked_by: str | None = None


StepResult = Done | Failed


def sound(artifact: str, checks: Iterable[str], results: Mapping[str, StepResult]) -> Done | None:
    """What the step `artifact` made, if it was built and held its contract: that step and all of `checks` are done.

    Of a target these are the route's `artifact` and `steps`.
    """
    made = results[artifact]
    return made if isinstance(made, Done) and all(isinstance(results[step], Done) for step in checks) else None
