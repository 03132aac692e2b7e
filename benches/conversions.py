"""What a target's step takes beyond the converter's own calls, on a model of real size; and what targets share."""

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from checking import none_of
from claim import Claim, of_pairs
from five import BUILD_ONLY
from language import DEPLOYSPEC, ROOT, spec_of
from stopwatch import run

EFFICIENTNET = ROOT / "specs" / "efficientnet.toml"
MODEL = ROOT / "examples" / "efficientnet" / "model.py"
MAKERS = {"server": "torchscript", "mobile": "ptmobile", "embedded": "executorch", "android": "tflite", "ios": "coreml"}
"""Of each float target of that spec, the function of bare_conversions.py that stands beside it."""

PRUNED = """
[targets.{name}]
format = "torchscript"
passes = [
  {{ pass = "prune", method = "structured", sparsity = 0.5, finetune = "digits.py:finetune" }},
  {{ pass = "quantize", scheme = "{scheme}" }},
]
"""


def efficientnet() -> Iterator[Claim]:
    """Seconds inside the worker against those of the bare calls, imports apart, one after the other."""
    with tempfile.TemporaryDirectory() as store:
        built = run([sys.executable, BUILD_ONLY, EFFICIENTNET, store, "1", *MAKERS])
        (samples,) = Path(store).glob("steps/*/*/out/0.npy")  # the prepared calibration split
        bare = run([sys.executable, ROOT / "benches" / "bare_conversions.py", f"{MODEL}:build", samples])
    ours, theirs = json.loads(built.output), json.loads(bare.output.splitlines()[-1])
    for target, maker in MAKERS.items():
        pair = (ours[target], theirs[maker])
        yield of_pairs(f"EfficientNet-Lite0 to {maker} / its converter's calls", [pair], 1.15)


def pruned() -> Iterator[Claim]:
    """A second target that wants the same pruned and fine-tuned model finds it made."""
    tables = [PRUNED.format(name=scheme, scheme=scheme) for scheme in ("int8", "float16")]
    with spec_of(tables) as spec:
        found = [_pruning_steps(spec, *chosen) for chosen in (["--target", "int8"], [])]
    alone, both = found
    assert alone == ["built"], "the first target prunes"
    yield none_of(
        "a second target of a pruned model: prunings / all", [each for each in both if each != "cached"], both
    )


def _pruning_steps(spec: Path, *chosen: str) -> list[str]:
    """What became of each step that prunes, in a check that keeps its store beside the spec."""
    command = [DEPLOYSPEC, "check", spec, *chosen, "--format", "json", "--out", spec.with_name("report")]
    steps = json.loads(run(command, exits=(0, 1, 3)).output)["steps"]
    return [step["result"] for step in steps if step["id"].endswith(".pruned")]
