"""A target whose artifacts keep the contract and misbehave beyond it, each in the way that its option names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from deployspec.ir.plan import TORCH_MODULE, Form, Inspector, Lowering, Runner, Toolchain
from deployspec.ir.structure import End, Structure
from deployspec.sources.torch_module import TORCH

if TYPE_CHECKING:
    from pathlib import Path

    from deployspec.ir.artifact import Job
    from deployspec.ir.model import Model

UNSTEADY: Form = "unsteady"


@dataclass(frozen=True, kw_only=True)
class Unsteady:
    """Options of a `format = "unsteady"` target: a key of `unsteady_runner.TROUBLES`, and the largest batch."""

    name: ClassVar[str] = "unsteady"
    form: ClassVar[str] = UNSTEADY
    suffixes: ClassVar[tuple[str, ...]] = (".npz",)
    has_delegates: ClassVar[bool] = False
    remark: ClassVar[str] = "only for tests"
    reasons: ClassVar[dict[str, str]] = {}

    trouble: str = "none"
    batch_max: int = 1

    def lowerings(self) -> tuple[Lowering, ...]:
        """One, from torch."""
        options = {"trouble": self.trouble, "batch_max": self.batch_max}
        lowering = Lowering(
            name=self.trouble, takes=(TORCH_MODULE,), gives=UNSTEADY, function=f"{__name__}:lower",
            toolchain=TORCH, tolerance=0.1, options=options,
        )  # fmt: skip
        return (lowering,)

    def runner(self) -> Runner:
        """Numpy alone."""
        return Runner(script="unsteady_runner", toolchain=Toolchain(name="unsteady", distributions=("numpy",)))

    def inspector(self) -> Inspector:
        """One that knows what is in the file."""
        return Inspector(function=f"{__name__}:inspect", toolchain=Toolchain(name="structure"))


def lower(job: Job) -> dict[str, Any]:
    """Write the linear layer's weights, and what it answers."""
    from deployspec.contract import record
    from deployspec.targets.torch_archive import opened

    module, inputs, answers = opened(job)
    weight, bias = (each.detach().numpy() for each in (module.weight, module.bias))
    np.savez(job.artifact / "layer.npz", weight=weight, bias=bias)
    record(job, inputs, answers, options={"trouble": job.options["trouble"]}, batch=job.options["batch_max"])
    return {}


def inspect(artifact: Path, model: Model) -> Structure:
    """The layer's ends and parameters."""
    layer = np.load(artifact)
    return Structure(
        inputs=tuple(End(name=each.name) for each in model.inputs),
        outputs=tuple(End(name=each.name) for each in model.outputs),
        operators=(("linear", 1),), parameters=layer["weight"].size + layer["bias"].size,
        kernel_elements=layer["weight"].size, kernel_zeros=0, weight_bytes=(("float32", layer["weight"].nbytes),),
        macs=layer["weight"].size,
    )  # fmt: skip
