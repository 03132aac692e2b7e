"""The classifier's last operator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from deployspec.evaluators.mlprogram.table import op

if TYPE_CHECKING:
    from torch import Tensor


@op("classify")
def classify(probabilities: Tensor, classes: list[str | int]) -> tuple[Any, Tensor]:
    """The class of the largest probability, and the probabilities in the order of the classes."""
    flat = probabilities.reshape(-1)
    label = classes[int(flat.argmax())]
    return label if isinstance(label, str) else torch.tensor(label), flat
