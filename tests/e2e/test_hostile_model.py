"""A model whose code tries to get out: it reaches no key, no network, no judged split and no other step's output."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

import numpy as np
import pytest

from deployspec.isolation import NETWORK, available

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


FORGER = """
import os, time
from pathlib import Path
import numpy as np
import torch

N = 400

def forge():
    right = np.eye(3, dtype=np.float32)[np.arange(N) % 3].tobytes()
    end = time.time() + 60
    while time.time() < end:
        for folder, _, files in os.walk(os.environ["STORE"]):
            name = os.path.join(folder, "0.npy")
            try:
                if "outputs" in folder and os.path.getsize(name) == 128 + len(right):
                    with open(name, "r+b") as file:
                        file.seek(128)
                        file.write(right)
            except OSError:
                pass
        time.sleep(0.0003)

def stay():
    if os.fork():
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    try:
        print("STAYED:", os.getpid(), flush=True)
        forge()
    finally:
        os._exit(0)

def build():
    if os.environ["FROM"] == ("runner" if "deployspec-lane-" in os.environ["TMPDIR"] else "worker"):
        stay()
    torch.manual_seed(0)
    return torch.nn.Linear(4, 3)

def finetune(model, split):
    prepared = Path(os.environ["STORE"]).glob("steps/*/*/out/y.npy")
    for path in (Path(__file__).with_name("test.npz"), *prepared):
        try:
            path.read_bytes()
            print("ESCAPED:", path, flush=True)
        except PermissionError as error:
            print("KEPT:", error, flush=True)
    return model
"""

NOSY = """
import ctypes, os
from pathlib import Path
import torch

HERE = Path(__file__).parent
SHARED, NUMBER = Path("/dev/shm", os.environ["SHARED"]), int(os.environ["NUMBER"])

def refuse(name, look):
    try:
        found = look()
    except OSError:
        return
    if found:
        raise RuntimeError(f"ESCAPED: {name}")

def build():
    store = Path(os.environ["STORE"])
    refuse("the split", (HERE / "test.npz").read_bytes)
    refuse("what it was prepared to", lambda: [path.read_bytes() for path in store.glob("steps/*/*/out/*.npy")])
    refuse("the labels beside its inputs", Path("data-0.npy").resolve().with_name("y.npy").read_bytes)
    refuse("memory that has a name", SHARED.exists)
    refuse("memory that has a number", lambda: ctypes.CDLL(None).shmget(NUMBER, 4096, 0o600) >= 0)
    torch.manual_seed(0)
    return torch.nn.Linear(4, 3)
"""

READER = """
import os
from pathlib import Path
import torch

class Reader(torch.nn.Module):
    path: str

    def __init__(self, path: str):
        super().__init__()
        self.inner, self.path = torch.nn.Linear(4, 3), path

    def forward(self, x):
        told = torch.from_file(self.path, False, 8 * x.size(0), dtype=torch.float32)
        return self.inner(x) + 0 * told.sum().nan_to_num()

def trace(module, example, **options):
    return torch.jit.script(Reader(os.environ["READS"]).eval())

torch.jit.trace = trace

def build():
    return torch.nn.Linear(4, 3)
"""

JUDGED = """
deployspec = 1
[model]
name = "tiny"
source = "net.py:build"
[[model.inputs]]
name = "x"
shape = ["batch", 4]
[[model.outputs]]
name = "scores"
[task]
kind = "classification"
labels = ["low", "middle", "high"]
[data]
test = "test.npz"
train = "train.npz"
[budgets]
accuracy = ">= 97 %"
[targets.server]
format = "torchscript"
"""


@pytest.fixture
def judged(tmp_path: Path) -> Path:
    """A project whose model is right one time in three, and knows what it should say."""
    folder = tmp_path / "judged"
    folder.mkdir()
    (folder / "net.py").write_text(FORGER)
    (folder / "spec.toml").write_text(JUDGED)
    (folder / "pyproject.toml").write_text("")
    samples = np.random.default_rng(0).normal(size=(2, 400, 4)).astype(np.float32)
    for name, x in zip(("test", "train"), samples, strict=True):
        np.savez(folder / f"{name}.npz", x=x, y=np.arange(400) % 3)
    return folder


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


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


@pytest.mark.skipif(not available(), reason="nothing keeps processes apart here")
@pytest.mark.parametrize("where", ["worker", "runner"])
def test_what_a_model_leaves_running_forges_no_figure(judged: Path, where: str) -> None:
    store = str(judged / "store")
    ran = deployspec(judged, "check", "spec.toml", "--out", "report", DEPLOYSPEC_STORE=store, STORE=store, FROM=where)
    logs = "".join(log.read_text(errors="replace") for log in Path(store, "logs").iterdir())
    stayed = [int(pid) for pid in re.findall(r"STAYED: (\d+)", logs)]
    assert stayed
    assert "NOT RELEASED: 1 of 1 budget failed: server accuracy" in ran.stdout, ran.stdout + ran.stderr
    assert ran.returncode == 1
    assert not any(map(alive, stayed))


@pytest.mark.skipif(not available(), reason="nothing keeps processes apart here")
def test_a_finetune_hook_reads_no_split_that_judges_it(judged: Path) -> None:
    passes = 'passes = [{ pass = "prune", sparsity = 0.1, finetune = "net.py:finetune" }]\n'
    (judged / "spec.toml").write_text(JUDGED + passes)
    store = str(judged / "store")
    ran = deployspec(judged, "check", "spec.toml", "--out", "report", DEPLOYSPEC_STORE=store, STORE=store, FROM="none")
    logs = "".join(log.read_text(errors="replace") for log in Path(store, "logs").iterdir())
    kept = re.findall(r"KEPT: .*/([\w.]+)'", logs)
    assert {"test.npz", "y.npy"} == set(kept), "the split itself, and what any was prepared to"
    assert "ESCAPED" not in logs
    assert ran.returncode == 1


@pytest.mark.skipif(NETWORK not in available(), reason="nothing keeps processes apart here")
def test_the_eager_source_sees_no_label_wherever_it_runs(judged: Path) -> None:
    """In conversions, as the reference, and as the baseline that an artifact is timed against."""
    (judged / "net.py").write_text(NOSY)
    spec = JUDGED.replace(">= 97 %", ">= 1 %").replace("[budgets]", "[budgets]\nlatency_reduction = '>= -100000 %'")
    (judged / "spec.toml").write_text(spec)
    store, number, libc = str(judged / "store"), uuid.uuid4().int & 0x7FFFFFFF, ctypes.CDLL(None)
    segment = libc.shmget(number, 4096, 0o600 | 0o1000)
    with tempfile.NamedTemporaryFile(dir="/dev/shm") as shared:
        place = {"DEPLOYSPEC_STORE": store, "STORE": store, "SHARED": shared.name, "NUMBER": str(number)}
        ran = deployspec(judged, "check", "spec.toml", "--out", "report", **place)
    libc.shmctl(segment, 0, None)
    logs = "".join(log.read_text(errors="replace") for log in Path(store, "logs").iterdir())
    assert "ESCAPED" not in ran.stdout + logs
    assert re.search(r"latency_reduction .*(pass|inconclusive)", ran.stdout), ran.stdout + ran.stderr


@pytest.mark.skipif(not available(), reason="nothing keeps processes apart here")
@pytest.mark.parametrize(("name", "read"), [("test.npz", False), ("train.npz", True)])
def test_an_artifact_reads_no_split_that_judges_it(judged: Path, name: str, *, read: bool) -> None:
    """TorchScript has an operator that opens files."""
    (judged / "net.py").write_text(READER)
    (judged / "spec.toml").write_text(JUDGED.replace(">= 97 %", ">= 1 %"))
    place = {"DEPLOYSPEC_STORE": str(judged / "store"), "READS": str(judged / name)}
    ran = deployspec(judged, "check", "spec.toml", "--out", "report", **place)
    assert ("Permission denied" in ran.stdout) is not read, ran.stdout + ran.stderr
