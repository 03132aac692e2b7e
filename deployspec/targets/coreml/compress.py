"""Weights in fewer bits, and without their zeros: what happens to a program before it is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

_BITS: Final = {
    None: 32,
    "float16": 16,
    "int8": 8,
    "int8-weights": 8,
    "palette-8": 8,
    "palette-6": 6,
    "palette-4": 4,
    "int4-weights": 4,
}
"""Of one stored weight, by scheme; None is the model as it stands."""

_BLOCK: Final = 32
"""Weights that share a scale in int4."""

_WORTH_BITS: Final = 1.5
"""Bits a weight that leaving out zeros must save; the mask costs 1."""


def compress(program: Any, scheme: str | None) -> Any:
    """The MLModel with its weights as `scheme` stores them (float16 or float32 so far; int8 has it done already).

    Weights of 2048 elements and fewer stay as they are, as Core ML has it: their tables would cost what they save.
    """
    pruned = _is_pruned(program, _BITS[scheme])
    match scheme:
        case "int8-weights":
            program = _linear(program, dtype=_eight_bits(program))
        case "int4-weights":
            # What no whole number of blocks fills goes to 8 bits: 4, with one scale a channel, would lose too much.
            program = _linear(program, dtype="int4", granularity="per_block", block_size=_BLOCK)
            program = _linear(program, dtype="int8")
        case "palette-8" | "palette-6" | "palette-4":
            program = _palettized(program, _BITS[scheme])
    return _without_zeros(program, _BITS[scheme]) if pruned else program


def _eight_bits(program: Any) -> str:
    """Signed in the encoding of iOS 18; in that of iOS 16 unsigned about 127, which is the same on every device.

    Signed with zero point 0 has been seen to go wrong there: https://github.com/apple/coremltools/issues/2114.
    """
    import coremltools

    return "int8" if program.get_spec().specificationVersion >= coremltools.target.iOS18.value else "uint8"


def _linear(program: Any, **how: Any) -> Any:
    """Each float weight as integers and scales; the range symmetric, so that zero stays zero."""
    from coremltools.optimize import coreml

    each = coreml.OpLinearQuantizerConfig(mode="linear_symmetric", **how)
    return coreml.linear_quantize_weights(program, coreml.OptimizationConfig(global_config=each))


def _palettized(program: Any, bits: int) -> Any:
    """Each float weight as a table of 2 ** bits values and places in it."""
    from coremltools.optimize import coreml

    each = coreml.OpPalettizerConfig(mode="custom", lut_function=_palette(bits))
    return coreml.palettize_weights(program, coreml.OptimizationConfig(global_config=each))


def _palette(bits: int) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """A function from a weight to its table and, flat, its places: exact k-means, with nothing random in it.

    In a pruned weight zero keeps an entry of its own, the one after the clusters, else pruning would be undone.
    """

    def tabulate(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        from coremltools._deps import kmeans1d

        values, where, counts = np.unique(weight, return_inverse=True, return_counts=True)
        clustered = np.ones(len(values), bool)
        if _worth_a_mask(float((weight == 0).mean()), bits):
            clustered = values != 0
        clusters = min(2**bits - int(not clustered.all()), int(clustered.sum()))
        table, places = np.zeros(2**bits, weight.dtype), np.full(len(values), clusters)
        if clusters:
            found = kmeans1d.cluster(values[clustered], clusters, weights=counts[clustered])
            table[:clusters], places[clustered] = found.centroids, found.clusters
        return table, places[where].reshape(-1).astype(np.uint8)

    return tabulate


def _worth_a_mask(zeros: float, bits: int) -> bool:
    """Whether leaving out a share of zeros saves more than the mask, a bit a weight, costs."""
    return zeros * bits > _WORTH_BITS


def _is_pruned(program: Any, bits: int) -> bool:
    """Whether a weight has so many zeros before it is compressed; quantization alone makes some."""
    from coremltools.optimize import coreml

    return any(_worth_a_mask(each.sparsity, bits) for each in coreml.get_weights_metadata(program).values())


def _without_zeros(program: Any, bits: int) -> Any:
    """Every weight that gains by it as a mask and its other values; only what is zero already is left out.

    The operators came with iOS 16, those for quantized weights with iOS 18: a program for older ones stays as it is.
    """
    import coremltools
    from coremltools.optimize import coreml

    each = coreml.OpThresholdPrunerConfig(threshold=0.0, minimum_sparsity_percentile=_WORTH_BITS / bits)
    config = coreml.OptimizationConfig(global_config=each)
    version = program.get_spec().specificationVersion
    if version < coremltools.target.iOS16.value:
        return program
    if bits < 16 and version >= coremltools.target.iOS18.value:
        program = coreml.prune_weights(program, config, joint_compression=True)
    return coreml.prune_weights(program, config)
