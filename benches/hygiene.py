"""Looking for samples that splits share: exactly, at about the cost of a hash for each row; nearly, within minutes."""

import hashlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from claim import Claim, of_pairs
from stopwatch import run, taking_turns

from deployspec.ir.artifact import Job
from deployspec.ir.model import Input, Model
from deployspec.measure.hygiene.leakage import find_leaks
from deployspec.sources.fingerprints import fingerprints

ROWS = 1_000_000
VALUES = 64
PLANTED = 1000
PAIRS = 3
BLOCK = 1 << 14
NEAR_S, NEAR_MB = 600, 2000
MODEL = Model(name="m", source="m.py:build", inputs=(Input(name="x", shape=("batch", VALUES)),))

STEP = """
import sys
from pathlib import Path
from deployspec.ir.artifact import Job
from deployspec.ir.model import Input, Model
from deployspec.measure.hygiene.near_duplicates import find_near_duplicates

folder = Path(sys.argv[1])
model = Model(name="m", source="m.py:build", inputs=(Input(name="x", shape=("batch", 64)),))
splits = {"data": folder / "test", "train": folder / "train"}
job = Job(inputs=splits, out=folder / "out", options={"split": "test"}, model=model)
print(find_near_duplicates(job)["near"])
"""


def leakage() -> Iterator[Claim]:
    """Half a million rows of a test and of a training split: their digests and what both hold, against bare hashing."""
    with _splits(ROWS // 2) as folder:
        pairs = taking_turns(lambda: _timed(_find, folder), lambda: _timed(_hash, folder), PAIRS)
    yield of_pairs("exact leakage, 1M rows of 64 float32 / hashlib on each", pairs, 2)


def near_duplicates() -> Iterator[Claim]:
    """A million rows looked for among a million others, in a process of one thread."""
    with _splits(ROWS) as folder:
        done = run([sys.executable, "-c", STEP, folder], OMP_NUM_THREADS="1")
    found = int(done.output)
    assert abs(found - 2 * PLANTED) < PLANTED / 10, f"{found} found, and {2 * PLANTED} planted"
    seconds, peak = done.cpu_s, done.peak_bytes / 1e6
    name = "near-duplicates of 1M rows among 1M others"
    yield Claim(name=f"{name}: CPU time", ours=seconds, theirs=NEAR_S, ratio=seconds / NEAR_S, bar=1)
    yield Claim(name=f"{name}: memory", ours=peak, theirs=NEAR_MB, ratio=peak / NEAR_MB, bar=1, unit="MB")


@contextmanager
def _splits(rows: int) -> Iterator[Path]:
    """Prepared splits of as many rows near a space of 12 dimensions; the first and the last of test are copies."""
    generator = np.random.default_rng(0)
    basis = generator.standard_normal((12, VALUES), np.float32)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for split in ("out", "train", "test"):
            (folder / split).mkdir()
        train, test = (
            np.lib.format.open_memmap(folder / split / "0.npy", "w+", np.float32, (rows, VALUES))
            for split in ("train", "test")
        )
        for split in (train, test):
            for start in range(0, rows, 50_000):
                inside = generator.standard_normal((50_000, 12), np.float32) @ basis
                split[start : start + 50_000] = inside + 0.3 * generator.standard_normal(inside.shape, np.float32)
        test[:PLANTED] = train[:PLANTED] + 0.02 * generator.standard_normal((PLANTED, VALUES), np.float32)
        test[-PLANTED:] = train[-PLANTED:]
        yield folder


def _find(folder: Path) -> None:
    """As the steps do it: each split's digests, block by block, then the rows that both hold."""
    for split in ("train", "test"):
        rows = np.load(folder / split / "0.npy", mmap_mode="r")
        blocks = [fingerprints([rows[start : start + BLOCK]]) for start in range(0, len(rows), BLOCK)]
        np.save(folder / split / "digests.npy", np.concatenate(blocks))
    inputs = {"data": folder / "test", "train": folder / "train"}
    found = find_leaks(Job(inputs=inputs, out=folder / "out", options={"split": "test"}, model=MODEL))
    assert found["leaked"] == PLANTED


def _hash(folder: Path) -> None:
    """The least that finding them takes."""
    for split in ("train", "test"):
        for row in np.load(folder / split / "0.npy", mmap_mode="r"):
            hashlib.sha256(row).digest()


def _timed(work: Callable[[Path], None], folder: Path) -> float:
    start = time.perf_counter()
    work(folder)
    return time.perf_counter() - start
