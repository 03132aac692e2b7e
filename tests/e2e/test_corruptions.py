"""The corruptions that toolchains are known for, made for real: each is refused, and its sound twin is not.

All run in one check, of the trained digits where it takes a trained net to show.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from typing import Any

import pytest
from programs import ROOT
from projects import register_harmful_target

REFUSED = {
    "moving-average": r"reloaded from its bytes, it differs by 0\.1\d* of the output's spread from what made it",
    # Where its weights should be, it reads what lies in memory.
    "function-and-model": r"output 'logits' has NaN or Inf once the artifact is reloaded|reloaded .* it differs by",
    "sparse-and-default": r"it could not be run in a fresh process: RuntimeError: failed to delegate FULLY_CONNECTED",
}
"""For each way that spoils a file, how the contract's step says so."""

SOUND = ("extremes", "saved-model", "sparse-alone")


def spec() -> str:
    targets = "".join(f'[targets.{way}]\nformat = "corrupted"\nway = "{way}"\n' for way in (*REFUSED, *SOUND))
    return f"""\
deployspec = 1
[model]
name = "digits"
source = "digits.py:build"
weights = "digits.safetensors"
[[model.inputs]]
name = "image"
shape = ["batch", 1, 8, 8]
range = [-1.0, 1.0]
preprocess = {{ scale = 0.0625, mean = [0.5], std = [0.5], layout = "nhwc" }}
[[model.outputs]]
name = "logits"
[data]
calibration = "data/calibration.npz"
[budgets]
size = "< 1 MB"
{targets}"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a check of every way concludes."""
    folder = tmp_path_factory.mktemp("corruptions") / "digits"
    shutil.copytree(ROOT / "examples" / "digits", folder)
    (folder / "spec.toml").write_text(spec())
    environment = register_harmful_target(folder / "site") | {"DEPLOYSPEC_STORE": str(folder / "store")}
    command = [sys.executable, "-m", "deployspec", "check", "spec.toml", "--out", "out", "--format", "json"]
    ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 4, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def steps(report: dict[str, Any], way: str) -> dict[str, str]:
    """The steps that made a way's artifact and held its contract: id to reason, empty for those that are done."""
    return {each["id"]: each.get("reason", "") for each in report["steps"] if each["id"].startswith(f"corrupted.{way}")}


@pytest.mark.parametrize("way", REFUSED)
def test_a_spoilt_artifact_is_made_and_refused_by_its_contract(report: dict[str, Any], way: str) -> None:
    found = steps(report, way)
    assert found[f"corrupted.{way}"] == "", "no converter says that anything is wrong"
    assert re.match(REFUSED[way], found[f"corrupted.{way}@contract"])


@pytest.mark.parametrize("way", SOUND)
def test_its_sound_twin_keeps_it(report: dict[str, Any], way: str) -> None:
    assert set(steps(report, way).values()) == {""}
