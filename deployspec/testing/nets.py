"""Networks that stand for trained ones: seeded, their normalisation fitted to data, outputs that follow the inputs.

The file is copied beside the specs that name it; nothing imports it from here.
"""

import torch
from torch import Tensor, nn


class Pictures(nn.Module):
    """(n, 3, 8, 8) to (n, 5) logits: convolutions with normalisation, a linear head, 40,000 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.BatchNorm2d(32), nn.ReLU(),
        )  # fmt: skip
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(512, 64), nn.ReLU(), nn.Linear(64, 5))

    def forward(self, image: Tensor) -> Tensor:
        """The logits."""
        logits: Tensor = self.head(self.features(image))
        return logits


class Words(nn.Module):
    """Tokens (n, 4) int64 and facts (n, 6) to topics (n, 3) and, behind them, an age (n, 1)."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(50, 64)
        self.body = nn.Sequential(nn.Linear(70, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU())
        self.topics, self.age = nn.Linear(128, 3), nn.Linear(128, 1)

    def forward(self, tokens: Tensor, facts: Tensor) -> tuple[Tensor, Tensor]:
        """Topics and age."""
        seen = self.body(torch.cat([self.words(tokens).mean(dim=1), facts], dim=1))
        return self.topics(seen), self.age(seen)


class Many(nn.Module):
    """Twelve numbers (n, 1), each an input, to twelve outputs: each input times its place, counted from one."""

    def forward(self, *numbers: Tensor) -> tuple[Tensor, ...]:
        """The products."""
        return tuple(number * (place + 1) for place, number in enumerate(numbers))


def pictures() -> nn.Module:
    """The network of images."""
    torch.manual_seed(1)
    return _fitted(Pictures())


def words() -> nn.Module:
    """The network of tokens and facts."""
    torch.manual_seed(2)
    return Words()


def many() -> nn.Module:
    """The network of twelve ends."""
    return Many()


def _fitted(net: nn.Module) -> nn.Module:
    """Normalisation with the statistics of data: with those it is born with, a net hardly sees its input."""
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = None
    with torch.no_grad():
        for _ in range(20):
            net(torch.rand(16, 3, 8, 8) * 2 - 1)
    return net
