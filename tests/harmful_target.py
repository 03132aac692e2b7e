"""A target that another distribution could bring, whose lowering harms the TorchScript file that it writes."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from deployspec.ir.plan import TORCH_MODULE, Form, Inspector, Lowering, Runner
from deployspec.sources.torch_module import TORCH
from deployspec.targets import torchscript

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from deployspec.ir.artifact import Job

HARMFUL: Form = "harmful"


@dataclass(frozen=True, kw_only=True)
class Harmful:
    """Options of a `format = "harmful"` target."""

    name: ClassVar[str] = "harmful"
    form: ClassVar[str] = HARMFUL
    suffixes: ClassVar[tuple[str, ...]] = (".pt",)
    has_delegates: ClassVar[bool] = False
    remark: ClassVar[str] = "only for tests"

    reasons: ClassVar[dict[str, str]] = {}

    harm: str = "none"

    def lowerings(self) -> tuple[Lowering, ...]:
        """One, from torch."""
        lowering = Lowering(
            name=self.harm, takes=(TORCH_MODULE,), gives=HARMFUL, function=f"{__name__}:lower",
            toolchain=TORCH, tolerance=1e-4, options={"harm": self.harm, "method": "trace"},
        )  # fmt: skip
        return (lowering,)

    def runner(self) -> Runner:
        """That of TorchScript."""
        return torchscript.TorchScript().runner()

    def inspector(self) -> Inspector:
        """That of TorchScript."""
        return torchscript.TorchScript().inspector()


def lower(job: Job) -> dict[str, Any]:
    """Lower as TorchScript does, then do the harm that the option names."""
    print(f"lowering with {job.options['harm']}", flush=True)
    facts = torchscript.lower_float32(job)
    (file,) = job.artifact.iterdir()
    HARMS[job.options["harm"]](file)
    return facts


def _none(file: Path) -> None:
    """No harm."""


def _truncated(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-300])


def _emptied(file: Path) -> None:
    file.write_bytes(b"")


def _weights(change: Callable[[Any], Any]) -> Callable[[Path], None]:
    """Save another file of the same graph: the linear layer with changed weights."""

    def harm(file: Path) -> None:
        import torch
        from net import build

        module = build()
        with torch.no_grad():
            module.weight.copy_(change(module.weight))
        _save(torch.jit.trace(module, torch.zeros(1, 4)), file)

    return harm


def _save(module: Any, file: Path) -> None:
    """In place of what was lowered, under its names."""
    import torch

    torch.jit.save(module, file, _extra_files={"signature.json": '{"inputs": ["x"], "outputs": ["scores"]}'})


def _doubled(file: Path) -> None:
    """Save a module that gives its output twice."""
    import torch
    from net import build

    class Twice(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = build()

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return self.inner(x), self.inner(x)

    _save(torch.jit.trace(Twice(), torch.zeros(1, 4)), file)


def _optimized(file: Path) -> None:
    """Save what `optimize_for_inference` made: it runs here, and its file has lost the prepacked weights."""
    import torch
    from net import build

    class Convolved(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.convolution = build(), torch.nn.Conv2d(1, 1, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.inner(x) + 0 * self.convolution(x.reshape(1, 1, 2, 2)).sum()

    frozen = torch.jit.freeze(torch.jit.trace(Convolved().eval(), torch.zeros(1, 4)))
    _save(torch.jit.optimize_for_inference(frozen), file)


def _raises(file: Path) -> None:
    raise NotImplementedError("no kernel for aten::linear")


def _killed(file: Path) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


HARMS: Final[dict[str, Callable[[Path], None]]] = {
    "none": _none,
    "truncated": _truncated,
    "emptied": _emptied,
    "other-weights": _weights(lambda weight: -weight),
    "nan-weights": _weights(lambda weight: weight * float("nan")),
    "doubled": _doubled,
    "optimized": _optimized,
    "raises": _raises,
    "killed": _killed,
}
