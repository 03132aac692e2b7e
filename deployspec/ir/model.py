"""The model of a spec, and what its scored output means: all that a step is told of it.

Steps import this module and not `deployspec.ir.spec`: their code is part of their keys, and budgets are none of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated, Final, Literal

from deployspec.ir.constraint import Constraint, Sha256, Text

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

    def as_built(self) -> Model:
        """What steps are told: neither the release that it is called nor the digest that it is pinned to."""
        return replace(self, version="0", sha256=None)

    @property
    def ends(self) -> dict[str, list[str]]:
        """The names of its `inputs` and `outputs`, in order."""
        return {"inputs": [each.name for each in self.inputs], "outputs": [each.name for each in self.outputs]}


class Task(StrEnum):
    """What the scored output means."""

    CLASSIFICATION = "classification"
    BINARY = "binary"
    MULTILABEL = "multilabel"
    REGRESSION = "regression"
    CUSTOM = "custom"


CLASSIFIED: Final = frozenset({Task.CLASSIFICATION, Task.BINARY})
LABELLED: Final = CLASSIFIED | {Task.MULTILABEL}
ANY_TASK: Final = frozenset(Task)
