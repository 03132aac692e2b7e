"""Ways to a release that was not proven, and how each of them ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pytest
from programs import ROOT, deployspec
from projects import NET, SPEC, Project, write_project

from deployspec.build import Store
from deployspec.build.progress import PlainProgress
from deployspec.errors import DigestMismatch, ExitCode
from deployspec.ir.verdict import Result
from deployspec.pipeline import check
from deployspec.requests import CheckRequest
from deployspec.verify import Demands, verify

if TYPE_CHECKING:
    from pathlib import Path

    from deployspec.ir.spec import Target
    from deployspec.requests import Checked

WAIVED = """
[[waivers]]
target = "server"
budget = "size"
reason = "not yet"
approver = "release@example.com"
expires = 2999-12-31
"""

UNSTABLE = """\
import torch


class Unstable(torch.nn.Module):
    def forward(self, x):
        return x[:, :3] + torch.rand(1)


def build():
    return Unstable()
"""

JUDGED = SPEC.replace('size = "< 1 MB"', 'accuracy = ">= 1 %"\n[evidence]\nconfidence = "point"')


class Watch(PlainProgress):
    """Does something to the store when the artifact has been judged and its timing begins."""

    def __init__(self, store: Path, *, tampers: bool) -> None:
        super().__init__(sys.stderr)
        self.store, self.tampers = store, tampers

    def timing(self, target: Target) -> None:
        for artifact in self.store.glob("steps/*/*/out/artifact/*") if self.tampers else ():
            artifact.write_bytes(artifact.read_bytes() + b"x")


def run(project: Project, *, tampers: bool = False) -> Checked:
    store = project.folder / "store"
    request = CheckRequest(store=Store(store), out=project.folder / "out", reuse_latency_s=None if tampers else 3600)
    return check(project.spec, request, Watch(store, tampers=tampers))


def steps(checked: Checked) -> dict[str, str]:
    return {step.id: step.result for step in checked.report.steps}


def test_no_waiver_releases_what_could_not_be_built(tmp_path: Path) -> None:
    project = write_project(tmp_path, SPEC + WAIVED)
    project.write("net.py", UNSTABLE)
    checked = run(project)
    assert (checked.report.result, checked.exit_code) == (Result.UNPROVEN, ExitCode.BUILD_FAILED)
    told = deployspec("show", str(checked.path))
    assert told.out.startswith("NOT RELEASED: server could not be built\n")
    outcome = verify(checked.path.read_bytes(), Demands(at=datetime.now(UTC), allow_unsigned=True))
    assert (outcome.holds, outcome.exit_code) == (True, ExitCode.UNPROVEN)


def test_an_artifact_that_is_changed_after_it_was_judged_is_not_reported(tmp_path: Path) -> None:
    project = write_project(tmp_path)
    with pytest.raises(DigestMismatch, match="changed while it was judged"):
        run(project, tampers=True)
    assert not (tmp_path / "out").exists()
    assert run(project).exit_code is ExitCode.OK, "the store knows that its entry is no longer what it was"


def test_a_helper_module_of_a_project_that_is_installed_in_place_changes_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = write_project(tmp_path)
    (tmp_path / "src").mkdir()
    project.write("src/own_seed.py", "SEED = 0\n")
    project.write("net.py", "from own_seed import SEED\n" + NET.replace("manual_seed(0)", "manual_seed(SEED)"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "src"))
    monkeypatch.syspath_prepend(tmp_path / "src")
    assert steps(run(project))["torchscript.float32"] == "built"
    assert steps(run(project))["torchscript.float32"] == "cached"
    project.write("src/own_seed.py", "SEED = 7\n")
    assert steps(run(project))["torchscript.float32"] == "built"


def test_data_that_code_reads_from_elsewhere_is_looked_at_in_every_check(tmp_path: Path) -> None:
    project = write_project(tmp_path, JUDGED.replace("test.npz", "load.py:it"))
    project.write(
        "load.py",
        "from pathlib import Path\n\nimport numpy as np\n\n\ndef it():\n"
        "    yield dict(np.load(Path(__file__).with_name('kept.npz')))\n",
    )
    x = np.random.default_rng(0).standard_normal((60, 4)).astype(np.float32)
    project.save("kept.npz", x=x, y=np.arange(60) % 3)
    first, again = run(project), run(project)
    assert first.report.verdicts == again.report.verdicts
    assert steps(again) | {"data.test": "built"} == dict.fromkeys(steps(first), "cached") | {"data.test": "built"}
    project.save("kept.npz", x=np.zeros((60, 4), np.float32), y=np.zeros(60, int))
    swapped = run(project).report
    assert swapped.verdicts != first.report.verdicts
    assert [each.name for each in swapped.data] == ["test: load.py", "test: load.py:it"]
    assert [each in first.report.data for each in swapped.data] == [True, False], "only what it yielded is another"


def test_who_is_told_to_end_tidies_up(tmp_path: Path) -> None:
    project = write_project(tmp_path)
    (tmp_path / "tmp").mkdir()
    environment = os.environ | {"TMPDIR": str(tmp_path / "tmp"), "DEPLOYSPEC_STORE": str(tmp_path / "store")}
    command = [sys.executable, "-m", "deployspec", "check", "spec.toml"]
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        for line in running.stderr:
            if line.startswith("time "):
                running.send_signal(signal.SIGTERM)
                break
        said = running.stderr.read()
    assert running.returncode == 130
    ended = "interrupted: nothing is left running; the steps that are finished are kept in the store"
    assert said.splitlines()[-1] == ended
    assert not [path.name for path in (tmp_path / "tmp").iterdir() if path.is_dir()]
    assert not (project.folder / "deployspec-report").exists()


@pytest.mark.parametrize(("streams", "code"), [("<&- >&- 2>&-", 0), (">&-", 0), ("2>&-", 0), (">/dev/full", 2)])
def test_streams_that_take_nothing_are_no_bug(streams: str, code: int) -> None:
    report = ROOT / "tests" / "vectors" / "passed" / "report.dsse.json"
    command = f"exec {sys.executable} -m deployspec show {report} {streams}"
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert "Traceback" not in done.stderr
