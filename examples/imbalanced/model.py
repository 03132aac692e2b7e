"""Who is in poor health? A small perceptron on seven facts about a year of a person's insurance."""

import torch
from torch import Tensor, nn

FEATURES = ("mdvis", "lncoins", "idp", "lpi", "fmde", "physlm", "disea")
HIDDEN = 64


class HealthNet(nn.Module):
    """(n, 7) facts in their own units to (n, 2) logits of "fair or better" and "poor"; it standardises by itself."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(len(FEATURES)))
        self.register_buffer("std", torch.ones(len(FEATURES)))
        self.layers = nn.Sequential(
            nn.Linear(len(FEATURES), HIDDEN),
            nn.ReLU(),
            nn.Linear(HIDDEN, HIDDEN),
            nn.ReLU(),
            nn.Linear(HIDDEN, 2),
        )

    def forward(self, facts: Tensor) -> Tensor:
        return self.layers((facts - self.mean) / self.std)


def build() -> nn.Module:
    """The untrained network; its weights lie beside it in `health.safetensors`."""
    return HealthNet()
