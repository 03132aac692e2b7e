"""A split goes through a runner about as fast as through a bare loop, in memory that does not grow with it."""

import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from checking import checked
from claim import Claim, of_pairs
from language import ROOT
from stopwatch import Run, run, taking_turns

PAIRS = 9
TURNS = 3
SAMPLES = 10_000
PROTOCOL = ROOT / "deployspec" / "runners" / "protocol.py"
BARE_LOOP = ROOT / "benches" / "bare_loop.py"


@dataclass(frozen=True)
class Subject:
    """What is evaluated: an artifact of the digits report, its runner and how that is told to load it."""

    file: str
    runner: str
    options: dict[str, Any]

    @property
    def artifact(self) -> Path:
        return checked()[0] / "report" / "artifacts" / self.file


SUBJECTS = (
    Subject("android/digits.tflite", "tflite", {"inputs": ["image"], "outputs": ["logits"]}),
    Subject("server/digits.ts.pt", "torchscript", {}),
)


def throughput() -> Iterator[Claim]:
    """Samples a second, by the runner and by the loop, each in a fresh process that takes its own time."""
    for subject in SUBJECTS:
        with _samples(SAMPLES) as samples:
            bare = [sys.executable, BARE_LOOP, subject.artifact, samples, samples.with_name("answers.npy")]
            pairs = taking_turns(
                lambda s=subject, x=samples: SAMPLES / _seconds(_evaluate(s, x)),
                lambda c=bare: SAMPLES / float(run(c).output),
                PAIRS,
            )
        yield of_pairs(f"{subject.runner} runner / bare loop", pairs, 0.9, unit="/s", at_least=True)


def memory() -> Iterator[Claim]:
    """Peak memory of ten times as many samples against that of as many."""
    for subject in SUBJECTS:
        with _samples(SAMPLES) as few, _samples(10 * SAMPLES) as many:
            pairs = taking_turns(_peak_mb(subject, many), _peak_mb(subject, few), TURNS)
        yield of_pairs(f"{subject.runner} runner: memory of 100,000 / 10,000 samples", pairs, 1.05, unit="MB")


@contextmanager
def _samples(count: int) -> Iterator[Path]:
    """A file of as many digits' worth of noise."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "samples.npy")
        np.save(path, np.random.default_rng(0).standard_normal((count, 1, 8, 8), np.float32))
        yield path


def _evaluate(subject: Subject, samples: Path) -> Run:
    """The runner, told as a lane tells it."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "out").mkdir()
        job = {
            "artifact": str(subject.artifact),
            "options": subject.options,
            "tasks": [{"task": "outputs", "inputs": [str(samples)], "out": "out"}],
            "time_limit_s": 600,
            "nonce": "bench",
        }
        Path(folder, "job.json").write_text(json.dumps(job))
        return run([sys.executable, PROTOCOL, subject.runner], given=f"{folder}\n", OMP_NUM_THREADS="1")


def _seconds(done: Run) -> float:
    """What the task's line says of its time."""
    return next(json.loads(line)["seconds"] for line in done.output.splitlines() if '"seconds"' in line)


def _peak_mb(subject: Subject, samples: Path) -> Callable[[], float]:
    return lambda: _evaluate(subject, samples).peak_bytes / 1e6
