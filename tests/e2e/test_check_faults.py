"""Bad data and bad models: said at once with the step, its log and the exit code; mended, the next run goes on."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from projects import NET, SPEC, Project, write_project

from deployspec.cli import main
from deployspec.digests import sha256_path

if TYPE_CHECKING:
    from collections.abc import Callable

X = np.zeros((60, 4), np.float32)
Y = np.arange(60) % 3


@dataclass(frozen=True)
class Ended:
    """How a run ended, and what it said on standard error."""

    code: int
    said: str

    @property
    def steps(self) -> list[list[str]]:
        """Word and step of each line of progress."""
        words = "start|done|cached|failed|blocked|time"
        return [line.split()[:2] for line in self.said.splitlines() if re.match(rf"({words}) ", line)]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("faults") / "store"


@pytest.fixture
def check(store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Run `deployspec check` here; latency may be old, since it is not what these tests are about."""
    monkeypatch.setenv("DEPLOYSPEC_STORE", str(store))

    def run(project: Project) -> Ended:
        monkeypatch.chdir(project.folder)
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(["check", "spec.toml", "--out", "out", "--reuse-latency", "1 h"])
        return Ended(int(str(ended.value.code)), capsys.readouterr().err)

    return run


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return write_project(tmp_path / "project")


@pytest.fixture(scope="module", autouse=True)
def sound(store: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The project as it is before anything goes wrong: it passes, and the store holds its steps."""
    project = write_project(tmp_path_factory.mktemp("sound"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEPLOYSPEC_STORE", str(store))
        with pytest.raises(SystemExit) as ended:
            main(["check", str(project.spec), "--out", str(project.folder / "out")])
    assert ended.value.code == 0


def assert_whole(store: Path) -> None:
    """Every entry is what its record says, and nothing half done lies about."""
    records = list(store.glob("steps/*/*/step.json"))
    assert len(records) >= 4
    for record in records:
        assert sha256_path(record.parent / "out") == json.loads(record.read_text())["sha256"]
    assert list((store / "tmp").iterdir()) == []


def assert_names_step_and_log(said: str, *steps: str) -> None:
    """The last lines name the step and a log that is there."""
    *_, step, log = said.splitlines()
    assert step.removeprefix("  step: ") in steps
    assert Path(log.removeprefix("  log: ")).is_file()


def loaded_by(code: str) -> Callable[[Project], None]:
    """The test split comes from a callable."""

    def harm(project: Project) -> None:
        project.write("load.py", f"import numpy as np\n{code}\n")
        project.edit(('test = "test.npz"', 'test = "load.py:it"'))

    return harm


def split_of(**arrays: np.ndarray) -> Callable[[Project], None]:
    return lambda project: project.save("test.npz", **arrays) and None


def with_nan(project: Project) -> None:
    x = X.copy()
    x[[7, 9], 1] = np.nan
    project.save("test.npz", x=x, y=Y)


def cut(project: Project) -> None:
    path = project.folder / "test.npz"
    path.write_bytes(path.read_bytes()[:500])


DATA: dict[str, tuple[Callable[[Project], None], str]] = {
    "nan": (with_nan, "data.test: NaN in input 'x', at sample 7, 9"),
    "label": (split_of(x=X, y=Y + 1), "data.test: y is 3, not one of the 3 classes (0 to 2), at sample 2, 5, 8, 11, "),
    "empty": (split_of(x=X[:0], y=Y[:0]), "data.test is empty: test.npz"),
    "shape": (split_of(x=X[:, :3], y=Y), "data.test: samples of input 'x' have shape [3], the spec declares [4]"),
    "cut": (cut, "test.npz is not a whole .npz file: "),
    "import": (loaded_by("raise OSError('no disk')\ndef it(): ..."), "load.py:it raised OSError: no disk"),
    "call": (loaded_by("def it():\n    yield np.zeros((1, 4), 'f4'), [0]\n    raise OSError('gone')"),
             "load.py:it raised OSError: gone"),
}  # fmt: skip


@pytest.mark.parametrize("name", DATA)
def test_bad_data_stops_the_run_and_once_mended_it_goes_on(
    name: str, project: Project, store: Path, check: Callable[..., Ended]
) -> None:
    harm, said = DATA[name]
    harm(project)
    ended = check(project)
    assert ended.code == 2
    assert f"\nerror: {said}" in "\n" + ended.said
    assert not (project.folder / "out").exists(), "there is nothing to report on"
    assert_names_step_and_log(ended.said, "data.test")
    assert_whole(store)
    mended = check(write_project(project.folder))
    assert mended.code == 0
    assert {word for word, _ in mended.steps} == {"cached"}


def net(code: str) -> Callable[[Project], None]:
    return lambda project: project.write("net.py", code) and None


def with_weights(project: Project) -> None:
    project.edit(('source = "net.py:build"', 'source = "net.py:build"\nweights = "net.safetensors"'))


def corrupt(project: Project) -> None:
    with_weights(project)
    project.write("net.safetensors", "these are no weights")


def of_another_model(project: Project) -> None:
    from safetensors.numpy import save_file

    with_weights(project)
    save_file({"weight": np.zeros((3, 5), np.float32)}, project.folder / "net.safetensors")


OPENED = "(the model could not be opened|the reference, net.py:build, could not be run): "
RAN = "the reference, net.py:build, could not be run: "
MODULE = "import torch\nclass Net(torch.nn.Module):\n    def forward(self, x):\n        {}\nbuild = Net\n"

MODELS: dict[str, tuple[Callable[[Project], None], str]] = {
    "corrupt weights": (corrupt, f"{OPENED}net.safetensors is not a whole safetensors file: "),
    "foreign weights": (
        of_another_model,
        OPENED + r"net.safetensors does not fit the model: it lacks bias; weight is \[3, 5\] and the model's \[3, 4\]",
    ),
    "import": (net("raise OSError('no licence')\ndef build(): ..."), f"{OPENED}net.py:1: OSError: no licence"),
    "call": (net("def build():\n    raise OSError('no licence')"), f"{OPENED}net.py:2 in build: OSError: no licence"),
    "missing": (net("from math import *"), f"{OPENED}net.py has no 'build'"),
    "a dict": (
        net(MODULE.format("return {'logits': x}")),
        f"({RAN})?the model's forward returned a dict: return a tensor or a tuple of tensors",
    ),
    "killed": (net("import os\ndef build():\n    os.kill(os.getpid(), 9)"), f"{RAN}killed by SIGKILL"),
    "shape": (net(NET.replace("(4, 3)", "(5, 3)")), f"{RAN}RuntimeError: mat1 and mat2 shapes cannot be multiplied"),
    "outputs": (net(MODULE.format("return x, x")), "the model gives 2 outputs and the spec declares 1: write one "),
    "batch lost": (net(MODULE.format("return x.flatten()")), r"the reference, .*, gives 240 rows for 60 samples: each"),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_bad_model_stops_the_run_and_once_mended_it_goes_on(
    name: str, project: Project, store: Path, check: Callable[..., Ended]
) -> None:
    harm, said = MODELS[name]
    harm(project)
    ended = check(project)
    assert ended.code == 2
    assert re.search(f"^error: {said}", ended.said, re.MULTILINE)
    assert_names_step_and_log(ended.said, "reference@test", "torchscript.float32")
    assert_whole(store)
    mended = check(write_project(project.folder))
    assert mended.code == 0
    assert {word for word, _ in mended.steps} == {"cached"}


def test_weights_that_are_not_there_are_found_before_any_work(project: Project, check: Callable[..., Ended]) -> None:
    with_weights(project)
    ended = check(project)
    assert ended.code == 2
    assert ended.steps == []
    assert ended.said.startswith("error[missing-file]: 'net.safetensors' does not exist\n --> spec.toml:6:11\n")


def test_data_that_is_not_there_is_found_before_any_work(project: Project, check: Callable[..., Ended]) -> None:
    (project.folder / "test.npz").unlink()
    ended = check(project)
    assert ended.code == 2
    assert ended.steps == []
    assert ended.said.startswith("error[missing-data]: the test split 'test.npz' is not there\n  --> spec.toml:19:8\n")


def test_outputs_that_do_not_fit_the_labels_are_a_fault_and_no_verdict(
    project: Project, check: Callable[..., Ended]
) -> None:
    net(NET.replace("(4, 3)", "(4, 2)"))(project)
    ended = check(project)
    assert ended.code == 2
    assert "error: output 'scores' has 2 values a sample, the task has 3 labels" in ended.said


def test_a_model_that_answers_nan_fails_its_step(project: Project, check: Callable[..., Ended]) -> None:
    net(MODULE.format("return (x * float('nan'))[:, :3]"))(project)
    ended = check(project)
    assert ended.code == 4
    (line,) = [line for line in ended.said.splitlines() if line.startswith("failed ")]
    assert "torchscript.float32@test  output 'scores' has NaN or Inf before it is saved  (log: " in line


def test_a_pinned_digest_that_does_not_match_is_5_before_any_work(
    project: Project, check: Callable[..., Ended]
) -> None:
    project.edit(('source = "net.py:build"', f'source = "net.py:build"\nsha256 = "{"0" * 64}"'))
    ended = check(project)
    assert ended.code == 5
    assert ended.steps == []


def test_a_target_that_is_not_in_the_spec_is_said_with_those_that_are(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["check", str(project.spec), "--target", "phone"])
    assert ended.value.code == 2
    assert capsys.readouterr().err == "error: the spec has no target 'phone'; it has server\n"


@pytest.mark.parametrize(("harm", "said"), [DATA["nan"], MODELS["killed"]], ids=["nan", "killed"])
def test_the_program_itself_ends_so(
    harm: Callable[[Project], None], said: str, project: Project, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEPLOYSPEC_STORE", str(store))
    harm(project)
    command = [sys.executable, "-m", "deployspec", "check", "spec.toml"]
    ran = subprocess.run(command, cwd=project.folder, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert f"\nerror: {said}" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_the_sound_project_is_the_one_that_the_others_mend_to(project: Project, check: Callable[..., Ended]) -> None:
    assert project.spec.read_text() == SPEC
    ended = check(project)
    assert ended.code == 0
    assert len(ended.steps) == 5


@pytest.mark.parametrize("name", ["label", "empty", "shape", "cut"])
def test_plan_refuses_in_the_words_of_check_what_needs_no_scan(
    name: str, project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    harm, said = DATA[name]
    harm(project)
    with pytest.raises(SystemExit) as ended:
        main(["plan", str(project.spec)])
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith(f"error: {said}")
