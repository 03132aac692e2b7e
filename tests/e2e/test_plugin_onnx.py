"""A target from a distribution of its own: installed as a user would, found, used, and held to the same suite."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from programs import ROOT

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Installed:
    """A copy of the examples, and the environment in which the plug-in's distribution is installed."""

    examples: Path
    environment: dict[str, str]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A Python program, in the examples' folder."""
        command = [sys.executable, *arguments]
        return subprocess.run(
            command, cwd=self.examples, env=self.environment, capture_output=True, text=True, check=False
        )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("plugin")
    for name in ("digits", "plugin-onnx"):
        shutil.copytree(ROOT / "examples" / name, folder / "examples" / name)
    (folder / "examples" / ".git").mkdir()  # one project, as they are here
    shutil.copytree(ROOT / "examples" / "plugin-onnx", folder / "source")
    offline = ("--no-deps", "--no-build-isolation", "--no-index", "--quiet")
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        *offline,
        "--target",
        str(folder / "site"),
        str(folder / "source"),
    ]
    subprocess.run(command, check=True, capture_output=True)
    path = os.pathsep.join(filter(None, (str(folder / "site"), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "PYTHONPATH": path, "DEPLOYSPEC_STORE": str(folder / "store")}
    return Installed(folder / "examples", environment)


def test_it_is_a_format_like_the_others(installed: Installed) -> None:
    ran = installed.run("-m", "deployspec", "targets", "--format", "json")
    (onnx,) = [each for each in json.loads(ran.stdout)["targets"] if each["format"] == "onnx"]
    assert onnx["ready"]
    assert onnx["schemes"] == ["int8-dynamic"]
    assert onnx["options"] == ["opset"]


def test_without_the_distribution_it_is_unknown() -> None:
    spec = ROOT / "examples" / "plugin-onnx" / "deployspec.toml"
    ran = subprocess.run(
        [sys.executable, "-m", "deployspec", "validate", str(spec)], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 2
    assert "unknown format 'onnx'" in ran.stderr


def test_what_it_cannot_do_is_told_with_its_own_reason(installed: Installed) -> None:
    spec = installed.examples / "plugin-onnx" / "int8.toml"
    asked = 'format = "onnx"\npasses = [{ pass = "quantize", scheme = "int8" }]'
    text = (spec.parent / "deployspec.toml").read_text()
    spec.write_text(text.replace('format = "onnx"', asked))
    ran = installed.run("-m", "deployspec", "validate", str(spec))
    assert ran.returncode == 2
    assert "'int8': this plug-in does not calibrate; int8-dynamic needs no data" in ran.stderr


def test_its_gate_opens(installed: Installed) -> None:
    ran = installed.run("-m", "deployspec", "check", "plugin-onnx/deployspec.toml")
    assert ran.returncode == 0, ran.stderr
    assert "RELEASED: 4 budgets hold" in ran.stdout
    assert "14,378 parameters · 0.45 M MACs · 3 Conv" in ran.stdout


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_it_passes_the_suite_that_ours_pass(installed: Installed) -> None:
    ran = installed.run("-m", "pytest", "-q", "plugin-onnx/tests")
    assert ran.returncode == 0, ran.stdout
    assert " failed" not in ran.stdout
    assert int(ran.stdout.split(" passed")[0].split()[-1]) > 40
