"""The bare calls of five converters on any model: `bare_conversions.py MODEL.py:CALLABLE CALIBRATION.npy`.

Prints, as JSON, the seconds that each took, imports apart, in one process.
"""

import importlib.util
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from five_by_hand import MAKERS, settle


def main(source: str, samples: str) -> None:
    """Open the model, then quantize, convert and save it five times."""
    settle()
    calibration = torch.from_numpy(np.load(samples)).split(1)
    seconds = {}
    with tempfile.TemporaryDirectory() as folder:
        for make in MAKERS:
            start = time.perf_counter()
            make(load(source), calibration, Path(folder))
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


if __name__ == "__main__":
    main(*sys.argv[1:])
