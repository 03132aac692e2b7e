"""The plan: a directed acyclic graph of typed steps, with nothing in it that depends on a machine.

No time, path, digest or version is part of a plan, so that the same spec gives the same plan anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from deployspec.ir.model import SourceKind
from deployspec.ir.rules import EvidenceClass

if TYPE_CHECKING:
    from collections.abc import Iterable

Form = str
"""The type of a representation: what one step gives and another takes, e.g. `torch.nn.Module` or `tflite`."""

TORCH_MODULE: Form = "torch.nn.Module"
EXPORTED_PROGRAM: Form = "torch.export.ExportedProgram"
SCRIPT_MODULE: Form = "torch.jit.ScriptModule"
KERAS_MODEL: Form = "keras.Model"
SAVED_MODEL: Form = "saved_model"
DATASET: Form = "dataset"
STRUCTURE: Form = "structure"
OUTPUTS: Form = "outputs"
SCORES: Form = "scores"
HYGIENE: Form = "hygiene"

SOURCE_FORMS: Final[dict[SourceKind, Form]] = {
    SourceKind.TORCH_CALLABLE: TORCH_MODULE,
    SourceKind.KERAS_CALLABLE: KERAS_MODEL,
    SourceKind.EXPORTED_PROGRAM: EXPORTED_PROGRAM,
    SourceKind.TORCHSCRIPT: SCRIPT_MODULE,
    SourceKind.KERAS_FILE: KERAS_MODEL,
    SourceKind.SAVED_MODEL: SAVED_MODEL,
}
"""The representation that each kind of source gives: opened from the source itself, in a worker."""


@dataclass(frozen=True, kw_only=True)
class Toolchain:
    """The distributions that a step runs on; one written `a|b` may be either, where both bring the same modules.

    Steps of one toolchain share a worker, so that an import is paid once; so do those of toolchains that name
    the same import in `shares`, which must get on with each other in one process. `extra` is the project's
    extra that installs the distributions, empty where none does; `preload` the modules a worker imports first;
    `block` modules that must not be pulled in along the way (their import is made to fail until the preload is done).
    """

    name: str
    distributions: tuple[str, ...] = ()
    extra: str = ""
    preload: tuple[str, ...] = ()
    block: tuple[str, ...] = ()
    shares: str = ""

    @property
    def family(self) -> str:
        """Steps of one family may share a worker."""
        return self.shares or self.name


def pip_install(extra: str, missing: Iterable[str]) -> str:
    """The command that installs what a toolchain misses: our extra, and where it has none, the distributions."""
    return f"pip install 'deployspec[{extra}]'" if extra else f"pip install {' '.join(missing)}"


@dataclass(frozen=True, kw_only=True)
class Runner:
    """A program that loads one kind of artifact and runs it: a file of `deployspec/runners/` or a plug-in's.

    `script` is the dotted module that is shipped as a file; `needs` the modules shipped beside it.
    """

    script: str
    toolchain: Toolchain
    needs: tuple[str, ...] = ("deployspec.runners.protocol",)
    runs_source: bool = False
    """Whether it also runs the eager source, which then is the baseline of `latency_reduction`."""
    evidence: EvidenceClass | None = None
    """The class of what it gives where that is not the lane's: an evaluator's is `reference`, and is never timed."""
    modes: tuple[str, ...] = ()
    """Arithmetics that it can take. Each split is run in every one, the first one's figure is shown, and a verdict
    stands only where they agree."""

    @property
    def is_evaluator(self) -> bool:
        """Whether it stands for a runtime that does not run here: good for quality, never for a time."""
        return self.evidence is EvidenceClass.REFERENCE


@dataclass(frozen=True, kw_only=True)
class Inspector:
    """Reads an artifact's own bytes, without its framework, in a light worker.

    `function` is `module:callable` from the artifact's path and the spec's Model to a
    `deployspec.ir.structure.Structure`. The modules of `toolchain` hold no more than the format's schema. `asks` is a
    runner, where only the format's runtime tells what a delegate takes: what it loads has the facts of a
    `deployspec.ir.structure.Division`, and its toolchain holds the schema too.
    """

    function: str
    toolchain: Toolchain
    asks: Runner | None = None


@dataclass(frozen=True, kw_only=True)
class Lowering:
    """An edge of the route graph: takes one of some forms, gives another, and may realise one pass.

    `function` is `module:callable`, called in a worker with a `deployspec.ir.artifact.Job`: its role "model" is the
    source where that is among `takes`, its role "input" what the lowering before it gave. `realises` is what a pass of
    the spec wants: a quantization scheme, or the pass's own name. `needs` names the data splits it reads.
    `tolerance` is the largest output difference from what made it, in units of
    the predecessor's spread, that the contract accepts. `cost_s` orders work, longest first.
    """

    name: str
    takes: tuple[Form, ...]
    gives: Form
    function: str
    toolchain: Toolchain
    tolerance: float
    realises: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    """Those of the plug-in's options that change what this lowering writes."""
    needs: tuple[str, ...] = ()
    hooks: tuple[str, ...] = ()
    """Those of the options that name code of the project, `file.py:callable`, an input with all that it imports."""
    remark: str = ""
    """What the plan says of it: known beforehand of whatever it makes."""
    cost_s: float = 5.0


TIME_LIMIT_S: Final = 1800
"""For a step of no single target."""


class Action(StrEnum):
    """What kind of work a step is."""

    PREPARE = "prepare"
    """Read, check and preprocess a data split."""
    CONVERT = "convert"
    """A pass or a lowering."""
    INSPECT = "inspect"
    """Read what is in an artifact from its bytes."""
    EVALUATE = "evaluate"
    """Reload from the bytes in a fresh process, hold the contract, run a split."""
    SCORE = "score"
    """Score a run of a split by a metric of the project's own."""
    DERIVE = "derive"
    """Make inputs from what is declared, or from a split."""
    EXAMINE = "examine"
    """Look at the data splits themselves."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One pure function of its inputs. `takes` pairs a role with the id of the step that fills it.

    The id "model" stands for the source itself, which no step makes.
    """

    id: str
    action: Action
    takes: tuple[tuple[str, str], ...]
    gives: Form
    function: str
    toolchain: Toolchain
    options: dict[str, Any] = field(default_factory=dict)
    targets: tuple[str, ...] = ()
    cost_s: float = 1.0
    time_limit_s: int = TIME_LIMIT_S
    volatile: bool = False
    """It runs code that may read what no digest covers: it is run in every check, and what it gives is looked at."""


@dataclass(frozen=True, kw_only=True)
class Scored:
    """One metric of the spec's own on one run of a split: that `evaluation`, and the steps that score it."""

    metric: str
    evaluation: str
    reference: str
    artifact: str


@dataclass(frozen=True, kw_only=True)
class Route:
    """How one target is made: its steps in order, the one that gives the artifact, what measures it.

    `structure` is the step that reads the artifact's bytes. `runner` is None where nothing here executes the
    format. `evaluations` pairs a split with each step that runs it. `baseline` is the step whose artifact
    `latency_reduction` compares with ("model": the eager source), None where no budget asks. `scores` are those of the
    spec's own metrics that a budget names.
    """

    target: str
    format: str
    steps: tuple[str, ...]
    artifact: str
    structure: str
    runner: Runner | None
    evaluations: tuple[tuple[str, str], ...] = ()
    baseline: str | None = None
    scores: tuple[Scored, ...] = ()
    notes: tuple[str, ...] = ()
    loosened: tuple[str, ...] = ()
    """Where the spec lets a pass go further from the model than is usual, a line each."""
    watches: tuple[str, ...] = ()
    """Where a budget asks whether the artifact is stable, the steps that find out, one for each mode."""
    noisy: tuple[tuple[str, str], ...] = ()
    """Like `evaluations`, over a split with noise; where a budget asks how many decisions that changes."""

    @property
    def beside(self) -> tuple[str, ...]:
        """Steps of this target that only add evidence: where one fails, the artifact stands."""
        return (*self.watches, *(step for _, step in self.noisy), *(each.artifact for each in self.scores))


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Every step once, in an order in which they can run, and a route per target."""

    steps: tuple[Step, ...]
    routes: tuple[Route, ...]
    references: tuple[tuple[str, str], ...] = ()
    """For each split, the step that evaluates the reference on it; under "" the one that only weighs it."""
    noisy_references: tuple[tuple[str, str], ...] = ()
    """For each split to which noise is added, the step that evaluates the reference on it then."""
    hygiene: tuple[tuple[str, str], ...] = ()
    """For each judged split, the step that looks for its samples in the other splits."""
    near_duplicates: tuple[tuple[str, str], ...] = ()
    """For each judged split of which a budget asks it, the step that looks for samples much like its own."""
    drift: str | None = None
    """The step that compares the test split's inputs with the field split's, where there are both."""

    def by_id(self) -> dict[str, Step]:
        """The steps by their ids."""
        return {step.id: step for step in self.steps}
