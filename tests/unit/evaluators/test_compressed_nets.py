"""Compressed weights, against decompressing them by a program of another's: coremltools' own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from nets import convert, quietly, settled

from deployspec.evaluators.mlprogram import Mode, load

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def int8(cto: Any, model: Any) -> Any:
    config = cto.OptimizationConfig(cto.OpLinearQuantizerConfig(mode="linear", dtype="int8", weight_threshold=0))
    return cto.linear_quantize_weights(model, config)


def int4_blocks(cto: Any, model: Any) -> Any:
    blocks = {"granularity": "per_block", "block_size": 4, "weight_threshold": 0}
    return cto.linear_quantize_weights(
        model, cto.OptimizationConfig(cto.OpLinearQuantizerConfig(mode="linear_symmetric", dtype="int4", **blocks))
    )


def palette(bits: int, **more: Any) -> Callable[[Any, Any], Any]:
    def compress(cto: Any, model: Any) -> Any:
        config = cto.OpPalettizerConfig(mode="kmeans", nbits=bits, weight_threshold=0, **more)
        return cto.palettize_weights(model, cto.OptimizationConfig(config))

    return compress


def sparse(cto: Any, model: Any) -> Any:
    config = cto.OpMagnitudePrunerConfig(target_sparsity=0.6, weight_threshold=0)
    return cto.prune_weights(model, cto.OptimizationConfig(config))


def sparse_palette(cto: Any, model: Any) -> Any:
    config = cto.OpPalettizerConfig(mode="kmeans", nbits=4, weight_threshold=0)
    return cto.palettize_weights(sparse(cto, model), cto.OptimizationConfig(config), joint_compression=True)


def sparse_int8(cto: Any, model: Any) -> Any:
    config = cto.OpLinearQuantizerConfig(mode="linear_symmetric", weight_threshold=0)
    return cto.linear_quantize_weights(sparse(cto, model), cto.OptimizationConfig(config), joint_compression=True)


COMPRESSED = {
    "int8": (int8, "constexpr_blockwise_shift_scale"),
    "int4-blocks": (int4_blocks, "constexpr_blockwise_shift_scale"),
    "palette-4": (palette(4), "constexpr_lut_to_dense"),
    "palette-6": (palette(6), "constexpr_lut_to_dense"),
    "palette-groups": (palette(4, granularity="per_grouped_channel", group_size=4), "constexpr_lut_to_dense"),
    "palette-vectors": (palette(2, cluster_dim=2), "constexpr_lut_to_dense"),
    "sparse": (sparse, "constexpr_sparse_to_dense"),
    "sparse-palette": (sparse_palette, "constexpr_lut_to_sparse"),
    "sparse-int8": (sparse_int8, "constexpr_sparse_blockwise_shift_scale"),
}


@pytest.mark.slow
@pytest.mark.parametrize("form", COMPRESSED)
def test_compressed_weights_mean_what_decompressing_them_first_means(
    coremltools: Any, tmp_path: Path, form: str
) -> None:
    import coremltools.optimize.coreml as cto

    compress, operator = COMPRESSED[form]
    net, example = settled("cnn")
    package = convert(
        coremltools, net, example, tmp_path / "m.mlpackage", compute_precision=coremltools.precision.FLOAT32
    )
    with quietly():
        compress(cto, coremltools.models.MLModel(str(package))).save(str(tmp_path / "small.mlpackage"))
        small = coremltools.models.MLModel(str(tmp_path / "small.mlpackage"))
        cto.decompress_weights(small).save(str(tmp_path / "plain.mlpackage"))
        del small
    program, plain = (load(tmp_path / f"{each}.mlpackage", mode=Mode.FP64) for each in ("small", "plain"))
    outputs, expected = program(x=example.numpy())["y"], plain(x=example.numpy())["y"]

    assert operator in program.operators
    assert not any(each.startswith("constexpr") for each in plain.operators)
    assert np.abs(outputs - expected).max() <= 1e-6 * np.ptp(expected)
