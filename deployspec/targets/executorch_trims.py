"""Work that ExecuTorch's exporter does on first use and that a given model has no need of, left out.

Each trim is off unless the installed version is one that was looked at, and the model has nothing that it concerns;
the program that comes out is the same to the byte.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch

LOOKED_AT: Final = frozenset({"1.4.1"})
"""Versions of executorch whose insides are as this module takes them to be."""


def _is_known() -> bool:
    return importlib.metadata.version("executorch") in LOOKED_AT


def post_training_quantizer() -> Any:
    """XNNPACK's quantizer; without the patterns of quantization-aware training where no normalisation is left.

    Each of those patterns has a batch_norm, which preparing a trained model folds into the layer before it; to look
    for them, they are all traced first.
    """
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import XNNPACKQuantizer

    class PostTraining(XNNPACKQuantizer):
        """Looks for the patterns that the model can have."""

        def annotate(self, model: torch.fx.GraphModule) -> torch.fx.GraphModule:
            if _is_known() and not _has(model, "batch_norm"):
                self.SUPPORTED_PATTERNS = [each for each in XNNPACKQuantizer.SUPPORTED_PATTERNS if not each.is_qat]
            return super().annotate(model)

    return PostTraining()


@contextlib.contextmanager
def without_idle_patterns(program: torch.export.ExportedProgram) -> Iterator[None]:
    """Inside, lowering does not trace the graphs of bilinear resizing and of attention where `program` has neither.

    Attention is also found written out, by its softmax.
    """
    from executorch.backends.xnnpack.partition.graphs import bilinear_2d, sdpa

    with contextlib.ExitStack() as stack:
        if _is_known() and not _has(program.graph_module, "upsample_bilinear2d"):
            stack.enter_context(_replaced(bilinear_2d, "get_graphs_dict", dict))
        if _is_known() and not _has(program.graph_module, "scaled_dot_product", "softmax"):
            stack.enter_context(_replaced(sdpa, "get_graphs", list))
        yield


def _has(model: torch.fx.GraphModule, *operators: str) -> bool:
    """Whether a node of the model, or of a branch inside it, calls one of the operators."""
    import torch

    graphs = [each.graph for each in model.modules() if isinstance(each, torch.fx.GraphModule)]
    called = {str(node.target) for graph in graphs for node in graph.nodes if node.op == "call_function"}
    return any(operator in name for operator in operators for name in called)


@contextlib.contextmanager
def _replaced(module: Any, name: str, function: Any) -> Iterator[None]:
    kept = getattr(module, name)
    setattr(module, name, function)
    try:
        yield
    finally:
        setattr(module, name, kept)
