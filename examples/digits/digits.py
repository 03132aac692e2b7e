"""A small convolutional network for 8x8 digits: what `specs/digits.toml` promises to ship."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    import numpy as np

EPOCHS = 20
BATCH = 32


class DigitsNet(nn.Module):
    """Three convolutions and a linear head, 14,458 parameters: (n, 1, 8, 8) in [-1, 1] to (n, 10) logits."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *_block(1, 16),  # 8x8
            *_block(16, 32),
            nn.MaxPool2d(2),  # 4x4
            *_block(32, 32),
            nn.MaxPool2d(2),  # 2x2
        )
        self.head = nn.Linear(32, 10)

    def forward(self, image: Tensor) -> Tensor:
        return self.head(self.features(image).mean(dim=(2, 3)))


def build() -> nn.Module:
    """The untrained network; its weights lie beside it in `digits.safetensors`."""
    return DigitsNet()


def finetune(model: nn.Module, train: "tuple[tuple[np.ndarray, ...], np.ndarray]") -> nn.Module:
    """Train a pruned network on: the hook of a `prune` pass, which gives it the prepared training split."""
    (images,), labels = train
    x, y = torch.from_numpy(images), torch.from_numpy(labels)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.005)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    model.train()
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(y)).split(BATCH):
            loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()
    return model


def _block(channels_in: int, channels_out: int) -> tuple[nn.Module, ...]:
    """A 3x3 convolution that keeps the image's size, normalised and rectified."""
    convolution = nn.Conv2d(channels_in, channels_out, kernel_size=3, padding=1, bias=False)
    return convolution, nn.BatchNorm2d(channels_out), nn.ReLU()
