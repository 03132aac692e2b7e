"""The bare calls of five converters on any model: `bare_conversions.py MODEL.py:CALLABLE CALIBRATION.npy`.

Each opens the model, converts it in float32 and saves the file. Prints, as JSON, the seconds that each took, imports
apart, in one process.
"""

import importlib.util
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import coremltools as ct
import litert_torch
import numpy as np
import torch
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.exir import to_edge_transform_and_lower
from five_by_hand import settle


def main(source: str, samples: str) -> None:
    """Convert and save five times."""
    settle()
    example = torch.from_numpy(np.load(samples)[:1])
    seconds = {}
    with tempfile.TemporaryDirectory() as folder:
        for make in MAKERS:
            start = time.perf_counter()
            make(load(source), example, Path(folder))
            seconds[make.__name__] = time.perf_counter() - start
    print(json.dumps(seconds))


def load(source: str) -> torch.nn.Module:
    """The model that the callable builds, weights and all."""
    path, _, name = source.partition(":")
    sys.path.insert(0, str(Path(path).parent))
    spec = importlib.util.spec_from_file_location("model", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, name)().eval()


def torchscript(model: torch.nn.Module, example: torch.Tensor, folder: Path) -> None:
    """Trace, freeze, save."""
    torch.jit.freeze(torch.jit.trace(model, example)).save(folder / "server.pt")


def ptmobile(model: torch.nn.Module, example: torch.Tensor, folder: Path) -> None:
    """The same for the lite interpreter."""
    torch.jit.freeze(torch.jit.trace(model, example))._save_for_lite_interpreter(str(folder / "mobile.ptl"))


def executorch(model: torch.nn.Module, example: torch.Tensor, folder: Path) -> None:
    """Export, lower to XNNPACK."""
    exported = torch.export.export(model, (example,))
    program = to_edge_transform_and_lower(exported, partitioner=[XnnpackPartitioner()]).to_executorch()
    (folder / "embedded.pte").write_bytes(program.buffer)


def tflite(model: torch.nn.Module, example: torch.Tensor, folder: Path) -> None:
    """Turn the input to channels last, convert with litert-torch."""
    turned = litert_torch.to_channel_last_io(model, args=[0]).eval()
    litert_torch.convert(turned, (example.permute(0, 2, 3, 1).contiguous(),)).export(folder / "android.tflite")


def coreml(model: torch.nn.Module, example: torch.Tensor, folder: Path) -> None:
    """Trace, convert in float32."""
    ct.convert(
        torch.jit.trace(model, example),
        inputs=[ct.TensorType(name="image", shape=example.shape)],
        convert_to="mlprogram",
        minimum_deployment_target=ct.target.iOS16,
        compute_precision=ct.precision.FLOAT32,
    ).save(str(folder / "ios.mlpackage"))


MAKERS: tuple[Callable[[torch.nn.Module, torch.Tensor, Path], None], ...] = (
    torchscript,
    ptmobile,
    executorch,
    tflite,
    coreml,
)


if __name__ == "__main__":
    main(*sys.argv[1:])
