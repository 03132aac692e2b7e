"""Pruning: weights set to zero (magnitude), or whole channels taken out (structured), before any format is made.

Zeros do not shrink a dense file: they shrink the compressed download and Core ML's sparse encoding. Channels that are
gone shrink everything, and mostly cost the accuracy that a `finetune` hook brings back.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Literal

from deployspec.ir.constraint import Constraint, Text
from deployspec.ir.plan import (
    EXPORTED_PROGRAM,
    KERAS_MODEL,
    SAVED_MODEL,
    SCRIPT_MODULE,
    TORCH_MODULE,
    Lowering,
)
from deployspec.sources.keras_model import TENSORFLOW
from deployspec.sources.torch_module import TORCH

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deployspec.ir.plan import Toolchain

TORCH_PRUNING: Final = replace(TORCH, distributions=(*TORCH.distributions, "torch-pruning"), extra="prune")

_FROZEN: Final = "it holds a recorded graph, whose weights are not to be changed: name the callable as the source"


@dataclass(frozen=True, kw_only=True)
class Prune:
    """`pass = "prune"`: smaller by what matters least. It changes the model itself, so it comes before every other."""

    name: ClassVar[str] = "prune"
    summary: ClassVar[str] = "sets weights to zero, or takes whole channels out, before any format is made"
    tolerance: ClassVar[float | None] = None

    method: Literal["magnitude", "structured"] = "magnitude"
    """Set the smallest weights to zero, over all layers together; or take out each layer's weakest channels."""
    sparsity: Annotated[float, Constraint(gt=0, lt=1)]
    """The share to remove: of the weights, or of each layer's channels."""
    finetune: Text | None = None
    """A `file.py:callable` that trains the pruned model on: it is called with the model and the training split, and
    returns the model. The split is the pair `(inputs, y)`, prepared as the model gets it: one array for each input,
    and the labels (`None` without).
    """

    @classmethod
    def ways(cls, schemes: Iterable[str]) -> tuple[Prune, ...]:  # noqa: ARG003 - its methods are no schemes
        """Each method."""
        return cls(method="magnitude", sparsity=0.5), cls(method="structured", sparsity=0.5)

    @property
    def remark(self) -> str:
        """What to know before choosing it so."""
        if self.method == "structured" and self.finetune is None:
            return "accuracy right after structured pruning is usually lost: name a finetune hook"
        return ""

    @property
    def reasons(self) -> dict[str, str]:
        """Why a source cannot be pruned, or not there."""
        structured = "channels are taken out of torch modules only; magnitude pruning takes Keras models"
        return {
            "prune": "it changes the model itself, so it comes before every other pass",
            f"prune from {EXPORTED_PROGRAM}": _FROZEN,
            f"prune from {SCRIPT_MODULE}": _FROZEN,
            f"prune from {SAVED_MODEL}": _FROZEN,
            f"prune from {KERAS_MODEL}": structured,
        }

    def wanted(self) -> str:
        """Its own name."""
        return self.name

    def lowerings(self) -> tuple[Lowering, ...]:
        """From a torch module to a pruned one; by magnitude also from a Keras model to a pruned one."""
        if self.method == "structured":
            return (self._lowering(TORCH_MODULE, "deployspec.passes.prune_torch:structured", TORCH_PRUNING),)
        return (
            self._lowering(TORCH_MODULE, "deployspec.passes.prune_torch:magnitude", TORCH),
            self._lowering(KERAS_MODEL, "deployspec.passes.prune_keras:magnitude", TENSORFLOW),
        )

    def _lowering(self, form: str, function: str, toolchain: Toolchain) -> Lowering:
        return Lowering(
            name="pruned",
            takes=(form,),
            gives=form,
            function=function,
            toolchain=toolchain,
            tolerance=math.inf,  # another model on purpose: what follows is held to this one
            realises=self.name,
            options=asdict(self),
            needs=("train",) if self.finetune else (),
            hooks=("finetune",) if self.finetune else (),
            cost_s=60.0 if self.finetune else 3.0,
        )
