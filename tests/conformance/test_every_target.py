"""Every format with every scheme that it takes: made for real, and what it promises to be.

`make test` makes the pictures' network; the others, and the second build, are left to `make test-slow`.
"""

from __future__ import annotations

from deployspec import registry
from deployspec.registry import Family
from deployspec.testing import TargetConformance
from deployspec.testing.project import Case


class TestEveryTarget(TargetConformance):
    targets = registry.names(Family.TARGETS)
    variants = (
        Case(name="tflite-nhwc", format="tflite", options='layout = "nhwc"'),
        Case(name="tflite-nhwc-int8", format="tflite", scheme="int8", options='layout = "nhwc"'),
        Case(name="tflite-int8-io", format="tflite", scheme="int8", options='io = "int8"'),
        Case(name="torchscript-script", format="torchscript", options='method = "script"'),
        Case(name="torchscript-int8-x86", format="torchscript", scheme="int8", options='engine = "x86"'),
        Case(name="coreml-int4-weights", format="coreml", scheme="int4-weights", options='minimum = "iOS18"'),
        Case(name="coreml-int8", format="coreml", scheme="int8", options='minimum = "iOS17"'),
        Case(name="executorch-batches", format="executorch", options="batch_max = 8"),
    )
