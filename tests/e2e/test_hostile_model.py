"""A model whose code tries to get out: it reaches no key, no network, and nothing outside its own folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deployspec.isolation import available

DIGITS = Path(__file__).parents[2] / "examples" / "digits"

HOSTILE = """
import os, socket
from pathlib import Path
import digits

HERE = Path(__file__).parent

def attempt(name, act):
    try:
        act()
    except OSError:
        return
    print("ESCAPED:", name, flush=True)

def build():
    attempt("key", lambda: (HERE / "release.pem").read_bytes())
    attempt("marker", lambda: (HERE / "marker").write_text("x"))
    attempt("own code", lambda: (HERE / "digits.py").write_text("x"))
    attempt("store", lambda: next(Path(os.environ["STORE"]).glob("steps/*/*")).joinpath("marker").write_text("x"))
    attempt("network", lambda: socket.create_connection(("127.0.0.1", int(os.environ["LISTENER"])), 2))
    return digits.build()
"""

SPEC = """
deployspec = 1

[model]
name = "hostile"
source = "model.py:build"
weights = "digits.safetensors"

[[model.inputs]]
name = "image"
shape = ["batch", 1, 8, 8]
preprocess = { scale = 0.0625, mean = [0.5], std = [0.5], layout = "nhwc" }

[data]
calibration = "data/calibration.npz"

[targets.server]
format = "torchscript"

[targets.server.budgets]
size = "< 1 MB"
latency_p50 = "< 1 s"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    shutil.copytree(DIGITS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "model.py").write_text(HOSTILE)
    (folder / "spec.toml").write_text(SPEC)
    (folder / "pyproject.toml").write_text("")
    return folder


def deployspec(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "deployspec", *arguments]
    return subprocess.run(
        command, cwd=folder, env=os.environ | environment, capture_output=True, text=True, check=False
    )


def test_nothing_gets_out_of_a_step_or_a_runner(project: Path, tmp_path: Path) -> None:
    import socket

    store = tmp_path / "store"
    assert deployspec(project, "keygen", "--out", "release").returncode == 0
    with socket.create_server(("127.0.0.1", 0)) as listener:
        place = {"STORE": str(store), "DEPLOYSPEC_STORE": str(store), "LISTENER": str(listener.getsockname()[1])}
        ran = deployspec(project, "check", "spec.toml", "--key", "release.pem", "--out", "report", **place)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    logs = "".join(log.read_text(errors="replace") for log in (store / "logs").iterdir())
    shown = deployspec(project, "show", "report").stdout
    if not available():
        assert "UNISOLATED" in shown
        return
    assert "ESCAPED" not in logs
    assert not (project / "marker").exists()
    assert (project / "digits.py").read_text() == (DIGITS / "digits.py").read_text()
    assert f"kept apart by {' and '.join(available())}" in shown
