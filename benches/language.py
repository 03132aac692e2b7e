"""The language is quick to read: cold, beside the imports that it needs, and with a thousand targets."""

import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from claim import Claim, of_pairs
from stopwatch import Run, run, taking_turns

ROOT = Path(__file__).parents[1]
SPEC = ROOT / "specs" / "digits.toml"
DEPLOYSPEC = Path(sys.executable).with_name("deployspec")

PAIRS = 21
TURNS = 3
TARGET = """
[targets.{name}]
format = "{format}"
passes = [{{ pass = "quantize", scheme = "{scheme}" }}]
"""
KINDS = [("tflite", "int8"), ("torchscript", "float16"), ("tflite", "float16"), ("torchscript", "int8")]


def validate() -> Iterator[Claim]:
    """Against a Python that imports the two libraries and does nothing with them."""
    imports = [sys.executable, "-c", "import pydantic, click"]
    pairs = taking_turns(lambda: run([DEPLOYSPEC, "validate", SPEC]), lambda: run(imports), PAIRS)
    yield of_pairs("validate, cold / import pydantic, click", walls(pairs), 1.5)
    yield of_pairs("the same in CPU time", [(ours.cpu_s, theirs.cpu_s) for ours, theirs in pairs], 1.5)


def thousand() -> Iterator[Claim]:
    """A thousand targets against one, and what they take in memory."""
    with spec_of(_many(1)) as small, spec_of(_many(1000)) as large:
        for command in ("validate", "plan"):
            runs = [(run([DEPLOYSPEC, command, large]), run([DEPLOYSPEC, command, small])) for _ in range(TURNS)]
            yield of_pairs(f"{command} 1,000 targets / 1 target", walls(runs), 25)
            peaks = [(many.peak_bytes / 1e6, 200.0) for many, _ in runs]
            yield of_pairs(f"{command} 1,000 targets: peak memory / 200 MB", peaks, 1, unit="MB")


def walls(pairs: Sequence[tuple[Run, Run]]) -> list[tuple[float, float]]:
    """The seconds by the clock."""
    return [(ours.wall_s, theirs.wall_s) for ours, theirs in pairs]


@contextmanager
def spec_of(targets: Iterable[str]) -> Iterator[Path]:
    """The digits spec with these tables of targets, beside a copy of its example."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "examples" / "digits", folder, dirs_exist_ok=True)
        head, _, _ = SPEC.read_text().partition("# float32, as it was trained.")
        path = Path(folder, "spec.toml")
        path.write_text(head.replace("../examples/digits/", "") + "".join(targets))
        yield path


def _many(count: int) -> Iterator[str]:
    for i in range(count):
        form, scheme = KINDS[i % len(KINDS)]
        yield TARGET.format(name=f"t{i}", format=form, scheme=scheme)
