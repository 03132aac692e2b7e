"""ONNX keeps what every target of deployspec keeps."""

from deployspec.testing import TargetConformance


class TestOnnx(TargetConformance):
    targets = ("onnx",)
