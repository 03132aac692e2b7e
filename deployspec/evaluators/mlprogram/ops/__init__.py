"""The operators, in the groups of coremltools' operator sets; importing this package fills the table.

Each function is one operator. Its docstring's formula is that of the MIL specification (coremltools,
`converters/mil/mil/ops/defs`, the module of the same name), unless it names another source.
"""

from deployspec.evaluators.mlprogram.ops import (
    activation,
    classify,
    compression,
    control_flow,
    conv,
    detection,
    elementwise,
    image_resizing,
    linear,
    normalization,
    pool,
    quantization,
    random,
    recurrent,
    reduction,
    scatter_gather,
    states,
    tensor_operation,
    tensor_transformation,
    transformers,
)

__all__ = [
    "activation",
    "classify",
    "compression",
    "control_flow",
    "conv",
    "detection",
    "elementwise",
    "image_resizing",
    "linear",
    "normalization",
    "pool",
    "quantization",
    "random",
    "recurrent",
    "reduction",
    "scatter_gather",
    "states",
    "tensor_operation",
    "tensor_transformation",
    "transformers",
]
