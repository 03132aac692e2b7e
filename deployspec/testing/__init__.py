"""What a target must keep, as tests to inherit: for the formats that ship here and for those of other distributions.

In a distribution that registers the target `onnx`, this is a whole test file:

    from deployspec.testing import TargetConformance

    class TestOnnx(TargetConformance):
        targets = ("onnx",)

It makes small networks into the format, plainly and with every scheme that the target takes, through the same stages
as `deployspec check`, and looks at what came out. `TargetConformance` says what it expects. Needs pytest and torch.
"""

import pytest

pytest.register_assert_rewrite("deployspec.testing.conformance")

from deployspec.testing.conformance import TargetConformance  # noqa: E402 - its assertions are rewritten first

__all__ = ["TargetConformance"]
