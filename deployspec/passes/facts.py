"""The facts of a pruning step, for programs and, as `remarks`, for readers of the report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deployspec.ir.artifact import Job


def of_magnitude(job: Job, *, parameters: int, weights: int, zeros: int) -> dict[str, Any]:
    """`parameters` of the whole model; of its kernels' `weights`, `zeros` are zero."""
    said = f"sparsity {100 * zeros / weights:.1f} % of {weights:,} weights"
    return {"parameters": [parameters] * 2, "weights": weights, "zeros": zeros, "remarks": [_with_hook(job, said)]}


def of_channels(job: Job, *, parameters: tuple[int, int], channels: tuple[int, int]) -> dict[str, Any]:
    """`parameters` and `channels` (without those of the outputs), before and after."""
    gone = f"channels {channels[0]:,} → {channels[1]:,}, parameters {parameters[0]:,} → {parameters[1]:,}"
    return {"parameters": list(parameters), "channels": list(channels), "remarks": [_with_hook(job, gone)]}


def _with_hook(job: Job, said: str) -> str:
    hook = job.options["finetune"]
    return f"{said}, finetuned by {hook}" if hook else said
