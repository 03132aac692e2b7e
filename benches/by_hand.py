"""What an engineer would write instead of `deployspec check specs/digits.toml`: the same two artifacts, by hand.

One process and every library at its defaults: convert to TorchScript and to int8 LiteRT, reload both from disk,
evaluate both and the eager model over the test split one sample at a time, and time each as often and as warm as a
check does: six repetitions of a load, a warm-up of 20 calls and 0.1 s, and 100 timed calls. No cache, no report, no
proof.
"""

import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import litert_torch
import numpy as np
import torch
from ai_edge_litert.interpreter import Interpreter
from litert_torch.quantize.pt2e_quantizer import PT2EQuantizer, get_symmetric_quantization_config
from litert_torch.quantize.quant_config import QuantConfig
from safetensors.torch import load_file
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

EXAMPLE = Path(__file__).parents[1] / "examples" / "digits"
sys.path.insert(0, str(EXAMPLE))

from digits import build  # noqa: E402  (found through the line above)

REPETITIONS, WARM_UP_CALLS, WARM_UP_S, CALLS = 6, 20, 0.1, 100

Predict = Callable[[np.ndarray], np.ndarray]


def main() -> None:
    """Convert, save, reload, evaluate, time, print."""
    warnings.filterwarnings("ignore", category=DeprecationWarning)  # torch.jit says on every call that it is old
    torch.set_num_threads(1)
    model = build()
    model.load_state_dict(load_file(EXAMPLE / "digits.safetensors"))
    model.eval()
    x, y = split("test")
    reference = evaluate(eager(model), x)
    table = [f"{'':12} {'bytes':>7} {'accuracy':>9} {'least recall':>13} {'agreement':>10} {'p95 ms':>8}"]
    table += [row("reference", reference, y, reference)]
    with tempfile.TemporaryDirectory() as folder:
        server, android = Path(folder, "server.pt"), Path(folder, "android.tflite")
        convert_torchscript(model, x[:1], server)
        convert_int8(model, x[:1], android)
        for path, load in ((server, load_torchscript), (android, load_tflite)):
            called = evaluate(load(path), x)
            p95_ms = statistics.median(time_p95(load, path, x[:1]) for _ in range(REPETITIONS))
            table += [row(path.stem, called, y, reference, f"{path.stat().st_size:7}", f"{p95_ms:8.3f}")]
    print(*table, sep="\n")


def split(name: str) -> tuple[np.ndarray, np.ndarray]:
    """The images as the model takes them, float32 (n, 1, 8, 8) in [-1, 1], and their labels."""
    with np.load(EXAMPLE / "data" / f"{name}.npz") as arrays:
        x = (arrays["x"].astype(np.float32) * 0.0625 - 0.5) / 0.5
        return np.ascontiguousarray(x.transpose(0, 3, 1, 2)), arrays["y"]


def convert_torchscript(model: torch.nn.Module, sample: np.ndarray, path: Path) -> None:
    """Trace, freeze, save."""
    with torch.no_grad():
        torch.jit.freeze(torch.jit.trace(model, torch.from_numpy(sample))).save(path)


def convert_int8(model: torch.nn.Module, sample: np.ndarray, path: Path) -> None:
    """Quantize through PT2E, per channel, with ranges from the calibration split; convert."""
    quantizer = PT2EQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True))
    arguments = (torch.from_numpy(sample),)
    prepared = prepare_pt2e(torch.export.export(model, arguments).module(), quantizer)
    with torch.inference_mode():
        for image in split("calibration")[0]:
            prepared(torch.from_numpy(image[None]))
    quantized = convert_pt2e(prepared, fold_quantize=False)
    litert_torch.convert(quantized, arguments, quant_config=QuantConfig(pt2e_quantizer=quantizer)).export(path)


def eager(model: torch.nn.Module) -> Predict:
    """The model as it was trained."""

    def predict(image: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return model(torch.from_numpy(image)).numpy()

    return predict


def load_torchscript(path: Path) -> Predict:
    """libtorch, through the file."""
    return eager(torch.jit.load(path))


def load_tflite(path: Path) -> Predict:
    """The LiteRT interpreter; the file takes and gives int8, by the scales it carries."""
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


def evaluate(predict: Predict, x: np.ndarray) -> np.ndarray:
    """The decision on each image, one image at a time."""
    return np.array([predict(image[None]).argmax() for image in x])


def time_p95(load: Callable[[Path], Predict], path: Path, sample: np.ndarray) -> float:
    """Load, warm up, and time single calls; milliseconds."""
    predict = load(path)
    warm, called = time.perf_counter() + WARM_UP_S, 0
    while called < WARM_UP_CALLS or time.perf_counter() < warm:
        predict(sample)
        called += 1
    taken = []
    for _ in range(CALLS):
        start = time.perf_counter_ns()
        predict(sample)
        taken.append(time.perf_counter_ns() - start)
    return float(np.percentile(taken, 95)) / 1e6


def row(name: str, called: np.ndarray, y: np.ndarray, reference: np.ndarray, size: str = "", p95: str = "") -> str:
    """One line of the table."""
    recall = min(float((called[y == label] == label).mean()) for label in np.unique(y))
    accuracy, agreement = (called == y).mean(), (called == reference).mean()
    return f"{name:12} {size:>7} {accuracy:9.2%} {recall:13.2%} {agreement:10.2%} {p95:>8}".rstrip()


if __name__ == "__main__":
    main()
