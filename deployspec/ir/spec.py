"""The spec after parsing: immutable, complete, with every default filled in.

Tables that mirror the TOML text one to one come first: their type hints are the language, and `parse.shape`
turns them into strict validators and into the JSON schema. What parsing derives follows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from deployspec.ir.budget import Budget
from deployspec.ir.constraint import Constraint, Text
from deployspec.ir.data import Data
from deployspec.ir.model import Model, Task

if TYPE_CHECKING:
    from pathlib import Path

    from deployspec.ir.rules import Rules
    from deployspec.ir.verdict import Waiver


DEFAULT_TOLERANCE: Final = 0.01
DEFAULT_SUSTAINED_S: Final = 120


@dataclass(frozen=True, kw_only=True)
class TaskTable:
    """`[task]`: what the scored output means."""

    kind: Literal["classification", "binary", "multilabel", "regression", "custom"]
    output: Text | None = None
    labels: tuple[Text, ...] = ()
    positive: Text | None = None
    threshold: float = 0.5
    tolerance: Annotated[float, Constraint(ge=0, le=1)] | None = None
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
    sustained_s: int = DEFAULT_SUSTAINED_S
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
    usual_tolerance: float = DEFAULT_TOLERANCE
    """That of a task which states none, and of a spec without one."""
    left_out: tuple[str, ...] = ()
    """Targets of the file that were not asked for."""

    @property
    def folder(self) -> Path:
        """The folder that the spec's relative paths start from."""
        return self.path.parent

    @property
    def tolerance(self) -> float:
        """How far apart values may be that agree, as a share of the reference's spread."""
        stated = self.task.tolerance if self.task else None
        return self.usual_tolerance if stated is None else stated

    @property
    def scored_output(self) -> str:
        """Name of the output that the task scores."""
        named = self.task.output if self.task else None
        return named or self.model.outputs[0].name

    @property
    def scored_index(self) -> int:
        """Its place among the model's outputs."""
        return [output.name for output in self.model.outputs].index(self.scored_output)
