"""The language is quick to read: cold, beside the imports that it needs, and with a thousand targets."""

import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
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
    with _spec_of(1) as small, _spec_of(1000) as large:
        for command in ("validate", "plan"):
            runs = [(run([DEPLOYSPEC, command, large]), run([DEPLOYSPEC, command, small])) for _ in range(TURNS)]
            yield of_pairs(f"{command} 1,000 targets / 1 target", walls(runs), 25)
            peaks = [(many.peak_bytes / 1e6, 200.0) for many, _ in runs]
            yield of_pairs(f"{command} 1,000 targets: peak memory / 200 MB", peaks, 1, unit="MB")


def walls(pairs: Sequence[tuple[Run, Run]]) -> list[tuple[float, float]]:
    """The seconds by the clock."""
    return [(ours.wall_s, theirs.wall_s) for ours, theirs in pairs]


@contextmanager
def _spec_of(targets: int) -> Iterator[Path]:
    """The digits spec with as many targets, beside a copy of its example."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "examples" / "digits", folder, dirs_exist_ok=True)
        head, _, _ = SPEC.read_text().partition("# float32, as it was trained.")
        kinds = [KINDS[i % len(KINDS)] for i in range(targets)]
        tables = [TARGET.format(name=f"t{i}", format=form, scheme=scheme) for i, (form, scheme) in enumerate(kinds)]
        path = Path(folder, "spec.toml")
        path.write_text(head.replace("../examples/digits/", "") + "".join(tables))
        yield path
