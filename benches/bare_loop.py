"""A bare loop over an interpreter: `bare_loop.py ARTIFACT SAMPLES.npy ANSWERS.npy` prints the seconds that it took.

What anyone would write: all samples in memory, one call after the other, the answers collected and saved.
"""

import sys
import time
from collections.abc import Callable

import numpy as np

Predict = Callable[[np.ndarray], np.ndarray]


def main() -> None:
    """Load, loop, print."""
    predict = load(sys.argv[1])
    start = time.perf_counter()
    samples = np.load(sys.argv[2])
    np.save(sys.argv[3], np.concatenate([predict(samples[i : i + 1]) for i in range(len(samples))]))
    print(time.perf_counter() - start)


def load(path: str) -> Predict:
    """The artifact in its own runtime, on one thread."""
    return load_tflite(path) if path.endswith(".tflite") else load_torchscript(path)


def load_tflite(path: str) -> Predict:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=path, num_threads=1)
    interpreter.allocate_tensors()
    (source,), (sink,) = interpreter.get_input_details(), interpreter.get_output_details()

    def predict(sample: np.ndarray) -> np.ndarray:
        interpreter.set_tensor(source["index"], sample)
        interpreter.invoke()
        return interpreter.get_tensor(sink["index"])

    return predict


def load_torchscript(path: str) -> Predict:
    import torch

    torch.set_num_threads(1)
    module = torch.jit.load(path)

    def predict(sample: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return module(torch.from_numpy(sample)).numpy()

    return predict


if __name__ == "__main__":
    main()
