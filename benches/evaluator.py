"""The evaluator of ML Programs beside eager torch: a network of real size costs about what it costs in torch."""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from claim import Claim, of_pairs
from language import ROOT
from stopwatch import run, taking_turns

PAIRS = 3
PRECISIONS = ("float32", "float16")
MOBILENET = [sys.executable, ROOT / "benches" / "mobilenet.py"]


def evaluator() -> Iterator[Claim]:
    """Seconds for a batch of 32, in each package's declared types, on one thread of a fresh process.

    The converter has folded the batch norms into the convolutions; eager torch runs the net as it is written.
    """
    with tempfile.TemporaryDirectory() as folder:
        run([*MOBILENET, "make", folder])
        for precision in PRECISIONS:
            package = Path(folder, f"{precision}.mlpackage")
            pairs = taking_turns(lambda p=package: _seconds(p), lambda: _seconds("eager"), PAIRS)
            yield of_pairs(f"MobileNetV2 x 32, {precision} ML Program / eager float32 torch", pairs, 2)


def _seconds(of: str | Path) -> float:
    return float(run([*MOBILENET, of], OMP_NUM_THREADS="1").output)
