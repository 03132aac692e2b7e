"""The spec after parsing: immutable, complete, with every default filled in.

Tables that mirror the TOML text one to one come first: their type hints are the language, and `parse.shape`
turns them into strict validators and into the JSON schema. What parsing derives follows.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from deployspec.ir.budget import Budget, Task
from deployspec.ir.constraint import Constraint as Constraint
from deployspec.ir.constraint import Sha256 as Sha256
from deployspec.ir.constraint import Text as Text

if TYPE_CHECKING:
    from pathlib import Path

    from deployspec.ir.rules import Rules
    from deployspec.ir.verdict import Waiver

DType = Literal["float32", "float16", "bfloat16", "int8", "int16", "int32", "int64", "uint8", "bool"]


class SourceKind(StrEnum):
    """What a `[model] source` is, told from its text."""

    TORCH_CALLABLE = "torch callable"
    KERAS_CALLABLE = "keras callable"
    EXPORTED_PROGRAM = "exported program (.pt2)"
    TORCHSCRIPT = "TorchScript file (.pt)"
    KERAS_FILE = "Keras file (.keras)"
    SAVED_MODEL = "SavedModel folder"


@dataclass(frozen=True, kw_only=True)
class Preprocess:
    """Stored samples become (x * scale - mean) / std, in the model's layout."""

    scale: float = 1.0
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    layout: Literal["nchw", "nhwc"] | None = None
    """Layout of the stored samples, where it differs from the model's."""


@dataclass(frozen=True, kw_only=True)
class Input:
    """One argument of the model. A string in `shape` is a symbolic dimension."""

    name: Text
    shape: tuple[Annotated[int, Constraint(ge=1)] | Text, ...]
    dtype: DType = "float32"
    range: tuple[float, float] | None = None
    preprocess: Preprocess | None = None


@dataclass(frozen=True, kw_only=True)
class Output:
    """One output of the model."""

    name: Text
    kind: Literal["logits", "probabilities", "values"] = "logits"


@dataclass(frozen=True, kw_only=True)
class Model:
    """`[model]`: the source, its weights and its signature."""

    name: Text
    version: Text = "0"
    source: Text
    framework: Literal["torch", "keras"] = "torch"
    weights: Text | None = None
    sha256: Sha256 | None = None
    inputs: Annotated[tuple[Input, ...], Constraint(min_length=1)]
    outputs: tuple[Output, ...] = (Output(name="output"),)

    @property
    def kind(self) -> SourceKind:
        """The kind of source, from its spelling."""
        suffixes = {
            ".pt2": SourceKind.EXPORTED_PROGRAM,
            ".pt": SourceKind.TORCHSCRIPT,
            ".keras": SourceKind.KERAS_FILE,
        }
        if ":" in self.source:
            return SourceKind.KERAS_CALLABLE if self.framework == "keras" else SourceKind.TORCH_CALLABLE
        found = [kind for suffix, kind in suffixes.items() if self.source.endswith(suffix)]
        return found[0] if found else SourceKind.SAVED_MODEL


@dataclass(frozen=True, kw_only=True)
class TaskTable:
    """`[task]`: what the scored output means."""

    kind: Literal["classification", "binary", "multilabel", "regression", "custom"]
    output: Text | None = None
    labels: tuple[Text, ...] = ()
    positive: Text | None = None
    threshold: float = 0.5
    tolerance: float = 0.01
    """For values: agreement means a difference of at most this share of the reference's spread."""

    @cached_property
    def label_set(self) -> frozenset[str]:
        """The labels, to ask whether there is such a one."""
        return frozenset(self.labels)

    @property
    def task(self) -> Task:
        """The kind as a closed choice."""
        return Task(self.kind)


@dataclass(frozen=True, kw_only=True)
class Metric:
    """`[metrics.NAME]`: a callable that scores samples."""

    source: Text
    better: Literal["lower", "higher"]
    aggregate: Literal["mean", "median", "p95"] = "mean"


Split = Text | tuple[Text, Text]
"""`.npz`, image folder or `module.py:callable` as text; an `.npy` pair as `["x.npy", "y.npy"]`."""


@dataclass(frozen=True, kw_only=True)
class Data:
    """`[data]`: the splits, each read by its own purpose only."""

    train: Split | None = None
    calibration: Split | None = None
    tuning: Split | None = None
    test: Split | None = None
    field: Split | None = None

    def splits(self) -> dict[str, str | tuple[str, str]]:
        """The splits that the spec names, in the language's order."""
        return {name: value for name in SPLITS if (value := getattr(self, name)) is not None}


SPLITS: Final = tuple(each.name for each in fields(Data))

UNJUDGED_SPLITS: Final = ("train", "calibration", "tuning")
"""What went into the model or its choice: a sample of these says nothing where the model is judged."""


@dataclass(frozen=True)
class PassUse:
    """One `[[targets.NAME.passes]]`: a plug-in's name and its options, already checked.

    `hooks` are those of the options that name code of the project, as `file.py:callable`.
    """

    name: str
    options: tuple[tuple[str, Any], ...] = ()
    hooks: tuple[str, ...] = ()

    def option(self, name: str) -> Any:
        """The option's value, None when it was not given."""
        return dict(self.options).get(name)


@dataclass(frozen=True)
class Target:
    """One platform: the format's plug-in options, the passes in order, and every budget that applies."""

    name: str
    format: str
    budgets: tuple[Budget, ...]
    rules: Rules
    passes: tuple[PassUse, ...] = ()
    options: tuple[tuple[str, Any], ...] = ()
    device: str | None = None
    time_limit_s: int = 1800
    sustained_s: int = 120
    """How long each process of a sustained run calls, after a rest as long."""


@dataclass(frozen=True)
class PolicyUse:
    """A policy that the spec extends, by name, with the digest of its text."""

    name: str
    sha256: str


@dataclass(frozen=True)
class Spec:
    """A parsed deployment spec. `root` is the project folder that every path must stay inside."""

    path: Path
    root: Path
    sha256: str
    model: Model
    targets: tuple[Target, ...]
    task: TaskTable | None = None
    metrics: dict[str, Metric] = field(default_factory=dict)
    data: Data = field(default_factory=Data)
    waivers: tuple[Waiver, ...] = ()
    policies: tuple[PolicyUse, ...] = ()
    valid_s: int | None = None
    churn_noise: Decimal = Decimal("0.01")
    """The standard deviation of the noise that `churn` adds, as a share of the inputs' spread."""
    left_out: tuple[str, ...] = ()
    """Targets of the file that were not asked for."""

    @property
    def folder(self) -> Path:
        """The folder that the spec's relative paths start from."""
        return self.path.parent

    @property
    def scored_output(self) -> str:
        """Name of the output that the task scores."""
        named = self.task.output if self.task else None
        return named or self.model.outputs[0].name

    @property
    def scored_index(self) -> int:
        """Its place among the model's outputs."""
        return [output.name for output in self.model.outputs].index(self.scored_output)
