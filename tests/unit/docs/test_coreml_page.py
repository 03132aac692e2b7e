"""The page on Core ML: its snippet runs as it stands."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
from mlprograms import Body, Name, Op, save

PAGE = Path(__file__).parents[3] / "docs" / "coreml.md"


def test_the_snippet_runs_as_it_stands(tmp_path: Path) -> None:
    ops = [
        Op("reduce_mean", {"x": Name("image"), "axes": np.array([2, 3], "i4")}, {"mean": ("fp32", (1, 3))}),
        Op("linear", {"x": Name("mean"), "weight": np.ones((10, 3), "f4")}, {"logits": ("fp32", (1, 10))}),
    ]
    save(tmp_path / "model.mlpackage", Body(ops, ["logits"], {"image": ("fp32", (1, 3, 224, 224))}))
    (snippet,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    ran = subprocess.run([sys.executable, "-c", snippet], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == ["[('image', 'fp32', (1, 3, 224, 224))]", "{'logits': (1, 10)}"]
