"""What an engineer would write instead of checking the five int8 targets of `specs/digits-all.toml`.

One process, the calls that each toolchain documents and its defaults: make the artifact, save it, load it from disk,
evaluate the test split one sample at a time, time 200 calls. Core ML has no runtime but Apple's: elsewhere its file is
made and loaded. No cache, no report, no proof.
"""

import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import coremltools as ct
import litert_torch
import numpy as np
import torch
from ai_edge_litert.interpreter import Interpreter
from coremltools.optimize.torch.quantization import LinearQuantizer, LinearQuantizerConfig
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
    XNNPACKQuantizer,
    get_symmetric_quantization_config,
)
from executorch.exir import to_edge_transform_and_lower
from executorch.runtime import Runtime, Verification
from litert_torch.quantize import pt2e_quantizer
from litert_torch.quantize.quant_config import QuantConfig
from safetensors.torch import load_file
from torch.ao.quantization import get_default_qconfig_mapping
from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
from torchao.quantization.pt2e.quantizer import Quantizer

EXAMPLE = Path(__file__).parents[1] / "examples" / "digits"
sys.path.insert(0, str(EXAMPLE))

from digits import build  # noqa: E402  (found through the line above)

WARM_UP_CALLS, CALLS = 20, 200

Predict = Callable[[np.ndarray], np.ndarray]


def main() -> None:
    """Make all five, then load, evaluate and time each; print a table."""
    settle()
    network = build()
    network.load_state_dict(load_file(EXAMPLE / "digits.safetensors"))
    calibration = torch.from_numpy(split("calibration")[0]).split(1)
    with tempfile.TemporaryDirectory() as folder:
        made = [make(network.eval(), calibration, Path(folder)) for make in MAKERS]
        print(*table(made), sep="\n")


def settle() -> None:
    """One thread, the phone's kernels, and no word of torch.jit and torch.ao on being old."""
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    torch.backends.quantized.engine = "qnnpack"


def split(name: str) -> tuple[np.ndarray, np.ndarray]:
    """The images as the model takes them, float32 (n, 1, 8, 8) in [-1, 1], and their labels."""
    with np.load(EXAMPLE / "data" / f"{name}.npz") as arrays:
        x = (arrays["x"].astype(np.float32) * 0.0625 - 0.5) / 0.5
        return x.reshape(-1, 1, 8, 8), arrays["y"]


# --- make: a model and its calibration samples, (1, …) each, to an int8 file ---


def torchscript(model: torch.nn.Module, calibration: Sequence[torch.Tensor], folder: Path) -> Path:
    """Quantize in FX graph mode; trace, freeze, save."""
    path = folder / "server.pt"
    frozen_int8(model, calibration).save(path)
    return path


def ptmobile(model: torch.nn.Module, calibration: Sequence[torch.Tensor], folder: Path) -> Path:
    """The same for the lite interpreter."""
    path = folder / "mobile.ptl"
    frozen_int8(model, calibration)._save_for_lite_interpreter(str(path))
    return path


def frozen_int8(model: torch.nn.Module, calibration: Sequence[torch.Tensor]) -> torch.jit.ScriptModule:
    """A frozen trace, quantized in FX graph mode."""
    prepared = prepare_fx(model, get_default_qconfig_mapping("qnnpack"), (calibration[0],))
    with torch.no_grad():
        for sample in calibration:
            prepared(sample)
        return torch.jit.freeze(torch.jit.trace(convert_fx(prepared), calibration[0]))


def executorch(model: torch.nn.Module, calibration: Sequence[torch.Tensor], folder: Path) -> Path:
    """Quantize through PT2E, lower to XNNPACK."""
    quantizer = XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True))
    quantized = convert_pt2e(calibrated(model, quantizer, calibration))
    exported = torch.export.export(quantized, (calibration[0],))
    program = to_edge_transform_and_lower(exported, partitioner=[XnnpackPartitioner()]).to_executorch()
    path = folder / "embedded.pte"
    path.write_bytes(program.buffer)
    return path


def tflite(model: torch.nn.Module, calibration: Sequence[torch.Tensor], folder: Path) -> Path:
    """Quantize through PT2E, convert with litert-torch."""
    quantizer = pt2e_quantizer.PT2EQuantizer()
    quantizer.set_global(pt2e_quantizer.get_symmetric_quantization_config(is_per_channel=True))
    quantized = convert_pt2e(calibrated(model, quantizer, calibration), fold_quantize=False)
    path = folder / "android.tflite"
    how = QuantConfig(pt2e_quantizer=quantizer)
    litert_torch.convert(quantized, (calibration[0],), quant_config=how).export(path)
    return path


def calibrated(model: torch.nn.Module, quantizer: Quantizer, calibration: Sequence[torch.Tensor]) -> torch.nn.Module:
    """The exported model with observers that have seen every sample."""
    prepared = prepare_pt2e(torch.export.export(model, (calibration[0],)).module(), quantizer)
    with torch.no_grad():
        for sample in calibration:
            prepared(sample)
    return prepared


def coreml(model: torch.nn.Module, calibration: Sequence[torch.Tensor], folder: Path) -> Path:
    """Quantize weights and activations in torch, trace, convert."""
    config = {"global_config": {"quantization_scheme": "symmetric", "milestones": [0, 1, 2, 2]}}
    quantizer = LinearQuantizer(model, LinearQuantizerConfig.from_dict(config))
    prepared = quantizer.prepare((calibration[0],))
    with torch.no_grad():
        quantizer.step()  # from here on, ranges are observed
        for sample in calibration:
            prepared(sample)
        quantizer.step()  # and from here on, used
        traced = torch.jit.trace(quantizer.finalize().eval(), calibration[0])
    image = ct.TensorType(name="image", shape=calibration[0].shape)
    target = ct.target.iOS17
    path = folder / "ios.mlpackage"
    ct.convert(traced, inputs=[image], convert_to="mlprogram", minimum_deployment_target=target).save(str(path))
    return path


MAKERS = (torchscript, ptmobile, executorch, tflite, coreml)


# --- measure: load from disk, evaluate, time ---


def table(made: list[Path]) -> list[str]:
    """A line for each file, with accuracy and latency where it runs here."""
    x, y = split("test")
    lines = [f"{'':18} {'bytes':>7} {'accuracy':>9} {'p95 ms':>8}"]
    for path in made:
        predict = LOADERS[path.suffix](path)
        figures = f"{accuracy(predict, x, y):9.2%} {p95_ms(predict, x[:1]):8.3f}" if predict else f"{'-':>9} {'-':>8}"
        lines.append(f"{path.name:18} {size_bytes(path):7} {figures}")
    return lines


def load_torchscript(path: Path) -> Predict:
    return torch_predict(torch.jit.load(path))


def load_ptmobile(path: Path) -> Predict:
    from torch.jit.mobile import _load_for_lite_interpreter

    return torch_predict(_load_for_lite_interpreter(str(path)))


def torch_predict(module: Callable[[torch.Tensor], torch.Tensor]) -> Predict:
    def predict(image: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return module(torch.from_numpy(image)).numpy()

    return predict


def load_executorch(path: Path) -> Predict:
    program = Runtime.get().load_program(path, verification=Verification.Minimal)
    method = program.load_method("forward")

    def predict(image: np.ndarray, _keep: object = program) -> np.ndarray:
        return method.execute([torch.from_numpy(image)])[0].numpy()

    return predict


def load_tflite(path: Path) -> Predict:
    """The file takes and gives int8, by the scales it carries."""
    interpreter = Interpreter(model_path=str(path), num_threads=1)
    interpreter.allocate_tensors()
    (source,), (sink,) = interpreter.get_input_details(), interpreter.get_output_details()
    (in_scale, in_zero), (out_scale, out_zero) = source["quantization"], sink["quantization"]

    def predict(image: np.ndarray) -> np.ndarray:
        quantized = np.clip(np.round(image / in_scale) + in_zero, -128, 127).astype(np.int8)
        interpreter.set_tensor(source["index"], quantized)
        interpreter.invoke()
        return (interpreter.get_tensor(sink["index"]).astype(np.float32) - out_zero) * out_scale

    return predict


def load_coreml(path: Path) -> None:
    """It loads; there is nothing here to run it."""
    ct.models.MLModel(str(path), skip_model_load=True)


LOADERS: dict[str, Callable[[Path], Predict | None]] = {
    ".pt": load_torchscript,
    ".ptl": load_ptmobile,
    ".pte": load_executorch,
    ".tflite": load_tflite,
    ".mlpackage": load_coreml,
}


def accuracy(predict: Predict, x: np.ndarray, y: np.ndarray) -> float:
    """The share of images that are read correctly, one at a time."""
    read = [predict(x[i : i + 1]).argmax() for i in range(len(x))]
    return float(np.mean(read == y))


def p95_ms(predict: Predict, sample: np.ndarray) -> float:
    """Warm up, then time single calls."""
    for _ in range(WARM_UP_CALLS):
        predict(sample)
    taken = []
    for _ in range(CALLS):
        start = time.perf_counter_ns()
        predict(sample)
        taken.append(time.perf_counter_ns() - start)
    return float(np.percentile(taken, 95)) / 1e6


def size_bytes(path: Path) -> int:
    """Of a file, or of all files in a folder."""
    return sum(each.stat().st_size for each in [path, *path.rglob("*")] if each.is_file())


if __name__ == "__main__":
    main()
