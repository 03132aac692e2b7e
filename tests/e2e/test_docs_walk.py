"""What the documentation promises of whole runs: the README's five minutes, and that every budget is measured."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deployspec.ir.budget import BUDGETS
from deployspec.ir.model import Task
from deployspec.parse.budgets import example

ROOT = Path(__file__).parents[2]
DIGITS = ROOT / "examples" / "digits"

HEAD = """\
deployspec = 1

[model]
name = "digits"
source = "digits.py:build"
weights = "digits.safetensors"

[[model.inputs]]
name = "image"
shape = ["batch", 1, 8, 8]
preprocess = { scale = 0.0625, mean = [0.5], std = [0.5], layout = "nhwc" }

[task]
kind = "classification"
labels = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]

[data]
train = "data/train.npz"
test = "data/test.npz"
field = "data/calibration.npz"

[targets.phone]
format = "tflite"
sustained = "1 s"

[targets.phone.budgets]
"""


def deployspec(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"DEPLOYSPEC_STORE": str(folder / "store")}
    command = [sys.executable, "-m", "deployspec", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def five_minutes() -> list[list[str]]:
    """The arguments of each `deployspec` command of the README's walk, in order."""
    section = (ROOT / "README.md").read_text().partition("## Your own spec in five minutes")[2].partition("\n## ")[0]
    return [shlex.split(line) for line in re.findall(r"^ *\$ deployspec (.*)$", section, re.MULTILINE)]


@pytest.fixture
def own_model(tmp_path: Path) -> Path:
    """A folder such as the walk starts from: model.py, model.safetensors, data/test.npz, data/calibration.npz."""
    shutil.copy(DIGITS / "digits.py", tmp_path / "model.py")
    shutil.copy(DIGITS / "digits.safetensors", tmp_path / "model.safetensors")
    (tmp_path / "data").mkdir()
    for split in ("test", "calibration"):
        shutil.copy(DIGITS / "data" / f"{split}.npz", tmp_path / "data")
    return tmp_path


def test_the_five_minutes_end_in_a_verified_report(own_model: Path) -> None:
    walk = five_minutes()
    assert [command[0] for command in walk] == ["init", "validate", "plan", "keygen", "check", "verify"]
    said = {}
    for command in walk:
        ran = deployspec(own_model, *command)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        said[command[0]] = ran.stdout
        if command[0] == "init":
            edit(own_model / "deployspec.toml")
    assert "RELEASED" in said["check"]
    assert "VERIFIED. RELEASED" in said["verify"]


def edit(spec: Path) -> None:
    """What the user knows and `init` cannot: how stored pixels become the model's."""
    text, count = re.subn(r"^preprocess = .*$", HEAD.splitlines()[10], spec.read_text(), flags=re.MULTILINE)
    assert count == 1
    assert "EDIT" in text
    spec.write_text(text)


def test_every_budget_of_the_table_is_measured(tmp_path: Path) -> None:
    """But for energy, which takes a counter that this machine may lack, and what belongs to other tasks."""
    shutil.copytree(DIGITS, tmp_path, dirs_exist_ok=True)
    table = (ROOT / "docs" / "spec.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| (?:smaller|larger) \|", table, re.MULTILINE)
    assert rows == list(BUDGETS)
    asked = {name: kind for name, kind in BUDGETS.items() if Task.CLASSIFICATION in kind.tasks}
    limits = {name: "true" if example(kind) == "true" else f'"{example(kind)}"' for name, kind in asked.items()}
    (tmp_path / "spec.toml").write_text(HEAD + "".join(f"{name} = {limit}\n" for name, limit in limits.items()))
    ran = deployspec(tmp_path, "check", "spec.toml", "--format", "json")
    assert ran.returncode == 1, ran.stderr
    verdicts = json.loads(ran.stdout)["verdicts"]
    measured = {each["budget"].partition(".")[0] for each in verdicts if each["verdict"] != "not_measured"}
    assert measured | {"energy"} == set(asked)
