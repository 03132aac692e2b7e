"""A small convolutional network for 8x8 digits: what `specs/digits.toml` promises to ship."""

from torch import Tensor, nn


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


def _block(channels_in: int, channels_out: int) -> tuple[nn.Module, ...]:
    """A 3x3 convolution that keeps the image's size, normalised and rectified."""
    convolution = nn.Conv2d(channels_in, channels_out, kernel_size=3, padding=1, bias=False)
    return convolution, nn.BatchNorm2d(channels_out), nn.ReLU()
